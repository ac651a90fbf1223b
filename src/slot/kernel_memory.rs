//! Memory of the kernel's that belongs to no process: what a tree of processes has open, and what is in it.
//!
//! Looked at cheaply each time, by the number of descriptors, and closely only where there are many. What is not counted,
//! and how much that can be, is in `tests/README.md`. Locks on files are not: /proc/locks holds up everybody on the
//! machine who locks a file while it is read.

use super::memory::{Budget, ProcessMemory};
use crate::sys::kcmp::have_separate_files;
use crate::sys::procfs::text;
use crate::sys::sock_diag::{self, Whose};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Fewer descriptors than this in a tree are not worth a closer look.
const MIN_DESCRIPTORS: u64 = 256;
/// What an open file can hold where nothing better is known of it: a page that /proc was read into (seq_file), and what is left
/// of a process that has ended, whose maps it shows (`struct mm_struct`, its uppermost page table).
const FILE_BYTES: u64 = 8192;
/// As many in a tree are not charged for.
const FREE_FILES: u64 = 4096;
/// A pipe that is made when its user has many holds two pages (pipe(7)); and its inode.
const PIPE_BYTES: u64 = 9_500;
/// As many of one user together hold 64 MB at most, and usually next to nothing.
const FREE_PIPES: usize = 1024;
/// A Unix socket with its inode (`struct unix_sock`, `struct socket_alloc`, `struct dentry`, `struct file`).
pub(super) const SOCKET_BYTES: u64 = 2304;
/// What one descriptor that is watched by one epoll takes (`struct epitem`, `struct eppoll_entry`).
const EPOLL_ITEM_BYTES: u64 = 200;
/// So few epolls can't watch much.
const FREE_EPOLLS: usize = 64;
/// As many descriptors in a tree may be of unknown kinds: those of a gpg-agent, say.
pub(super) const FREE_UNKNOWN: u64 = 16;
/// The most that one of an unknown kind can hold: a Unix socket whose peer's buffer is full (net.core.wmem_default).
const UNKNOWN_BYTES: u64 = 220 << 10;

/// What these processes make the kernel hold by their descriptors, beyond what every program may have. Counting ends
/// where it is more than `limit`. Sockets are left out where all of those in a network namespace are counted. Where there are
/// more than can be looked at within the budget, a random part of them stands for all.
pub(super) fn of_descriptors(
    processes: &[ProcessMemory],
    sockets_are_counted: bool,
    limit: u64,
    budget: &Budget,
) -> u64 {
    let mut tables: Vec<Table> = processes.iter().flat_map(tables).collect();
    let all: u64 = tables.iter().map(|table| table.count).sum();
    if all <= MIN_DESCRIPTORS {
        return 0;
    }
    fastrand::shuffle(&mut tables);
    let (mut open, mut seen) = (Open::default(), 0);
    for table in &tables {
        open.take(table);
        seen += table.count;
        if budget.is_spent() {
            break;
        }
    }
    let sockets = if sockets_are_counted {
        0
    } else {
        open.socket_bytes()
    };
    let unknown = open.unknown.saturating_sub(FREE_UNKNOWN) * UNKNOWN_BYTES;
    let bytes = open.pipe_bytes() + sockets + unknown + open.epoll_bytes(limit, budget);
    let files = all.saturating_sub(FREE_FILES) * FILE_BYTES;
    files + share(bytes, all, seen)
}

/// What there is of all, by what there is of those that were seen.
fn share(bytes: u64, all: u64, seen: u64) -> u64 {
    let share = u128::from(bytes) * u128::from(all) / u128::from(seen.max(1));
    share.try_into().unwrap_or(u64::MAX)
}

/// A table of descriptors, which the threads of a process usually share.
pub(super) struct Table {
    pub directory: PathBuf,
    pub count: u64,
    process: i32,
}

impl Table {
    /// Whether that its process forbids inspection is why it can't be read. One that is ending can't be looked into either,
    /// and has no memory any more.
    pub(super) fn is_hidden(&self) -> bool {
        ProcessMemory::read(self.process).is_some_and(|process| process.has_memory())
    }
}

pub(super) fn tables(process: &ProcessMemory) -> Vec<Table> {
    let mut tables = vec![table(process, process.file("fd"), process.descriptors)];
    if process.threads > 1 {
        let tasks = fs::read_dir(format!("/proc/{}/task", process.pid));
        for task in tasks.into_iter().flatten().flatten() {
            let thread = task.file_name().to_str().and_then(|name| name.parse().ok());
            if thread.is_some_and(|thread| have_separate_files(process.thread, thread)) {
                tables.push(table(process, task.path().join("fd"), 0));
            }
        }
    }
    tables
}

