//! What an episode has on disk, counted where no mount bounds it (landlock tier).
//!
//! Init runs as the slot's uid, so a directory the program closed (mode 000) is closed to us too: it is opened up to
//! be listed, and its mode put back. Without root that uid is the user's own. So every directory is opened in the one
//! above it, without following a link, and its mode changed through the descriptor, never by a path that the
//! program could turn to somebody else's directory meanwhile.
//!
//! A program decides how long its tree takes to count. So one look counts for a while only, and the next one goes on
//! where it ended.

use super::open::{BLOCK_BYTES, Closed, ENTERABLE, LISTABLE, open_below};
use crate::sys::clock::monotonic_ns;
use nix::dir::{Dir, Entry, OwningIter};
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use std::ffi::{CStr, OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How long counting at once may take, so that the slot answers in time. What usually is there is counted in a tenth of it.
const USAGE_NS: u64 = 5_000_000_000;
/// How many directories that lead to one another are open at one time. Those further up are opened again through `..`.
const MAX_OPEN: usize = 128;

/// What some files take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Bytes on disk: holes of a file take none.
    pub bytes: u64,
    /// Files, directories and links, each name by itself.
    pub inodes: u64,
}

impl Usage {
    pub(super) fn add(&mut self, blocks: u64) {
        self.bytes = self.bytes.saturating_add(blocks * BLOCK_BYTES);
        self.inodes += 1;
    }

    pub(super) fn plus(self, other: Usage) -> Usage {
        Usage {
            bytes: self.bytes.saturating_add(other.bytes),
            inodes: self.inodes + other.inodes,
        }
    }

    /// The greater of both, each by itself.
    fn max(self, other: Usage) -> Usage {
        Usage {
            bytes: self.bytes.max(other.bytes),
            inodes: self.inodes.max(other.inodes),
        }
    }

    /// Whether this is over what an episode may have on disk; both are the most that it may.
    pub(super) fn is_over(self, bytes: u64, inodes: u64) -> bool {
        self.bytes > bytes || self.inodes > inodes
    }
}

/// What one look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub used: Usage,
    /// Whether that is all there is, and not the most that is known so far.
    pub whole: bool,
    /// Whether the count ended because the way back from a deep directory was lost, which was moved meanwhile or
    /// closed, or because a directory could not be read to its end. What was still to be counted is not bounded then.
    pub lost: bool,
}

/// A count that may take several looks.
#[derive(Default)]
pub(super) struct Count {
    /// The directories of which something is still to be looked into, each below the one before. The last [`MAX_OPEN`]
    /// of them are open.
    open: Vec<Directory>,
    used: Usage,
    /// What the count before this one found.
    last: Usage,
    lost: bool,
}

/// A directory that is being looked into.
struct Directory {
    /// `None` while it is too far up to be kept open.
    descriptor: Option<OwnedFd>,
    /// Device and inode.
    identity: Option<(u64, u64)>,
    /// How many directories it is below the root.
    depth: usize,
    /// If it had to be opened up.
    closed: Option<Closed>,
    /// While it is being listed.
    entries: Option<OwningIter>,
    /// The directories in it that are still to be looked into.
    below: Vec<OsString>,
}

/// Everything below a directory, counted at once, or what was found in [`USAGE_NS`]. See [`Count::look`].
pub(super) fn usage(root: &Path, most_bytes: u64, most_inodes: u64) -> Counted {
    let until_ns = monotonic_ns() + USAGE_NS;
    Count::default().look(root, most_bytes, most_inodes, until_ns)
}

impl Count {
    /// Counts everything below a directory, links not followed, until CLOCK_MONOTONIC is `until_ns`, but one entry at
    /// least. A count ends once it is over the most that may be there.
    pub(super) fn look(
        &mut self,
        root: &Path,
        most_bytes: u64,
        most_inodes: u64,
        until_ns: u64,
    ) -> Counted {
        if self.open.is_empty() {
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            let root = open(root, flags, Mode::empty()).ok();
            self.open.extend(root.map(|root| Directory::new(root, 0)));
        }
        while !self.open.is_empty() {
            self.step();
            if self.lost || self.used.is_over(most_bytes, most_inodes) {
                self.open.clear();
            } else if !self.open.is_empty() && monotonic_ns() > until_ns {
                return Counted {
                    used: self.used.max(self.last),
                    whole: false,
                    lost: false,
                };
            }
        }
        self.last = std::mem::take(&mut self.used);
        Counted {
            used: self.last,
            whole: true,
            lost: std::mem::take(&mut self.lost),
        }
    }

