//! The mode of a directory that an untrusted program may swap for something else at any moment: changed through a
//! descriptor that was opened without following links, never by a path.

use std::fs::{Permissions, set_permissions};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;

/// Sets the mode of what a descriptor is open on, O_PATH included. fchmod(2) refuses descriptors that were opened
/// without the right to read; this name leads to the same inode.
pub(crate) fn set_mode(file: &OwnedFd, mode: u32) -> std::io::Result<()> {
    let descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
    set_permissions(descriptor, Permissions::from_mode(mode))
}
