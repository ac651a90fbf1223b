//! The calls that are allowed, or answered with ENOSYS, whatever their arguments are. One line per call.

use super::{Check, arg, when};
use super::{Entry, Tiers, always, within};
use libc::c_long;

/// Files and directories. Which files is Landlock's and the mounts' business, not this filter's.
#[rustfmt::skip]
pub const FILES: &[Entry] = &[
    always(libc::SYS_read, "read files, pipes, sockets"),
    always(libc::SYS_write, "write files, pipes, sockets"),
    always(libc::SYS_readv, "scattered read"),
    always(libc::SYS_writev, "gathered write; stdio uses it"),
    always(libc::SYS_pread64, "read at an offset"),
    always(libc::SYS_pwrite64, "write at an offset"),
    always(libc::SYS_preadv, "scattered read at an offset"),
    always(libc::SYS_pwritev, "gathered write at an offset"),
    always(libc::SYS_preadv2, "the same with flags"),
    always(libc::SYS_pwritev2, "the same with flags"),
    always(libc::SYS_openat, "open"),
    always(libc::SYS_openat2, "open with resolution flags"),
    always(libc::SYS_close, "close"),
    always(libc::SYS_close_range, "close many before exec"),
    always(libc::SYS_lseek, "seek"),
    always(libc::SYS_fstat, "size and type of an open file"),
    always(libc::SYS_newfstatat, "size and type of a path"),
    always(libc::SYS_statx, "the modern stat"),
    always(libc::SYS_statfs, "free space"),
    always(libc::SYS_fstatfs, "free space"),
    always(libc::SYS_getdents64, "list directories"),
    always(libc::SYS_faccessat, "access checks"),
    always(libc::SYS_faccessat2, "access checks with flags"),
    always(libc::SYS_readlinkat, "read symbolic links"),
    always(libc::SYS_getcwd, "working directory"),
    always(libc::SYS_chdir, "working directory"),
    always(libc::SYS_fchdir, "working directory"),
    always(libc::SYS_mkdirat, "make directories"),
    always(libc::SYS_unlinkat, "remove files and directories"),
    always(libc::SYS_renameat, "rename"),
    always(libc::SYS_renameat2, "rename with flags"),
    always(libc::SYS_linkat, "hard links"),
    always(libc::SYS_symlinkat, "symbolic links"),
    always(libc::SYS_truncate, "set length"),
    always(libc::SYS_ftruncate, "set length"),
    always(libc::SYS_fallocate, "reserve space"),
    always(libc::SYS_umask, "default permissions"),
    always(libc::SYS_fsync, "durability calls of databases and editors"),
    always(libc::SYS_fdatasync, "durability calls"),
    always(libc::SYS_sync_file_range, "durability calls"),
    always(libc::SYS_syncfs, "durability calls"),
    always(libc::SYS_flock, "file locks"),
    always(libc::SYS_dup, "descriptors"),
    always(libc::SYS_dup3, "descriptors"),
    always(libc::SYS_pipe2, "pipes"),
    always(libc::SYS_sendfile, "copy between descriptors"),
    always(libc::SYS_splice, "copy between descriptors"),
    always(libc::SYS_tee, "copy between pipes"),
    always(libc::SYS_copy_file_range, "cp"),
    always(libc::SYS_fadvise64, "read-ahead hints"),
    always(libc::SYS_readahead, "read-ahead hints"),
    always(libc::SYS_getxattr, "cp -a and ls read attributes"),
    always(libc::SYS_lgetxattr, "cp -a and ls read attributes"),
    always(libc::SYS_fgetxattr, "cp -a and ls read attributes"),
    always(libc::SYS_listxattr, "cp -a and ls read attributes"),
    always(libc::SYS_llistxattr, "cp -a and ls read attributes"),
    always(libc::SYS_flistxattr, "cp -a and ls read attributes"),
    within(Tiers::NamespacesOnly, always(libc::SYS_inotify_init1, "watching files: editors, test runners; it sees names that Landlock hides")),
    within(Tiers::NamespacesOnly, always(libc::SYS_inotify_add_watch, "watching files; it sees names that Landlock hides")),
    within(Tiers::NamespacesOnly, always(libc::SYS_inotify_rm_watch, "watching files; it sees names that Landlock hides")),
];

