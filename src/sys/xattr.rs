//! Extended attributes; nix has no wrapper.

use nix::errno::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, OwnedFd};

/// Removes all extended attributes of a file that its owner may set (listxattr(2)); a file system without any
/// is fine. The descriptor may be one of O_PATH, for which this name leads to the same inode.
pub(crate) fn remove_all(file: &OwnedFd) -> Result<(), Errno> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let path = CString::new(path).map_err(|_| Errno::EINVAL)?;
    let mut names = vec![0u8; 64 * 1024];
    // SAFETY: `path` is NUL-terminated, and the kernel writes at most `names.len()` bytes. 64 KB is the most that
    // a list can have (xattr(7)).
    let length = unsafe { libc::listxattr(path.as_ptr(), names.as_mut_ptr().cast(), names.len()) };
    let length = match Errno::result(length) {
        Err(Errno::EOPNOTSUPP) => return Ok(()),
        other => other? as usize,
    };
    for name in names[..length].split_inclusive(|byte| *byte == 0) {
        let name = CStr::from_bytes_with_nul(name).map_err(|_| Errno::EINVAL)?;
        // SAFETY: both strings are NUL-terminated.
        Errno::result(unsafe { libc::removexattr(path.as_ptr(), name.as_ptr()) })?;
    }
    Ok(())
}
