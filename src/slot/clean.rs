//! The end of an episode: kill all of it, wipe what it wrote, prove that nothing is left.
//!
//! The proof compares the sandbox with what it was when it was built: no process, no System V object, the same
//! inodes and bytes in use, and every directory of ours untouched or put back. When it fails the slot ends
//! itself; a new one costs about a millisecond.

use super::census::Census;
use super::kill::KILL_EACH_TIMEOUT_NS;
use super::mark::{Mark, State};
use super::placement::errno;
use super::space::Space;
use crate::sandbox::network;
use crate::sandbox::tier::KILL_TIMEOUT_NS;
use crate::spec::execution::Unclean;
use crate::spec::policy::{Network, Tier};
use crate::sys::{
    clock::monotonic_ns, mode::set_mode, remove::remove_in, sysv, wait::reap_ended, xattr,
};
use crate::wire::failure::{Failure, Stage};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, UtimensatFlags, futimens, utimensat};
use nix::sys::statfs::fstatfs;
use nix::sys::time::TimeSpec;
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

/// How long it may take to remove what an episode left. When that is over, the slot answers that it is not clean, before the runner
/// would take it for hung (`pool::run`), and removes the rest when it ends.
const WIPE_TIMEOUT_NS: u64 = 10_000_000_000;
/// How long removed files may still be counted.
const SETTLE_TIMEOUT_NS: u64 = 1_000_000_000;
/// How many removed inodes may be counted before it is worth waiting for them.
const MAX_PINNED: u64 = 256;

/// What the sandbox looks like when it is clean.
pub(super) struct Cleaner {
    tier: Tier,
    /// Everything that is ours below the root.
    own: BTreeSet<PathBuf>,
    /// The first is that of the root.
    marks: Vec<Mark>,
    inodes: u64,
    blocks: u64,
    /// Inodes that are removed and out of reach, but may still be counted: a Landlock rule holds the inode it
    /// names until the kernel has freed the last program's ruleset, some 50 ms after that program was reaped.
    pinned: u64,
    /// Sockets in use, where the network namespace is the slot's own.
    sockets: Option<Sockets>,
}

impl Cleaner {
    /// Takes the freshly built sandbox as the measure of clean.
    pub(super) fn new(space: &Space, network: Network) -> Result<Self, Failure> {
        let baseline =
            |e: std::io::Error| Failure::new(Stage::Baseline, e.raw_os_error().unwrap_or(0));
        let root = space.root_path().to_owned();
        let device = fs::symlink_metadata(&root).map_err(baseline)?.dev();
        let mut own = BTreeSet::new();
        let mut marks = vec![Mark::new(&root).map_err(baseline)?];
        let mut unread = vec![root];
        while let Some(directory) = unread.pop() {
            for entry in fs::read_dir(&directory).map_err(baseline)? {
                let path = entry.map_err(baseline)?.path();
                let meta = fs::symlink_metadata(&path).map_err(baseline)?;
                // The owner of a link may change its times, and so leave a message in it.
                if meta.dev() == device && (meta.is_dir() || meta.is_symlink()) {
                    marks.push(Mark::new(&path).map_err(baseline)?);
                }
                if meta.dev() == device && meta.is_dir() {
                    unread.push(path.clone());
                }
                own.insert(path);
            }
        }
        let mut cleaner = Cleaner {
            tier: space.tier,
            own,
            marks,
            inodes: 0,
            blocks: 0,
            pinned: 0,
            sockets: if space.tier.has_own_network(network) {
                Some(Sockets::open().map_err(baseline)?)
            } else {
                None
            },
        };
        let in_use = cleaner.in_use();
        (cleaner.inodes, cleaner.blocks) = in_use.map_err(|e| baseline(e.into()))?;
        Ok(cleaner)
    }

    /// Ends what an episode has left when its programs have been reaped. Returns the CPU time of those that nobody had
    /// waited for, in microseconds.
    ///
    /// To ask for children is enough where we are PID 1: what a program leaves behind becomes our child before the
    /// program can be reaped (find_new_reaper in kernel/exit.c), and `CLONE_PARENT`, which would make it the zygote's, is
    /// denied. `kill(-1)` goes through all processes of the host, and holds up those that fork or exit.
    pub(super) fn kill_rest(&self, census: &Census) -> Result<u64, Unclean> {
        if !self.tier.has_own_processes() {
            return self.kill_all(census);
        }
        match reap_ended() {
            (cpu_us, false) => Ok(cpu_us),
            (cpu_us, true) => Ok(cpu_us + self.kill_all(census)?),
        }
    }

    /// Ends every process of the slot but ours. Returns the CPU time of those that nobody had waited for, in
    /// microseconds.
    pub(super) fn kill_all(&self, census: &Census) -> Result<u64, Unclean> {
        let begin = monotonic_ns();
        let mut cpu_us = 0;
        loop {
            let found = census.kill();
            let (reaped_us, waiting) = reap_ended();
            cpu_us += reaped_us;
            // Zygotes that are our children stay.
            let has_zygotes = !self.tier.has_own_processes();
            if !found && (has_zygotes || !waiting) {
                return Ok(cpu_us);
            }
            let elapsed = monotonic_ns() - begin;
            if has_zygotes && elapsed > KILL_EACH_TIMEOUT_NS {
                // It forks faster than it can be listed. This ends everything below us at one instant, the zygotes
                // too, and so the slot.
                let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
                return Err(Unclean::ProcessesFork);
            }
            if elapsed > KILL_TIMEOUT_NS {
                return Err(Unclean::Processes);
            }
            if waiting {
                std::thread::sleep(Duration::from_micros(100));
            }
        }
    }