/// Mode, owner, times and attributes of files.
#[rustfmt::skip]
pub const METADATA: &[Entry] = &[
    within(Tiers::OwnFiles, always(libc::SYS_fchmod, "permissions of own files")),
    within(Tiers::OwnFiles, always(libc::SYS_fchmodat, "permissions of own files")),
    within(Tiers::OwnFiles, always(libc::SYS_fchmodat2, "permissions of own files, with flags")),
    within(Tiers::OwnFiles, always(libc::SYS_fchown, "chown to oneself, as tar and install do")),
    within(Tiers::OwnFiles, always(libc::SYS_fchownat, "chown to oneself, as tar and install do")),
    within(Tiers::OwnFiles, always(libc::SYS_utimensat, "timestamps, as touch and tar set them")),
    within(Tiers::SharedFiles, when(libc::SYS_utimensat, &[&[arg(1, Check::Null)]], "times of an open file, as touch sets them")),
];

/// Extended attributes. In the landlock tier they are not available, rather than denied, so that `cp -a` does
/// without: setting one takes the right to write to the file, but Landlock does not ask whether the sandbox has it.
#[rustfmt::skip]
pub const ATTRIBUTES: &[Entry] = &[
    within(Tiers::NamespacesOnly, always(libc::SYS_setxattr, "cp -a sets attributes of own files")),
    within(Tiers::NamespacesOnly, always(libc::SYS_lsetxattr, "cp -a sets attributes of own files")),
    within(Tiers::NamespacesOnly, always(libc::SYS_fsetxattr, "cp -a sets attributes of own files")),
    within(Tiers::NamespacesOnly, always(libc::SYS_removexattr, "attributes of own files")),
    within(Tiers::NamespacesOnly, always(libc::SYS_lremovexattr, "attributes of own files")),
    within(Tiers::NamespacesOnly, always(libc::SYS_fremovexattr, "attributes of own files")),
];

/// Metadata in calls that newer architectures no longer have.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
pub const LEGACY_METADATA: &[Entry] = &[
    within(Tiers::OwnFiles, always(libc::SYS_chmod, "permissions of own files")),
    within(Tiers::OwnFiles, always(libc::SYS_chown, "chown to oneself")),
    within(Tiers::OwnFiles, always(libc::SYS_lchown, "chown to oneself")),
    within(Tiers::OwnFiles, always(libc::SYS_utime, "timestamps")),
    within(Tiers::OwnFiles, always(libc::SYS_utimes, "timestamps")),
    within(Tiers::OwnFiles, always(libc::SYS_futimesat, "timestamps")),
];

#[cfg(not(target_arch = "x86_64"))]
pub const LEGACY_METADATA: &[Entry] = &[];

/// Memory of the process itself.
#[rustfmt::skip]
pub const MEMORY: &[Entry] = &[
    always(libc::SYS_brk, "heap"),
    always(libc::SYS_mmap, "mappings"),
    always(libc::SYS_munmap, "mappings"),
    always(libc::SYS_mremap, "realloc of large blocks"),
    always(libc::SYS_mprotect, "loaders and JITs"),
    always(libc::SYS_madvise, "allocators give memory back"),
    always(libc::SYS_msync, "mapped files"),
    always(libc::SYS_mincore, "page residency, allocators and gc"),
    always(libc::SYS_mlock, "small, by RLIMIT_MEMLOCK"),
    always(libc::SYS_mlock2, "small, by RLIMIT_MEMLOCK"),
    always(libc::SYS_munlock, "undo mlock"),
    always(libc::SYS_mlockall, "small, by RLIMIT_MEMLOCK"),
    always(libc::SYS_munlockall, "undo mlockall"),
    always(libc::SYS_pkey_alloc, "V8 guards its code space"),
    always(libc::SYS_pkey_free, "V8 guards its code space"),
    always(libc::SYS_pkey_mprotect, "V8 guards its code space"),
    always(libc::SYS_membarrier, "JITs and liburcu"),
    always(libc::SYS_get_mempolicy, "numa-aware allocators ask"),
    always(libc::SYS_set_mempolicy, "numa-aware allocators"),
    always(libc::SYS_mbind, "numa-aware allocators"),
];

