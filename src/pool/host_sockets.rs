//! Unix sockets of the host's daemons, some of which may lie below the directories that every slot sees.
//!
//! A read-only mount does not keep anybody from connecting to a socket in it, and Landlock does not before ABI 9. So a slot
//! gets an empty file over each that is known when it is built. One that is made later, or by a process whose network
//! namespace we can't see, is not covered.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How old a list may be. To make one takes some milliseconds on a machine with thousands of processes.
const MAX_AGE: Duration = Duration::from_secs(1);

/// What was found last, and when.
#[derive(Default)]
pub(super) struct HostSockets {
    last: RefCell<Option<(Instant, Vec<PathBuf>)>>,
}

impl HostSockets {
    /// Where sockets can be connected to by their path now, links resolved.
    pub(super) fn list(&self) -> Vec<PathBuf> {
        let mut last = self.last.borrow_mut();
        match &*last {
            Some((at, found)) if at.elapsed() < MAX_AGE => found.clone(),
            _ => {
                let found = find();
                *last = Some((Instant::now(), found.clone()));
                found
            }
        }
    }
}

fn find() -> Vec<PathBuf> {
    let tables = network_namespaces().into_iter().filter_map(|pid| {
        // Names may be anything: they need not be UTF-8.
        fs::read(format!("/proc/{pid}/net/unix")).ok()
    });
    let names: BTreeSet<PathBuf> = tables
        .flat_map(|table| {
            let table = String::from_utf8_lossy(&table);
            table.lines().filter_map(name).collect::<Vec<_>>()
        })
        .collect();
    let found: BTreeSet<PathBuf> = names.iter().filter_map(|name| socket(name)).collect();
    found.into_iter().collect()
}

/// The name of a socket in a line of /proc/net/unix, if it is an absolute path (proc_net(5)).
fn name(line: &str) -> Option<PathBuf> {
    let at = line.find(" /")?;
    Some(PathBuf::from(&line[at + 1..]))
}

/// Where a socket of this name is, unless it is gone, or was bound in another mount namespace.
fn socket(name: &Path) -> Option<PathBuf> {
    let path = name.canonicalize().ok()?;
    let is_socket = fs::symlink_metadata(&path).ok()?.file_type().is_socket();
    is_socket.then_some(path)
}

/// A process in each of the network namespaces that we can tell apart; ourselves for our own.
fn network_namespaces() -> Vec<String> {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let mut known = BTreeSet::from_iter(namespace("self"));
    let mut pids = vec!["self".to_owned()];
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(pid) = entry.file_name().into_string() else {
            continue;
        };
        let is_pid = pid.bytes().all(|b| b.is_ascii_digit());
        if is_pid && namespace(&pid).is_some_and(|namespace| known.insert(namespace)) {
            pids.push(pid);
        }
    }
    pids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_with_an_absolute_path_have_a_name_here() {
        let line = "ffff: 00000002 00000000 00010000 0001 01 4711 /opt/a b/socket";
        assert_eq!(name(line), Some(PathBuf::from("/opt/a b/socket")));
        assert_eq!(
            name("ffff: 00000002 00000000 00010000 0001 01 4711 @name"),
            None
        );
        assert_eq!(name("ffff: 00000002 00000000 00010000 0001 01 4711"), None);
    }
}