    /// Removes what the episode left and proves that nothing of it is there any more. `extra` is how many
    /// directories the episode's own ruleset named.
    pub(super) fn wipe(&mut self, extra: usize) -> Result<(), Unclean> {
        self.pinned += extra as u64;
        if self.tier.has_own_ipc() && sysv::usage().objects > 0 {
            sysv::remove_all();
            if sysv::usage().objects > 0 {
                return Err(Unclean::SystemV);
            }
        }
        if self.difference().is_none() {
            return Ok(());
        }
        let until_ns = monotonic_ns() + WIPE_TIMEOUT_NS;
        for at in 0..self.marks.len() {
            if !self.marks[at].holds() {
                self.restore(at, until_ns).map_err(|error| Unclean::Path {
                    path: self.marks[at].path.to_string_lossy().into_owned(),
                    errno: error.raw_os_error().unwrap_or(0),
                })?;
            }
        }
        let deadline = monotonic_ns() + SETTLE_TIMEOUT_NS;
        while let Some(difference) = self.difference() {
            if monotonic_ns() > deadline {
                return Err(difference);
            }
            std::thread::sleep(std::time::Duration::from_micros(500));
        }
        Ok(())
    }

    /// What is not as it was in the fresh sandbox; the first such thing.
    fn difference(&mut self) -> Option<Unclean> {
        let (inodes, blocks) = match self.in_use() {
            Ok(in_use) => in_use,
            Err(errno) => {
                return Some(Unclean::Unknown {
                    errno: errno as i32,
                });
            }
        };
        if inodes == self.inodes {
            self.pinned = 0;
        }
        let tolerated = self.inodes + self.pinned.min(MAX_PINNED);
        if !(self.inodes..=tolerated).contains(&inodes) || blocks != self.blocks {
            return Some(Unclean::InUse {
                inodes: inodes.wrapping_sub(self.inodes) as i64,
                blocks: blocks.wrapping_sub(self.blocks) as i64,
            });
        }
        let sockets = self.sockets.as_ref();
        if sockets.is_some_and(|sockets| !sockets.are_as_before()) {
            return Some(Unclean::Sockets);
        }
        let changed = self.marks.iter().find(|mark| !mark.holds())?;
        Some(Unclean::Path {
            path: changed.path.to_string_lossy().into_owned(),
            errno: 0,
        })
    }

    /// Puts one of our directories back: its entries, its mode, no extended attributes, no time that was set. Of
    /// a link only the times can be changed.
    fn restore(&mut self, at: usize, until_ns: u64) -> std::io::Result<()> {
        let mark = &self.marks[at];
        let found = fs::symlink_metadata(&mark.path)?;
        if found.ino() != mark.clean.inode {
            return Err(Errno::ESTALE.into());
        }
        let now = TimeSpec::UTIME_NOW;
        if found.is_dir() {
            set_mode(&mark.place, mark.clean.mode)?;
            xattr::remove_all(&mark.place)?;
            let directory = self.empty(mark, until_ns)?;
            futimens(&directory, &now, &now)?;
        } else {
            let link = UtimensatFlags::NoFollowSymlink;
            utimensat(AT_FDCWD, &mark.path, &now, &now, link)?;
        }
        let now = State::of(&mark.place)?;
        if now.blocks > mark.clean.blocks {
            // It would count as the next episode's, and can't be replaced: the ruleset names this very directory.
            return Err(Errno::EFBIG.into());
        }
        self.marks[at].clean = now;
        Ok(())
    }

    /// Removes from one of our directories what is not ours. Through its descriptor: where others can write to what it is
    /// in, its path may lead to another one.
    fn empty(&self, mark: &Mark, until_ns: u64) -> Result<OwnedFd, Errno> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = openat(&mark.place, ".", flags, Mode::empty())?;
        for entry in Dir::from_fd(directory.try_clone().map_err(errno)?)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_own = || {
                let path = mark.path.join(OsStr::from_bytes(name.to_bytes()));
                self.own.contains(&path)
            };
            if !matches!(name.to_bytes(), b"." | b"..") && !is_own() {
                remove_in(&directory, name, until_ns)?;
            }
        }
        Ok(directory)
    }

    /// Inodes and blocks in use. A file system that is shared with the host has nothing to compare.
    fn in_use(&self) -> Result<(u64, u64), Errno> {
        if !self.tier.has_private_root() {
            return Ok((0, 0));
        }
        let now = fstatfs(&self.marks[0].place)?;
        Ok((
            now.files() - now.files_free(),
            now.blocks() - now.blocks_free(),
        ))
    }
}

/// Sockets can outlive their processes: those that go through interfaces for a minute, and those that were sent through
/// each other, with whatever else was, until the kernel gets round to them (net/unix/garbage.c).
struct Sockets {
    counts: File,
    before: Option<u64>,
}

impl Sockets {
    fn open() -> std::io::Result<Sockets> {
        let counts = File::open(network::SOCKETS)?;
        let before = network::sockets_in(&counts);
        Ok(Sockets { counts, before })
    }

    fn are_as_before(&self) -> bool {
        network::sockets_in(&self.counts) == self.before
    }
}