/// Processes and threads. That they end with the episode, and how many there are, is seen to outside.
#[rustfmt::skip]
pub const PROCESSES: &[Entry] = &[
    always(libc::SYS_execve, "run programs"),
    always(libc::SYS_execveat, "run programs by descriptor"),
    always(libc::SYS_exit, "end of a thread"),
    always(libc::SYS_exit_group, "end of a process"),
    always(libc::SYS_wait4, "wait for children"),
    always(libc::SYS_waitid, "wait for children"),
    always(libc::SYS_getpid, "identity"),
    always(libc::SYS_getppid, "identity"),
    always(libc::SYS_gettid, "identity"),
    always(libc::SYS_getuid, "identity"),
    always(libc::SYS_geteuid, "identity"),
    always(libc::SYS_getgid, "identity"),
    always(libc::SYS_getegid, "identity"),
    always(libc::SYS_getresuid, "identity"),
    always(libc::SYS_getresgid, "identity"),
    always(libc::SYS_getgroups, "identity"),
    always(libc::SYS_setuid, "to oneself; there is no other id to change to"),
    always(libc::SYS_setgid, "to oneself"),
    always(libc::SYS_setreuid, "to oneself"),
    always(libc::SYS_setregid, "to oneself"),
    always(libc::SYS_setresuid, "to oneself"),
    always(libc::SYS_setresgid, "to oneself"),
    always(libc::SYS_setfsuid, "to oneself"),
    always(libc::SYS_setfsgid, "to oneself"),
    always(libc::SYS_getpgid, "job control"),
    always(libc::SYS_setpgid, "job control"),
    always(libc::SYS_getsid, "sessions"),
    always(libc::SYS_setsid, "daemons and job control; they die with the episode all the same"),
    always(libc::SYS_capget, "programs ask which capabilities they have: none"),
    always(libc::SYS_capset, "only to fewer than none"),
    always(libc::SYS_set_tid_address, "thread start-up"),
    always(libc::SYS_set_robust_list, "thread start-up"),
    always(libc::SYS_get_robust_list, "thread start-up"),
    always(libc::SYS_rseq, "thread start-up in glibc 2.35"),
    always(libc::SYS_futex, "locks"),
    always(libc::SYS_futex_waitv, "locks"),
    always(libc::SYS_sched_yield, "spin locks"),
    always(libc::SYS_sched_getaffinity, "nproc; thread pools size themselves by it"),
    always(libc::SYS_sched_getparam, "threads ask for their priority"),
    always(libc::SYS_sched_getscheduler, "threads ask for their priority"),
    always(libc::SYS_sched_get_priority_max, "threads ask for the range"),
    always(libc::SYS_sched_get_priority_min, "threads ask for the range"),
    always(libc::SYS_sched_rr_get_interval, "threads ask"),
    always(libc::SYS_sched_getattr, "threads ask"),
    always(libc::SYS_getrusage, "time and memory used"),
    always(libc::SYS_times, "time used"),
    always(libc::SYS_getrlimit, "own limits"),
    always(libc::SYS_setrlimit, "own limits, only downwards"),
    always(libc::SYS_getpriority, "nice values"),
    always(libc::SYS_ioprio_get, "nice values"),
    always(libc::SYS_getcpu, "current core"),
    always(libc::SYS_uname, "kernel and host name; the sandbox's own"),
    always(libc::SYS_sysinfo, "memory and uptime; free and thread pools ask"),
    always(libc::SYS_getrandom, "random numbers"),
    always(libc::SYS_pidfd_open, "wait for a child by descriptor, as asyncio does"),
    always(libc::SYS_pidfd_send_signal, "signal a child by descriptor"),
];

/// Landlock itself: the zygote's children restrict themselves with it, and a program may restrict itself further.
#[rustfmt::skip]
pub const LANDLOCK: &[Entry] = &[
    always(libc::SYS_landlock_create_ruleset, "it can only take away"),
    always(libc::SYS_landlock_add_rule, "it can only take away"),
    always(libc::SYS_landlock_restrict_self, "it can only take away"),
];

