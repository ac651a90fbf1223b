//! The C library's functions and constants that are used here, for 64-bit Linux.

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};

pub(super) const SOL_SOCKET: c_int = 1;
pub(super) const SCM_RIGHTS: c_int = 1;
pub(super) const MSG_NOSIGNAL: c_int = 0x4000;
pub(super) const MSG_CMSG_CLOEXEC: c_int = 0x4000_0000;
pub(super) const EINTR: i32 = 4;
pub(super) const SIG_BLOCK: c_int = 0;
pub(super) const SIG_SETMASK: c_int = 2;
pub(super) const SIGCHLD: c_int = 17;
pub(super) const CLOCK_MONOTONIC: c_int = 1;
pub(super) const PR_SET_DUMPABLE: c_int = 4;
pub(super) const PR_SET_NAME: c_int = 15;
pub(super) const PR_SET_SECCOMP: c_int = 22;
pub(super) const PR_CAPBSET_DROP: c_int = 24;
pub(super) const PR_SET_CHILD_SUBREAPER: c_int = 36;
pub(super) const PR_SET_NO_NEW_PRIVS: c_int = 38;
pub(super) const PR_CAP_AMBIENT: c_int = 47;
pub(super) const PR_CAP_AMBIENT_CLEAR_ALL: c_int = 4;
pub(super) const SECCOMP_MODE_FILTER: c_int = 2;
pub(super) const SIG_DFL: usize = 0;
pub(super) const SIG_IGN: usize = 1;
pub(super) const O_CLOEXEC: c_int = 0o2000000;
pub(super) const O_NONBLOCK: c_int = 0o4000;
pub(super) const POLLIN: i16 = 1;
pub(super) const WNOHANG: c_int = 1;
pub(super) const PROT_READ: c_int = 1;
pub(super) const PROT_WRITE: c_int = 2;
pub(super) const MAP_SHARED: c_int = 1;
pub(super) const MAP_ANONYMOUS: c_int = 0x20;
pub(super) const RLIMIT_STACK: c_uint = 3;
pub(super) const EPERM: i32 = 1;
/// The same on every architecture (landlock_restrict_self(2)).
pub(super) const SYS_LANDLOCK_RESTRICT_SELF: c_long = 446;
#[cfg(target_arch = "x86_64")]
pub(super) const SYS_CAPSET: c_long = 126;
#[cfg(not(target_arch = "x86_64"))]
pub const SYS_CAPSET: c_long = 91;
#[cfg(target_arch = "x86_64")]
pub(super) const SYS_SCHED_SETATTR: c_long = 314;
#[cfg(not(target_arch = "x86_64"))]
pub const SYS_SCHED_SETATTR: c_long = 274;

#[repr(C)]
pub(super) struct IoVec {
    pub base: *mut c_void,
    pub length: usize,
}

#[repr(C)]
pub(super) struct MsgHdr {
    pub name: *mut c_void,
    pub name_length: c_uint,
    pub parts: *mut IoVec,
    pub part_count: usize,
    pub control: *mut c_void,
    pub control_length: usize,
    pub flags: c_int,
}

