//! Which Landlock the kernel offers, before anything is built on it.

use nix::errno::Errno;

/// `LANDLOCK_CREATE_RULESET_VERSION` of <linux/landlock.h>.
const VERSION: libc::c_uint = 1;

/// The kernel's Landlock ABI, 1 or more (landlock_create_ruleset(2), Linux 5.13). ENOSYS: not built into the
/// kernel, or a seccomp filter hides it; EOPNOTSUPP: built in, but not among the security modules at boot.
pub fn abi() -> Result<u32, Errno> {
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
