//! What nix lacks of mounts that are made before they are attached (mount_setattr(2), open_tree(2), move_mount(2)); Linux 5.12.

use nix::errno::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What a bind mount is restricted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MountAttributes {
    pub read_only: bool,
    pub no_devices: bool,
}

/// Restricts a mount and everything mounted below it; set-uid bits never count (Linux 5.12).
pub(crate) fn restrict(path: &Path, attributes: MountAttributes) -> Result<(), Errno> {
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
    set_attributes(libc::AT_FDCWD, &path, libc::AT_RECURSIVE, attributes)
}

/// A copy of what is mounted at a file or directory and below it, which is nowhere yet.
pub(crate) fn copy_of(source: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    let flags = flags | (libc::AT_RECURSIVE | libc::AT_EMPTY_PATH) as u32;
    // SAFETY: the path is NUL-terminated; the others are numbers.
    let result =
        unsafe { libc::syscall(libc::SYS_open_tree, source.as_raw_fd(), c"".as_ptr(), flags) };
    let fd = Errno::result(result)? as i32;
    // SAFETY: the kernel has just made it, for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// [`restrict`] for such a copy.
pub(crate) fn restrict_copy(copy: &OwnedFd, attributes: MountAttributes) -> Result<(), Errno> {
    let flags = libc::AT_RECURSIVE | libc::AT_EMPTY_PATH;
    set_attributes(copy.as_raw_fd(), c"", flags, attributes)
}

/// Attaches such a copy to a file or directory, whatever leads there by now.
pub(crate) fn attach(copy: &OwnedFd, target: &OwnedFd) -> Result<(), Errno> {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: both paths are NUL-terminated; the others are numbers.
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            copy.as_raw_fd(),
            c"".as_ptr(),
            target.as_raw_fd(),
            c"".as_ptr(),
            flags,
        )
    };
    Errno::result(result).map(drop)
}

fn set_attributes(
    directory: i32,
    path: &CStr,
    flags: i32,
    attributes: MountAttributes,
) -> Result<(), Errno> {
    let mut set = libc::MOUNT_ATTR_NOSUID;
    if attributes.read_only {
        set |= libc::MOUNT_ATTR_RDONLY;
    }
    if attributes.no_devices {
        set |= libc::MOUNT_ATTR_NODEV;
    }
    let attr = libc::mount_attr {
        attr_set: set,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: `path` is NUL-terminated, and `attr` lives through the call and is as long as the size says.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            directory,
            path.as_ptr(),
            flags,
            &attr as *const libc::mount_attr,
            size_of::<libc::mount_attr>(),
        )
    };
    Errno::result(result).map(drop)
}
