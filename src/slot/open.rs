//! Opens what an episode may have put links in the way of: never outside of a directory, and never in another mount
//! (openat2(2)).

use crate::sys::mode::set_mode;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2, readlink};
use nix::sys::stat::{Mode, fstat};
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The longest path that can be opened at once (path_resolution(7)).
const MAX_PATH: usize = 4095;

/// Opens a path below a directory, of any length. No link is followed, at any component; a link itself can be opened,
/// with O_PATH.
pub fn open_below(base: BorrowedFd<'_>, path: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
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

/// Opens a file for reading whose program may have closed it to itself, and so to us where we have its uid: it is open for
/// that moment.
pub fn open_file(
    open: impl Fn(OFlag) -> Result<OwnedFd, Errno>,
    flags: OFlag,
) -> Result<OwnedFd, Errno> {
    let opened = open(flags);
    if !matches!(opened, Err(Errno::EACCES)) {
        return opened;
    }
    let found = open(OFlag::O_PATH)?;
    let mode = fstat(&found)?.st_mode;
    if mode & libc::S_IFMT != libc::S_IFREG {
        return opened;
    }
    open_up(&found, libc::S_IRUSR)?;
    let opened = open(flags);
    change_mode(&found, mode & 0o7777)?;
    opened
}

/// The path of what was opened, without links.
pub fn real_path(found: &OwnedFd) -> Result<PathBuf, Errno> {
    readlink(format!("/proc/self/fd/{}", found.as_raw_fd()).as_str()).map(PathBuf::from)
}

/// Adds to the mode of what was opened, where it lacks it. Never by a path, which could be somebody else's meanwhile.
pub fn open_up(found: &OwnedFd, needed: u32) -> Result<(), Errno> {
    let mode = fstat(found)?.st_mode & 0o7777;
    if mode & needed != needed {
        change_mode(found, mode | needed)?;
    }
    Ok(())
}

fn change_mode(found: &OwnedFd, mode: u32) -> Result<(), Errno> {
    set_mode(found, mode).map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)))
}

/// Opens a path below a directory that is `/` to it: links lead to places below that too. No magic link of /proc is
/// followed.
pub fn open_in_root(
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
    let path = match path.as_os_str().is_empty() {
        true => Path::new("."),
        false => path,
    };
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .mode(Mode::from_bits_truncate(mode))
        .resolve(resolve | ResolveFlag::RESOLVE_NO_XDEV);
    openat2(base, path, how)
}
