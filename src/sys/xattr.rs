//! Whether a file has extended attributes; nix has no wrapper.

use nix::errno::Errno;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whether there is any (llistxattr(2)).
pub fn any(path: &Path) -> Result<bool, Errno> {
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: `path` is NUL-terminated, and with size 0 the kernel writes nothing.
    let length = unsafe { libc::llistxattr(path.as_ptr(), std::ptr::null_mut(), 0) };
    Errno::result(length).map(|length| length > 0)
}