/// Signals. The PID namespace or Landlock's scope bounds whom they reach.
#[rustfmt::skip]
pub const SIGNALS: &[Entry] = &[
    always(libc::SYS_rt_sigaction, "handlers"),
    always(libc::SYS_rt_sigprocmask, "masks"),
    always(libc::SYS_rt_sigreturn, "return from a handler"),
    always(libc::SYS_rt_sigsuspend, "wait for a signal"),
    always(libc::SYS_rt_sigpending, "wait for a signal"),
    always(libc::SYS_rt_sigtimedwait, "wait for a signal"),
    always(libc::SYS_rt_sigqueueinfo, "signals with a value"),
    always(libc::SYS_rt_tgsigqueueinfo, "signals with a value"),
    always(libc::SYS_sigaltstack, "stack overflow handlers"),
    always(libc::SYS_kill, "signals"),
    always(libc::SYS_tkill, "raise() of old libcs"),
    always(libc::SYS_tgkill, "raise()"),
    always(libc::SYS_signalfd4, "event loops"),
    always(libc::SYS_restart_syscall, "the kernel itself restarts sleeps with it"),
];

/// Clocks and timers, read and waited for but never set.
#[rustfmt::skip]
pub const TIME: &[Entry] = &[
    always(libc::SYS_clock_gettime, "the time"),
    always(libc::SYS_clock_getres, "the time"),
    always(libc::SYS_gettimeofday, "the time"),
    always(libc::SYS_nanosleep, "sleep"),
    always(libc::SYS_clock_nanosleep, "sleep"),
    always(libc::SYS_timer_create, "POSIX timers"),
    always(libc::SYS_timer_settime, "POSIX timers"),
    always(libc::SYS_timer_gettime, "POSIX timers"),
    always(libc::SYS_timer_getoverrun, "POSIX timers"),
    always(libc::SYS_timer_delete, "POSIX timers"),
    always(libc::SYS_timerfd_create, "event loops"),
    always(libc::SYS_timerfd_settime, "event loops"),
    always(libc::SYS_timerfd_gettime, "event loops"),
    always(libc::SYS_getitimer, "interval timers"),
    always(libc::SYS_setitimer, "interval timers, as Python's signal.setitimer"),
];

/// Waiting for many descriptors.
#[rustfmt::skip]
pub const EVENTS: &[Entry] = &[
    always(libc::SYS_ppoll, "event loops"),
    always(libc::SYS_pselect6, "event loops"),
    always(libc::SYS_epoll_create1, "event loops"),
    always(libc::SYS_epoll_ctl, "event loops"),
    always(libc::SYS_epoll_pwait, "event loops"),
    always(libc::SYS_epoll_pwait2, "event loops"),
    always(libc::SYS_eventfd2, "wake-ups between threads"),
];

/// Sockets already made. Which kinds can be made is in CONDITIONAL.
#[rustfmt::skip]
pub const SOCKETS: &[Entry] = &[
    always(libc::SYS_sendto, "socket I/O"),
    always(libc::SYS_recvfrom, "socket I/O"),
    always(libc::SYS_sendmsg, "socket I/O and descriptors"),
    always(libc::SYS_recvmsg, "socket I/O and descriptors"),
    always(libc::SYS_sendmmsg, "socket I/O"),
    always(libc::SYS_recvmmsg, "socket I/O"),
    always(libc::SYS_shutdown, "socket I/O"),
    always(libc::SYS_getsockname, "socket names"),
    always(libc::SYS_getpeername, "socket names"),
    always(libc::SYS_getsockopt, "options"),
    always(libc::SYS_setsockopt, "options"),
];

