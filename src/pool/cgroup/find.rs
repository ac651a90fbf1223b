//! Where this process's own memory cgroup is seen.

use super::NoCgroups;
use std::fs::read_to_string;
use std::io;
use std::path::{Path, PathBuf};

/// The controllers whose cgroups are looked for.
pub(super) const MEMORY: &str = "memory";
pub(super) const PIDS: &str = "pids";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

impl Version {
    /// Those with the limit in bytes, with how often it was met, and with how many processes were killed for it
    /// (Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst; the last since Linux 4.13).
    pub(super) fn files(self) -> [&'static str; 3] {
        match self {
            Version::One => [
                "memory.limit_in_bytes",
                "memory.failcnt",
                "memory.oom_control",
            ],
            Version::Two => ["memory.max", "memory.events", "memory.events"],
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub version: Version,
    pub own: PathBuf,
}

impl Location {
    /// Where the cgroup with this controller is.
    pub(super) fn find(controller: &str) -> Result<Location, NoCgroups> {
        let read = |path| read_to_string(path).map_err(|_| NoCgroups::NotMounted);
        let mounts = read("/proc/self/mountinfo")?;
        let membership = read("/proc/self/cgroup")?;
        let first = Location::of(Version::One, controller, &mounts, &membership);
        let second = Location::of(Version::Two, controller, &mounts, &membership);
        first
            .or(second.filter(|second| second.names("cgroup.controllers", controller)))
            .ok_or(NoCgroups::NotMounted)
    }

    /// A mount may show only a part of the tree (its root), and the own cgroup may lie outside of it.
    fn of(version: Version, controller: &str, mounts: &str, membership: &str) -> Option<Location> {
        let own = membership.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            version.is_of(controller, controllers).then_some(path)
        })?;
        mounts.lines().find_map(|line| {
            let (mount, filesystem) = line.split_once(" - ")?;
            let mut fields = mount.split(' ').skip(3);
            let (root, point) = (fields.next()?, fields.next()?);
            let mut fields = filesystem.split(' ');
            let (kind, options) = (fields.next()?, fields.nth(1)?);
            let is_it = match version {
                Version::One => kind == "cgroup" && version.is_of(controller, options),
                Version::Two => kind == "cgroup2",
            };
            let below = is_it.then(|| Path::new(own).strip_prefix(root).ok())??;
            let own = Path::new(point).join(below);
            Some(Location { version, own })
        })
    }

    /// What could not be done there.
    pub(super) fn closed(&self, error: io::Error) -> NoCgroups {
        NoCgroups::Closed {
            version: match self.version {
                Version::One => 1,
                Version::Two => 2,
            },
            kind: error.kind(),
        }
    }

    /// Whether the memory of its children is limited.
    pub(super) fn is_passed_on(&self) -> bool {
        self.names("cgroup.subtree_control", MEMORY)
    }

    fn names(&self, file: &str, controller: &str) -> bool {
        let names = read_to_string(self.own.join(file)).unwrap_or_default();
        names.split_whitespace().any(|name| name == controller)
    }
}

impl Version {
    /// Whether the one with this controller is the one with these, or with these options of a mount.
    fn is_of(self, controller: &str, list: &str) -> bool {
        match self {
            Version::One => list.split(',').any(|name| name == controller),
            Version::Two => list.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBERSHIP: &str = "5:cpu,memory:/job\n4:pids:/other\n0::/pod/a\n";

    #[test]
    fn the_own_cgroup_is_found_below_the_part_of_the_tree_that_is_mounted() {
        let mount = |root| format!("35 27 0:30 {root} /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        let of = |root| Location::of(Version::Two, MEMORY, &mount(root), MEMBERSHIP);
        let own = PathBuf::from("/sys/fs/cgroup/a");
        let version = Version::Two;
        assert_eq!(of("/pod"), Some(Location { version, own }));
        assert_eq!(of("/other"), None);
    }

    #[test]
    fn the_first_version_is_found_by_its_controller() {
        let mounts = "34 27 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
                      35 27 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,cpu,memory\n";
        let own = PathBuf::from("/sys/fs/cgroup/memory/job");
        let version = Version::One;
        assert_eq!(
            Location::of(Version::One, MEMORY, mounts, MEMBERSHIP),
            Some(Location { version, own })
        );
        let pids = Location::of(Version::One, PIDS, mounts, MEMBERSHIP).unwrap();
        assert_eq!(pids.own, Path::new("/sys/fs/cgroup/pids/other"));
        let second = Location::of(Version::Two, MEMORY, mounts, MEMBERSHIP);
        assert_eq!(second, None);
    }
}
