//! The slot's memory cgroup, seen through descriptors that the runner opened: inside there is nothing to open.
//!
//! The zygotes are in it, and so are all programs, but not init: it is to see how they end. The limit leaves room for
//! zygotes and caches above the programs' own, so that what can be counted is met first, and the episode ends with its
//! evidence; what can't be counted is met by the kernel, which kills.

use crate::wire::failure::{Failure, Stage};
use nix::sys::uio::pread;
use nix::unistd::write;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// What the limit leaves for the zygotes, for files in the page cache, and for what is charged a little ahead.
const MARGIN_BYTES: u64 = 128 << 20;

/// The open `cgroup.procs`, for a process that is to join.
pub(super) struct CgroupProcs(OwnedFd);

/// What a cgroup is charged with, by kind.
#[derive(Clone)]
pub(super) struct Stat(Arc<File>);

/// For init.
pub(super) struct Cgroup {
    limit: File,
    hits: File,
    killed: File,
    pub stat: Stat,
    /// 0 as long as there is none.
    pub limit_bytes: u64,
}

impl CgroupProcs {
    /// Moves the calling process into the cgroup, and with it all that it will fork. The kernel takes some 10 ms.
    pub(super) fn join(&self) -> Result<(), Failure> {
        match write(&self.0, b"0") {
            Ok(_) => Ok(()),
            Err(errno) => Err(Failure::new(Stage::Cgroup, errno as i32)),
        }
    }
}

/// Takes the descriptors of a slot that has a cgroup, which come first.
pub(super) fn take(fds: &mut Vec<OwnedFd>) -> Result<(CgroupProcs, Cgroup), Failure> {
    let mut next = || {
        if fds.is_empty() {
            Err(Failure::new(Stage::Cgroup, libc::EBADMSG))
        } else {
            Ok(fds.remove(0))
        }
    };
    let procs = CgroupProcs(next()?);
    let cgroup = Cgroup {
        limit: next()?.into(),
        hits: next()?.into(),
        killed: next()?.into(),
        stat: Stat(Arc::new(next()?.into())),
        limit_bytes: 0,
    };
    Ok((procs, cgroup))
}

impl Stat {
    /// Shared memory in it: files of tmpfs, System V segments and shared anonymous mappings. What is swapped out is left out.
    pub(super) fn shared_bytes(&self) -> Option<u64> {
        shared(&contents(&self.0))
    }
}

impl Cgroup {
    /// Sets the limit for programs that may use so much. To be called while none runs.
    pub(super) fn allow(&mut self, memory_bytes: u64) {
        let wanted = memory_bytes.saturating_add(MARGIN_BYTES);
        // Where more than that is in use already, the old limit stays: what is counted is limited all the same.
        if wanted != self.limit_bytes && write!(self.limit, "{wanted}").is_ok() {
            self.limit_bytes = wanted;
        }
    }

    /// How many processes in it the kernel has killed because there was no memory, there or on the host.
    pub(super) fn killed(&self) -> u64 {
        number(&contents(&self.killed), "oom_kill ")
    }

    /// How often it was at its limit.
    pub(super) fn hits(&self) -> u64 {
        hits(&contents(&self.hits))
    }
}

/// Files of a cgroup begin anew at each reading.
fn contents(file: &File) -> String {
    let mut buffer = [0; 8192];
    let length = pread(file, &mut buffer, 0).unwrap_or(0);
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

/// `memory.failcnt` of version 1 is a number, `memory.events` of version 2 has one of that meaning.
fn hits(text: &str) -> u64 {
    text.trim().parse().unwrap_or_else(|_| number(text, "max "))
}

/// `memory.stat` of version 1 has what is below a cgroup in a line of its own.
fn shared(text: &str) -> Option<u64> {
    let of = |name| text.lines().find_map(|line| line.strip_prefix(name));
    let bytes = of("total_shmem ").or_else(|| of("shmem "))?;
    bytes.trim().parse().ok()
}

fn number(text: &str, name: &str) -> u64 {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name));
    value.and_then(|v| v.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_say_what_there_is_of_shared_memory() {
        let first = "cache 9\nshmem 1\nswap 0\ntotal_shmem 4096\n";
        assert_eq!(shared(first), Some(4096));
        assert_eq!(shared("anon 5\nshmem 8192\nshmem_thp 0\n"), Some(8192));
        assert_eq!(shared(""), None);
    }

    #[test]
    fn both_versions_say_how_often_the_limit_was_met_and_how_many_were_killed() {
        assert_eq!(hits("17\n"), 17);
        let events = "low 0\nhigh 1\nmax 23\noom 4\noom_kill 5\noom_group_kill 0\n";
        assert_eq!(hits(events), 23);
        assert_eq!(number(events, "oom_kill "), 5);
        let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(number(control, "oom_kill "), 3);
    }
}
