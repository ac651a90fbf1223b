//! Whether there is a cgroup v2 with the memory controller that this process may make children in
//! (cgroups(7), "Cgroups delegation").

use std::fs::{create_dir, read_to_string, remove_dir};
use std::io;
use std::path::{Path, PathBuf};

/// What was found of cgroup v2.
#[derive(Clone, Debug)]
pub enum Cgroup {
    /// Not mounted, or this process is not seen in it.
    None,
    /// The process's own cgroup does not have the memory controller: cgroup v1 holds it, or nobody passed it on.
    NoMemory,
    /// No child could be made.
    Closed(io::ErrorKind),
    Delegated,
}

/// Finds the process's own cgroup, and makes and removes an empty child in it.
pub fn read(mounts: &str) -> Cgroup {
    let membership = read_to_string("/proc/self/cgroup").unwrap_or_default();
    let Some(own) = own_directory(mounts, &membership) else {
        return Cgroup::None;
    };
    let controllers = read_to_string(own.join("cgroup.controllers")).unwrap_or_default();
    if !controllers.split_whitespace().any(|name| name == "memory") {
        return Cgroup::NoMemory;
    }
    let child = own.join(format!("runner-doctor-{}", std::process::id()));
    match create_dir(&child).and_then(|()| remove_dir(&child)) {
        Ok(()) => Cgroup::Delegated,
        Err(error) => Cgroup::Closed(error.kind()),
    }
}

/// Where the process's own cgroup is seen. A mount may show only a part of the tree (the mount's root), and the
/// own cgroup may lie outside of it.
fn own_directory(mounts: &str, membership: &str) -> Option<PathBuf> {
    let own = membership
        .lines()
        .find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        if filesystem.split(' ').next() != Some("cgroup2") {
            return None;
        }
        let below = Path::new(own).strip_prefix(root).ok()?;
        Some(Path::new(point).join(below))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_cgroup_is_found_below_the_part_of_the_tree_that_is_mounted() {
        let mount = |root| format!("35 27 0:30 {root} /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        let found = own_directory(&mount("/pod"), "4:memory:/x\n0::/pod/a\n");
        assert_eq!(found, Some("/sys/fs/cgroup/a".into()));
        assert_eq!(own_directory(&mount("/other"), "0::/pod/a\n"), None);
        let v1 = "35 27 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        assert_eq!(own_directory(v1, "0::/\n"), None);
    }
}
