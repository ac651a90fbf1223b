//! mount_setattr(2), which nix lacks.

use nix::errno::Errno;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What a bind mount is restricted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MountAttributes {
    pub read_only: bool,
    pub no_devices: bool,
}

/// Restricts a mount and everything mounted below it; set-uid bits never count (Linux 5.12).
pub fn restrict(path: &Path, attributes: MountAttributes) -> Result<(), Errno> {
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
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
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_RECURSIVE,
            &attr as *const libc::mount_attr,
            size_of::<libc::mount_attr>(),
        )
    };
    Errno::result(result).map(drop)
}
