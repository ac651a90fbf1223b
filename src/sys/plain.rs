//! Opening host paths that were checked before.
//!
//! Between the check of a path and its use, an episode that may write to a granted directory could put a link
//! into the path. Checked paths are canonical: whoever opens them through a link opens something else.

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use std::os::fd::OwnedFd;
use std::path::Path;

/// Opens a canonical path; ELOOP if any component of it has become a link (openat2(2), Linux 5.6).
pub(crate) fn open_plain(path: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    openat2(AT_FDCWD, path, how)
}
