//! Opens what an episode may have put links in the way of: never outside of a directory, and never in another mount
//! (openat2(2)).
//!
//! What a program closed to itself (mode 000) is closed to us too where we have its uid. It is opened up for as long as it
//! takes, and closed again, unless its mode is another one by then: the program has set that, and it stays.

use crate::spec::paths::MAX_PATH;
use crate::sys::mode::set_mode;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{Mode, SFlag, fstat};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

/// To read a file. Not blocking: what was a file when it was found may be a pipe.
pub(super) const READ: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_NOCTTY);

/// What has to be allowed to list a directory and to look at what is in it.
pub(super) const LISTABLE: u32 = 0o500;
/// What of it has to be allowed for the second.
pub(super) const ENTERABLE: u32 = 0o100;

/// What `st_blocks` counts (inode(7)).
pub(super) const BLOCK_BYTES: u64 = 512;

/// Whether it is a file, a directory, a link or something else.
pub(super) fn kind(found: &OwnedFd) -> Result<SFlag, Errno> {
    Ok(SFlag::from_bits_truncate(fstat(found)?.st_mode) & SFlag::S_IFMT)
}

/// Opens a path below a directory, of any length. No link is followed, at any component; a link itself can be opened,
/// with O_PATH.
pub(super) fn open_below(
    base: BorrowedFd<'_>,
    path: &Path,
    flags: OFlag,
) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
    let open = |base: BorrowedFd<'_>, path: &[u8], flags| {
        let path = Path::new(OsStr::from_bytes(path));
        open(base, path, flags | OFlag::O_NOFOLLOW, 0, resolve)
    };
    let mut rest = path.as_os_str().as_bytes();
    let mut above: Option<OwnedFd> = None;
    loop {
        let at = above.as_ref().map_or(base, AsFd::as_fd);
        if rest.len() <= MAX_PATH {
            return open(at, rest, flags);
        }
        let end = memchr::memrchr(b'/', &rest[..=MAX_PATH]).ok_or(Errno::ENAMETOOLONG)?;
        let next = open(at, &rest[..end], OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        above = Some(next);
        rest = &rest[end + 1..];
    }
}

/// As [`open_below`], where directories on the way may be closed. Each is open while the next one is opened, so a path of
/// any depth takes two descriptors.
pub(super) fn open_below_closed(
    base: BorrowedFd<'_>,
    path: &Path,
    flags: OFlag,
) -> Result<OwnedFd, Errno> {
    match open_below(base, path, flags) {
        Err(Errno::EACCES) => {}
        opened => return opened,
    }
    let mut names = path.components().filter(|c| *c != Component::CurDir);
    let last = names.next_back().ok_or(Errno::EACCES)?;
    let mut at = open_below(base, Path::new(""), OFlag::O_PATH)?;
    for name in names {
        at = open_in_closed(&at, name.as_ref(), OFlag::O_PATH)?;
        if kind(&at)? == SFlag::S_IFLNK {
            return Err(Errno::ELOOP);
        }
    }
    open_in_closed(&at, last.as_ref(), flags)
}

/// Opens what is in a directory that may be closed.
pub(super) fn open_in_closed(
    directory: &OwnedFd,
    name: &Path,
    flags: OFlag,
) -> Result<OwnedFd, Errno> {
    let open = || open_below(directory.as_fd(), name, flags);
    match open() {
        Err(Errno::EACCES) => while_open(directory, ENTERABLE, open),
        opened => opened,
    }
}

/// Opens a file for reading that may be closed.
pub(super) fn open_file(
    open: impl Fn(OFlag) -> Result<OwnedFd, Errno>,
    flags: OFlag,
) -> Result<OwnedFd, Errno> {
    let opened = open(flags);
    if !matches!(opened, Err(Errno::EACCES)) {
        return opened;
    }
    let found = open(OFlag::O_PATH)?;
    match kind(&found)? {
        SFlag::S_IFREG => while_open(&found, libc::S_IRUSR, || open(flags)),
        _ => opened,
    }
}

/// Opens a directory for listing that may be closed.
pub(super) fn open_directory(
    open: impl Fn(OFlag) -> Result<OwnedFd, Errno>,
) -> Result<OwnedFd, Errno> {
    match open(OFlag::O_RDONLY | OFlag::O_DIRECTORY) {
        Err(Errno::EACCES) => {}
        opened => return opened,
    }
    let found = open(OFlag::O_PATH | OFlag::O_DIRECTORY)?;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    while_open(&found, LISTABLE, || {
        open_below(found.as_fd(), Path::new(""), flags)
    })
}

/// Does what needs these modes, with what was found opened up for that.
fn while_open<T>(
    found: &OwnedFd,
    needed: u32,
    act: impl FnOnce() -> Result<T, Errno>,
) -> Result<T, Errno> {
    let closed = Closed::open_up(found, needed)?;
    let done = act();
    if let Some(closed) = closed {
        closed.close_again(found);
    }
    done
}

/// The mode of what was opened up, and the one that it has meanwhile.
#[derive(Debug)]
pub(super) struct Closed {
    own: u32,
    meanwhile: u32,
}

impl Closed {
    /// Adds to the mode of what was found, where it lacks it. Never by a path, which could be somebody else's meanwhile.
    pub(super) fn open_up(found: &OwnedFd, needed: u32) -> Result<Option<Closed>, Errno> {
        let own = mode_of(found)?;
        if own & needed == needed {
            return Ok(None);
        }
        let meanwhile = own | needed;
        change_mode(found, meanwhile)?;
        Ok(Some(Closed { own, meanwhile }))
    }

    /// Whether it lacked this before.
    pub(super) fn lacked(&self, needed: u32) -> bool {
        self.own & needed != needed
    }

    pub(super) fn close_again(self, found: &OwnedFd) {
        if mode_of(found) == Ok(self.meanwhile) {
            // What can't be closed any more is gone, or not ours any more.
            let _ = change_mode(found, self.own);
        }
    }
}

fn mode_of(found: &OwnedFd) -> Result<u32, Errno> {
    Ok(fstat(found)?.st_mode & 0o7777)
}

fn change_mode(found: &OwnedFd, mode: u32) -> Result<(), Errno> {
    set_mode(found, mode).map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)))
}

/// Opens a path below a directory that is `/` to it: links lead to places below that too. No magic link of /proc is
/// followed.
pub(super) fn open_in_root(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: OFlag,
    mode: u32,
) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    open(root, path, flags, mode, resolve)
}

/// An empty path is the directory itself.
fn open(
    base: BorrowedFd<'_>,
    path: &Path,
    flags: OFlag,
    mode: u32,
    resolve: ResolveFlag,
) -> Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .mode(Mode::from_bits_truncate(mode))
        .resolve(resolve | ResolveFlag::RESOLVE_NO_XDEV);
    openat2(base, path, how)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_was_opened_up_is_closed_again_unless_its_program_has_set_another_mode() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let set = |mode| set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
        let mode = || fs::metadata(file.path()).unwrap().permissions().mode() & 0o7777;
        let found = OwnedFd::from(file.reopen().unwrap());
        set(0o020);
        while_open(&found, libc::S_IRUSR, || {
            assert_eq!(mode(), 0o420);
            Ok(())
        })
        .unwrap();
        assert_eq!(mode(), 0o020);
        while_open(&found, libc::S_IRUSR, || {
            set(0o777);
            Ok(())
        })
        .unwrap();
        assert_eq!(mode(), 0o777, "that is the program's own");
    }
}