    /// Counts one entry, or goes on to the next directory.
    fn step(&mut self) {
        let Some(directory) = self.open.last_mut() else {
            return;
        };
        if directory.entries.is_some() {
            let next = directory.entries.as_mut().and_then(Iterator::next);
            self.lost = directory.listed(next, &mut self.used).is_none();
            return;
        }
        let name = directory.below.pop();
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let base = directory.descriptor.as_ref().map(AsFd::as_fd);
        let below = base
            .zip(name)
            .and_then(|(base, name)| open_below(base, Path::new(&name), flags).ok());
        let depth = directory.depth + 1;
        // Before the next one is looked into, so that a path of any depth takes two descriptors.
        let done = if directory.below.is_empty() {
            self.open.pop()
        } else {
            None
        };
        match (below, done) {
            (Some(below), _) => self.enter(Directory::new(below, depth)),
            (None, Some(done)) => self.go_back(done),
            (None, None) => {}
        }
    }

    fn enter(&mut self, directory: Directory) {
        if let Some(above) = self.open.len().checked_sub(MAX_OPEN) {
            self.open[above].leave();
        }
        self.open.push(directory);
    }

    /// Goes on with the directory above one that is done.
    fn go_back(&mut self, done: Directory) {
        if let Some(above) = self.open.last_mut()
            && above.descriptor.is_none()
        {
            self.lost = above.enter_from(done).is_none();
        }
    }
}

impl Directory {
    fn new(descriptor: OwnedFd, depth: usize) -> Directory {
        let closed = Closed::open_up(&descriptor, LISTABLE).unwrap_or(None);
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let listed = openat(&descriptor, ".", flags, Mode::empty()).and_then(Dir::from_fd);
        let mut directory = Directory {
            identity: identity(&descriptor),
            descriptor: Some(descriptor),
            depth,
            closed,
            entries: listed.ok().map(Dir::into_iter),
            below: Vec::new(),
        };
        // To open it took the right to read it; to look at what is in it takes the right to enter it alone.
        let to_enter = |closed: &Closed| closed.lacked(ENTERABLE);
        if !directory.closed.as_ref().is_some_and(to_enter) {
            directory.close();
        }
        directory
    }

    /// Closes it again, if it had to be opened up.
    fn close(&mut self) {
        if let (Some(closed), Some(descriptor)) = (self.closed.take(), &self.descriptor) {
            closed.close_again(descriptor);
        }
    }

    /// Gives the descriptor back.
    fn leave(&mut self) {
        self.close();
        self.descriptor = None;
    }

    /// Opens it again, from a directory that was found below it.
    fn enter_from(&mut self, below: Directory) -> Option<()> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut at = below.descriptor.as_ref()?.try_clone().ok()?;
        for _ in self.depth..below.depth {
            at = openat(&at, "..", flags, Mode::empty()).ok()?;
        }
        // Whoever moves directories meanwhile can make `..` lead anywhere.
        if self.identity.is_none() || identity(&at) != self.identity {
            return None;
        }
        self.closed = Closed::open_up(&at, ENTERABLE).unwrap_or(None);
        self.descriptor = Some(at);
        Some(())
    }

    /// Counts the entry that was read. `None` where reading failed: a disk that is broken, or a file server that is away,
    /// fails again at each attempt, and how much it holds back nobody knows.
    fn listed(&mut self, next: Option<nix::Result<Entry>>, used: &mut Usage) -> Option<()> {
        match next {
            Some(Ok(entry)) => self.count(entry.file_name(), used),
            Some(Err(_)) => {
                self.entries = None;
                return None;
            }
            None => self.entries = None,
        }
        Some(())
    }

    fn count(&mut self, name: &CStr, used: &mut Usage) {
        if matches!(name.to_bytes(), b"." | b"..") {
            return;
        }
        let Some(directory) = &self.descriptor else {
            return;
        };
        let Ok(stat) = fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) else {
            return;
        };
        used.add(stat.st_blocks as u64);
        if is_directory(&stat) {
            self.below
                .push(OsStr::from_bytes(name.to_bytes()).to_owned());
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.close();
    }
}

fn is_directory(stat: &FileStat) -> bool {
    stat.st_mode & libc::S_IFMT == libc::S_IFDIR
}

fn identity(directory: &OwnedFd) -> Option<(u64, u64)> {
    fstat(directory).ok().map(|stat| (stat.st_dev, stat.st_ino))
}

#[cfg(test)]
mod tests;
