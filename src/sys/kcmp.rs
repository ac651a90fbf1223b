//! kcmp(2), which nix lacks.

/// `KCMP_VM` of <linux/kcmp.h>.
const KCMP_VM: libc::c_int = 1;

/// Whether two processes share one address space, as between vfork and exec. False where the kernel does not
/// tell (no CONFIG_KCMP, a process that is gone or forbids inspection).
pub(crate) fn share_memory(one: i32, other: i32) -> bool {
    // SAFETY: kcmp takes numbers only and changes nothing.
    unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_VM, 0, 0) == 0 }
}

/// `KCMP_FILES` of <linux/kcmp.h>.
const KCMP_FILES: libc::c_int = 2;

/// Whether two threads have tables of descriptors that differ. False where the kernel does not tell.
pub(crate) fn have_separate_files(one: i32, other: i32) -> bool {
    // SAFETY: kcmp takes numbers only and changes nothing.
    unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_FILES, 0, 0) > 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_shares_memory_with_itself_and_not_with_its_parent() {
        let (own, parent) = (nix::unistd::getpid(), nix::unistd::getppid());
        assert!(share_memory(own.as_raw(), own.as_raw()));
        assert!(!share_memory(own.as_raw(), parent.as_raw()));
    }
}