/// Followed by the data, aligned to 8 bytes (cmsg(3)).
#[repr(C)]
pub(super) struct CmsgHdr {
    pub length: usize,
    pub level: c_int,
    pub kind: c_int,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct TimePair {
    pub seconds: i64,
    /// Nano- or microseconds, by function.
    pub fraction: i64,
}

#[repr(C)]
#[derive(Default)]
pub(super) struct RUsage {
    pub user: TimePair,
    pub system: TimePair,
    /// In kilobytes.
    pub max_rss: i64,
    pub rest: [i64; 13],
}

#[repr(C)]
pub(super) struct RLimit {
    pub soft: u64,
    pub hard: u64,
}

#[repr(C)]
pub(super) struct SchedAttr {
    pub size: u32,
    pub policy: u32,
    pub flags: u64,
    pub nice: i32,
    pub priority: u32,
    pub runtime: u64,
    pub deadline: u64,
    pub period: u64,
}

pub(super) const PRIO_PROCESS: c_int = 0;
pub(super) const F_GETFD: c_int = 1;

#[repr(C)]
pub(super) struct PollFd {
    pub fd: c_int,
    pub events: i16,
    pub got: i16,
}

/// `struct dl_phdr_info` (dl_iterate_phdr(3)).
#[repr(C)]
pub(super) struct LoadInfo {
    pub address: usize,
    pub name: *const c_char,
    pub headers: *const c_void,
    pub header_count: u16,
    /// Libraries that the process has loaded so far.
    pub loaded: u64,
    pub unloaded: u64,
}

/// glibc's 1,024 bits.
pub(super) type SigSet = [u64; 16];

unsafe extern "C" {
    pub(super) fn sendmsg(socket: c_int, message: *const MsgHdr, flags: c_int) -> isize;
    pub(super) fn recvmsg(socket: c_int, message: *mut MsgHdr, flags: c_int) -> isize;
    pub(super) fn fork() -> c_int;
    pub(super) fn _exit(code: c_int) -> !;
    pub(super) fn exit(code: c_int) -> !;
    pub(super) fn on_exit(
        function: extern "C" fn(c_int, *mut c_void),
        argument: *mut c_void,
    ) -> c_int;
    pub(super) fn fflush(stream: *mut c_void) -> c_int;
    pub(super) fn dl_iterate_phdr(
        callback: extern "C" fn(*const LoadInfo, usize, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
    pub(super) fn explicit_bzero(bytes: *mut c_void, length: usize);
    pub(super) fn wait4(
        pid: c_int,
        status: *mut c_int,
        options: c_int,
        usage: *mut RUsage,
    ) -> c_int;
    pub(super) fn alarm(seconds: c_uint) -> c_uint;
    pub(super) fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    pub(super) fn setpriority(which: c_int, who: c_uint, nice: c_int) -> c_int;
    pub(super) fn malloc(bytes: usize) -> *mut c_void;
    pub(super) fn free(block: *mut c_void);
    pub(super) fn getpid() -> c_int;
    pub(super) fn setpgid(pid: c_int, group: c_int) -> c_int;
    pub(super) fn dup2(from: c_int, to: c_int) -> c_int;
    pub(super) fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int;
    pub(super) fn chdir(path: *const c_char) -> c_int;
    pub(super) fn prctl(option: c_int, ...) -> c_int;
    pub(super) fn syscall(number: c_long, ...) -> c_long;
    pub(super) fn getrlimit(resource: c_uint, limit: *mut RLimit) -> c_int;
    pub(super) fn setrlimit(resource: c_uint, limit: *const RLimit) -> c_int;
    pub(super) fn sigemptyset(set: *mut SigSet) -> c_int;
    pub(super) fn sigaddset(set: *mut SigSet, signal: c_int) -> c_int;
    pub(super) fn sigprocmask(how: c_int, set: *const SigSet, old: *mut SigSet) -> c_int;
    pub(super) fn clock_gettime(clock: c_int, time: *mut TimePair) -> c_int;
    pub(super) fn gettimeofday(time: *mut TimePair, zone: *mut c_void) -> c_int;
    pub(super) fn setns(namespace: c_int, kind: c_int) -> c_int;
    pub(super) fn setgroups(count: usize, groups: *const c_uint) -> c_int;
    pub(super) fn setresgid(real: c_uint, effective: c_uint, saved: c_uint) -> c_int;
    pub(super) fn setresuid(real: c_uint, effective: c_uint, saved: c_uint) -> c_int;
    pub(super) fn signal(signal: c_int, handler: usize) -> usize;
    pub(super) fn signalfd(fd: c_int, mask: *const SigSet, flags: c_int) -> c_int;
    pub(super) fn poll(fds: *mut PollFd, count: u64, timeout: c_int) -> c_int;
    pub(super) fn pipe2(ends: *mut c_int, flags: c_int) -> c_int;
    pub(super) fn close(fd: c_int) -> c_int;
    pub(super) fn read(fd: c_int, buffer: *mut c_void, length: usize) -> isize;
    pub(super) fn write(fd: c_int, buffer: *const c_void, length: usize) -> isize;
    pub(super) fn clearenv() -> c_int;
    pub(super) fn putenv(variable: *mut c_char) -> c_int;
    pub(super) fn process_vm_readv(
        pid: c_int,
        ours: *const IoVec,
        our_count: usize,
        theirs: *const IoVec,
        their_count: usize,
        flags: usize,
    ) -> isize;
    pub(super) fn munmap(address: *mut c_void, length: usize) -> c_int;
    pub(super) fn mmap(
        address: *mut c_void,
        length: usize,
        protection: c_int,
        flags: c_int,
        fd: c_int,
        offset: i64,
    ) -> *mut c_void;
}

/// The error of the last call.
pub(super) fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Whether a descriptor is open on a character device.
pub(super) fn is_device(fd: c_int) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::metadata(format!("/proc/self/fd/{fd}")).is_ok_and(|m| m.file_type().is_char_device())
}

/// CLOCK_MONOTONIC, which all processes of a machine share.
pub(super) fn monotonic_ns() -> u64 {
    let mut now = TimePair::default();
    // SAFETY: the pointer is to a live local of the layout of struct timespec.
    unsafe { clock_gettime(CLOCK_MONOTONIC, &mut now) };
    now.seconds as u64 * 1_000_000_000 + now.fraction as u64
}
