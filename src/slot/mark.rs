//! What one of the slot's own directories or links was when it was clean.

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fstat};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// One of our own directories or links.
pub(super) struct Mark {
    pub path: PathBuf,
    /// Open on what was there when the sandbox was built: looked at after every episode, and a path takes the kernel three
    /// times as long. If something else is in its place now, the directory that it was in has changed.
    pub place: OwnedFd,
    pub clean: State,
}

/// What it was when it was last known to be clean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub inode: u64,
    pub mode: u32,
    /// Any change of the directory or its entries moves it (inode(7)).
    pub changed: (i64, i64),
    /// Most file systems never make a directory smaller again.
    pub blocks: u64,
}

impl Mark {
    pub(super) fn new(path: &Path) -> std::io::Result<Mark> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let place = open(path, flags, Mode::empty())?;
        Ok(Mark {
            path: path.to_owned(),
            clean: State::of(&place)?,
            place,
        })
    }

    /// Whether nothing about it has changed.
    pub(super) fn holds(&self) -> bool {
        State::of(&self.place).is_ok_and(|now| now == self.clean)
    }
}

impl State {
    pub(super) fn of(place: &OwnedFd) -> Result<State, Errno> {
        let found = fstat(place)?;
        Ok(State {
            inode: found.st_ino,
            mode: found.st_mode & 0o7777,
            changed: (found.st_ctime, found.st_ctime_nsec),
            blocks: found.st_blocks as u64,
        })
    }
}