/// System V IPC: only where the slot has an IPC namespace of its own.
#[rustfmt::skip]
pub const SYSTEM_V: &[Entry] = &[
    within(Tiers::NamespacesOnly, always(libc::SYS_shmget, "shared memory: databases, MPI")),
    within(Tiers::NamespacesOnly, always(libc::SYS_shmat, "shared memory")),
    within(Tiers::NamespacesOnly, always(libc::SYS_shmdt, "shared memory")),
    within(Tiers::NamespacesOnly, always(libc::SYS_shmctl, "shared memory")),
    within(Tiers::NamespacesOnly, always(libc::SYS_semget, "semaphores")),
    within(Tiers::NamespacesOnly, always(libc::SYS_semop, "semaphores")),
    within(Tiers::NamespacesOnly, always(libc::SYS_semtimedop, "semaphores")),
    within(Tiers::NamespacesOnly, always(libc::SYS_semctl, "semaphores")),
    within(Tiers::NamespacesOnly, always(libc::SYS_msgget, "message queues")),
    within(Tiers::NamespacesOnly, always(libc::SYS_msgsnd, "message queues")),
    within(Tiers::NamespacesOnly, always(libc::SYS_msgrcv, "message queues")),
    within(Tiers::NamespacesOnly, always(libc::SYS_msgctl, "message queues")),
];

/// Calls that newer architectures no longer have; libraries still make them on this one.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
pub const LEGACY: &[Entry] = &[
    always(libc::SYS_open, "open, without a directory descriptor"),
    always(libc::SYS_stat, "stat of a path"),
    always(libc::SYS_lstat, "stat of a link"),
    always(libc::SYS_access, "access checks"),
    always(libc::SYS_readlink, "read symbolic links"),
    always(libc::SYS_mkdir, "make directories"),
    always(libc::SYS_rmdir, "remove directories"),
    always(libc::SYS_unlink, "remove files"),
    always(libc::SYS_rename, "rename"),
    always(libc::SYS_link, "hard links"),
    always(libc::SYS_symlink, "symbolic links"),
    always(libc::SYS_creat, "open for writing"),
    always(libc::SYS_getdents, "list directories"),
    always(libc::SYS_dup2, "descriptors"),
    always(libc::SYS_pipe, "pipes"),
    always(libc::SYS_fork, "new process"),
    always(libc::SYS_vfork, "new process"),
    always(libc::SYS_getpgrp, "job control"),
    always(libc::SYS_alarm, "timers"),
    always(libc::SYS_pause, "wait for a signal"),
    always(libc::SYS_time, "the time"),
    always(libc::SYS_poll, "event loops"),
    always(libc::SYS_select, "event loops"),
    always(libc::SYS_epoll_create, "event loops"),
    always(libc::SYS_epoll_wait, "event loops"),
    always(libc::SYS_eventfd, "wake-ups between threads"),
    always(libc::SYS_signalfd, "event loops"),
    within(Tiers::NamespacesOnly, always(libc::SYS_inotify_init, "watching files; it sees names that Landlock hides")),
    always(libc::SYS_arch_prctl, "thread-local storage; glibc's start-up"),
];
#[cfg(not(target_arch = "x86_64"))]
pub const LEGACY: &[Entry] = &[];

/// Calls that answer ENOSYS, so that callers fall back, each with the fallback.
pub const UNAVAILABLE: &[(c_long, &str)] = &[
    (
        libc::SYS_clone3,
        "its flags are in memory, which a filter can't see; libcs fall back to clone",
    ),
    (libc::SYS_io_uring_setup, "event loops fall back to epoll"),
    (libc::SYS_io_uring_enter, "event loops fall back to epoll"),
    (
        libc::SYS_io_uring_register,
        "event loops fall back to epoll",
    ),
    (
        libc::SYS_memfd_create,
        "memory that no process has mapped; programs fall back to temporary files",
    ),
    (
        libc::SYS_vmsplice,
        "a pipe keeps pages that are unmapped, all of a huge page for one byte: memory that no limit would see",
    ),
    (libc::SYS_memfd_secret, "memory that no limit would see"),
    (libc::SYS_mq_open, "POSIX message queues are not offered"),
    (libc::SYS_io_setup, "asynchronous I/O falls back to threads"),
    (libc::SYS_process_madvise, "allocators fall back to madvise"),
    (libc::SYS_mseal, "glibc goes on without sealing"),
];