/// The number of descriptors is the size of the directory since Linux 6.2; before that the size of the table has to do.
fn table(process: &ProcessMemory, directory: PathBuf, at_most: u64) -> Table {
    static IS_TOLD: LazyLock<bool> = LazyLock::new(|| entries(Path::new("/proc/self/fd")) > 0);
    let count = if *IS_TOLD {
        entries(&directory)
    } else {
        at_most
    };
    Table {
        directory,
        count,
        process: process.pid,
    }
}

fn entries(directory: &Path) -> u64 {
    fs::metadata(directory).map_or(0, |meta| meta.len())
}

#[derive(Default)]
struct Open {
    pipes: BTreeSet<u64>,
    sockets: BTreeSet<u64>,
    /// Descriptors whose kind can't be told, of processes that forbid inspection.
    unknown: u64,
    epolls: Vec<PathBuf>,
}

impl Open {
    fn take(&mut self, table: &Table) {
        let Ok(entries) = fs::read_dir(&table.directory) else {
            if table.is_hidden() {
                self.unknown += table.count;
            }
            return;
        };
        for entry in entries.flatten() {
            let Ok(target) = fs::read_link(entry.path()) else {
                continue;
            };
            match target.to_str() {
                Some("anon_inode:[eventpoll]") => self.epolls.push(entry.path()),
                Some(name) => {
                    self.pipes.extend(inode(name, "pipe:["));
                    self.sockets.extend(inode(name, "socket:["));
                }
                None => {}
            }
        }
    }

    fn pipe_bytes(&self) -> u64 {
        match self.pipes.len() {
            few if few <= FREE_PIPES => 0,
            many => many as u64 * PIPE_BYTES,
        }
    }

    /// With what is in their buffers.
    fn socket_bytes(&self) -> u64 {
        if self.sockets.is_empty() {
            return 0;
        }
        let theirs = Whose::Of(&self.sockets);
        let buffers = sock_diag::unix_buffers(&theirs).unwrap_or(0);
        self.sockets.len() as u64 * SOCKET_BYTES + buffers + sock_diag::internet_buffers(&theirs)
    }

    fn epoll_bytes(&mut self, limit: u64, budget: &Budget) -> u64 {
        if self.epolls.len() <= FREE_EPOLLS {
            return 0;
        }
        fastrand::shuffle(&mut self.epolls);
        let (mut bytes, mut seen) = (0, 0);
        for epoll in &self.epolls {
            bytes += watched(epoll) * EPOLL_ITEM_BYTES;
            seen += 1;
            if bytes > limit || budget.is_spent() {
                break;
            }
        }
        share(bytes, self.epolls.len() as u64, seen)
    }
}

/// The inode of a pipe or socket, by what its descriptor links to (proc_pid_fd(5)).
fn inode(name: &str, kind: &str) -> Option<u64> {
    name.strip_prefix(kind)?.strip_suffix(']')?.parse().ok()
}

/// How many descriptors an epoll watches: one line each of its `fdinfo` (proc_pid_fdinfo(5)).
fn watched(descriptor: &Path) -> u64 {
    let path = descriptor.to_string_lossy().replacen("/fd/", "/fdinfo/", 1);
    let text = text(path).unwrap_or_default();
    text.lines().filter(|line| line.starts_with("tfd:")).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
    use nix::unistd::pipe;

    #[test]
    fn epolls_that_watch_many_descriptors_and_many_pipes_are_charged_for() {
        let own = || ProcessMemory::read(std::process::id() as i32).unwrap();
        let plenty = Budget::new(u64::MAX / 2, u64::MAX / 2);
        let charged = || of_descriptors(&[own()], true, u64::MAX, &plenty);
        let pipes: Vec<_> = (0..FREE_PIPES + 10).map(|_| pipe().unwrap()).collect();
        // Tests beside this one open and close some of their own.
        let of_pipes = FREE_PIPES as u64 * PIPE_BYTES;
        assert!(charged() >= of_pipes);
        let epolls: Vec<Epoll> = (0..FREE_EPOLLS + 1)
            .map(|_| Epoll::new(EpollCreateFlags::empty()).unwrap())
            .collect();
        for epoll in &epolls {
            for (n, (end, _)) in pipes[..100].iter().enumerate() {
                epoll
                    .add(end, EpollEvent::new(EpollFlags::EPOLLIN, n as u64))
                    .unwrap();
            }
        }
        let items = 100 * epolls.len() as u64;
        assert!(charged() >= of_pipes + items * EPOLL_ITEM_BYTES);
        // One stands for all: mostly one of these, and now and then one of a test beside this.
        let spent = Budget::new(0, 0);
        let reckoned = || of_descriptors(&[own()], true, u64::MAX, &spent);
        let is_enough = |bytes: &u64| *bytes >= of_pipes + items * EPOLL_ITEM_BYTES;
        let reckoned: Vec<u64> = (0..20).map(|_| reckoned()).collect();
        assert!(
            reckoned.iter().filter(|bytes| is_enough(bytes)).count() > 10,
            "{reckoned:?}"
        );
    }
}
