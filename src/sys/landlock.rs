//! Landlock where the landlock crate has no part: which one the kernel offers, and a ruleset that is a descriptor only.

use nix::errno::Errno;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `LANDLOCK_CREATE_RULESET_VERSION` of <linux/landlock.h>.
const VERSION: libc::c_uint = 1;

/// The kernel's Landlock ABI, 1 or more (landlock_create_ruleset(2), Linux 5.13). ENOSYS: not built into the
/// kernel, or a seccomp filter hides it; EOPNOTSUPP: built in, but not among the security modules at boot.
pub(crate) fn abi() -> Result<u32, Errno> {
    // SAFETY: with the version flag the kernel reads no memory: it insists on a null pointer and a size of 0.
    let abi = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0_usize,
            VERSION,
        )
    };
    Errno::result(abi).map(|abi| abi as u32)
}

/// Enforces a ruleset on this process and all that it forks from now on. One system call, fit for a forked child; needs
/// `no_new_privs` (landlock_restrict_self(2)).
pub(crate) fn restrict_self(ruleset: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: the kernel takes two integers; the borrow keeps the descriptor open through the call.
    let done = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) };
    Errno::result(done).map(drop)
}
