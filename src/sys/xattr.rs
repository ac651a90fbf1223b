//! Extended attributes; nix has no wrapper.

use nix::errno::Errno;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Removes all extended attributes of a file that its owner may set (llistxattr(2)); a file system without any
/// is fine.
pub fn remove_all(path: &Path) -> Result<(), Errno> {
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
    let mut names = vec![0u8; 64 * 1024];
    // SAFETY: `path` is NUL-terminated, and the kernel writes at most `names.len()` bytes. 64 KB is the most that
    // a list can have (xattr(7)).
    let length = unsafe { libc::llistxattr(path.as_ptr(), names.as_mut_ptr().cast(), names.len()) };
    let length = match Errno::result(length) {
        Err(Errno::EOPNOTSUPP) => return Ok(()),
        other => other? as usize,
    };
    for name in names[..length].split_inclusive(|byte| *byte == 0) {
        let name = CStr::from_bytes_with_nul(name).map_err(|_| Errno::EINVAL)?;
        // SAFETY: both strings are NUL-terminated.
        Errno::result(unsafe { libc::lremovexattr(path.as_ptr(), name.as_ptr()) })?;
    }
    Ok(())
}
