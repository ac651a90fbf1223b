//! The calls that are allowed whatever their arguments are: one line per call, with what it costs and what it is for.

use super::cost::Cost::*;
use super::{Case, Check, Entry, Tiers, always, arg, when, within};

/// Files and directories. Which files is Landlock's and the mounts' business, not this filter's.
#[rustfmt::skip]
pub(super) const FILES: &[Entry] = &[
    always(libc::SYS_read, Cache, "read files, pipes, sockets"),
    always(libc::SYS_write, File, "write files, pipes, sockets"),
    always(libc::SYS_readv, Cache, "scattered read"),
    always(libc::SYS_writev, File, "gathered write; stdio uses it"),
    always(libc::SYS_pread64, Cache, "read at an offset"),
    always(libc::SYS_pwrite64, File, "write at an offset"),
    always(libc::SYS_preadv, Cache, "scattered read at an offset"),
    always(libc::SYS_pwritev, File, "gathered write at an offset"),
    always(libc::SYS_preadv2, Cache, "the same with flags"),
    always(libc::SYS_pwritev2, File, "the same with flags"),
    always(libc::SYS_openat, Descriptor, "open"),
    always(libc::SYS_openat2, Descriptor, "open with resolution flags"),
    always(libc::SYS_close, Nothing, "close"),
    always(libc::SYS_close_range, Nothing, "close many before exec"),
    always(libc::SYS_lseek, Nothing, "seek"),
    always(libc::SYS_fstat, Nothing, "size and type of an open file"),
    always(libc::SYS_newfstatat, Cache, "size and type of a path"),
    always(libc::SYS_statx, Cache, "the modern stat"),
    always(libc::SYS_statfs, Nothing, "free space"),
    always(libc::SYS_fstatfs, Nothing, "free space"),
    always(libc::SYS_getdents64, Cache, "list directories"),
    always(libc::SYS_faccessat, Cache, "access checks"),
    always(libc::SYS_faccessat2, Cache, "access checks with flags"),
    always(libc::SYS_readlinkat, Cache, "read symbolic links"),
    always(libc::SYS_getcwd, Nothing, "working directory"),
    always(libc::SYS_chdir, Cache, "working directory"),
    always(libc::SYS_fchdir, Nothing, "working directory"),
    always(libc::SYS_mkdirat, File, "make directories"),
    always(libc::SYS_unlinkat, Nothing, "remove files and directories"),
    always(libc::SYS_renameat, File, "rename"),
    always(libc::SYS_renameat2, File, "rename with flags"),
    always(libc::SYS_linkat, File, "hard links"),
    always(libc::SYS_symlinkat, File, "symbolic links"),
    always(libc::SYS_truncate, File, "set length"),
    always(libc::SYS_ftruncate, File, "set length"),
    within(Tiers::NamespacesOnly, always(libc::SYS_fallocate, File, "reserve space")),
    always(libc::SYS_umask, Nothing, "default permissions"),
    always(libc::SYS_fsync, Nothing, "durability calls of databases and editors; what there is to write, disk_mb bounds"),
    always(libc::SYS_fdatasync, Nothing, "durability calls"),
    always(libc::SYS_sync_file_range, Nothing, "durability calls"),
    always(libc::SYS_flock, FileLock, "file locks"),
    always(libc::SYS_dup, Descriptor, "descriptors"),
    always(libc::SYS_dup3, Descriptor, "descriptors"),
    always(libc::SYS_pipe2, Pipe, "pipes"),
    always(libc::SYS_copy_file_range, File, "cp"),
    always(libc::SYS_readahead, Cache, "read-ahead hints"),
    within(Tiers::NamespacesOnly, always(libc::SYS_inotify_init1, Descriptor, "watching files: editors, test runners; it sees names that Landlock hides")),
    within(Tiers::NamespacesOnly, always(libc::SYS_inotify_add_watch, Watch, "watching files; it sees names that Landlock hides")),
    within(Tiers::NamespacesOnly, always(libc::SYS_inotify_rm_watch, Nothing, "watching files; it sees names that Landlock hides")),
];

/// Mode, owner, times and attributes of files.
#[rustfmt::skip]
pub(super) const METADATA: &[Entry] = &[
    within(Tiers::OwnFiles, always(libc::SYS_fchmod, Nothing, "permissions of own files")),
    within(Tiers::OwnFiles, always(libc::SYS_fchmodat, Nothing, "permissions of own files")),
    within(Tiers::OwnFiles, always(libc::SYS_fchmodat2, Nothing, "permissions of own files, with flags")),
    within(Tiers::OwnFiles, always(libc::SYS_fchown, Nothing, "chown to oneself, as tar and install do")),
    within(Tiers::OwnFiles, always(libc::SYS_fchownat, Nothing, "chown to oneself, as tar and install do")),
    within(Tiers::OwnFiles, always(libc::SYS_utimensat, Nothing, "timestamps, as touch and tar set them")),
    within(Tiers::SharedFiles, when(libc::SYS_utimensat, Nothing, &[Case { checks: &[arg(1, Check::Null)], reason: "times of an open file, as touch sets them" }])),
];

/// Reading extended attributes. Setting them is in [`UNSUPPORTED`](super::answered::UNSUPPORTED).
#[rustfmt::skip]
pub(super) const ATTRIBUTES: &[Entry] = &[
    within(Tiers::OwnFiles, always(libc::SYS_getxattr, Nothing, "cp -a and ls read attributes")),
    within(Tiers::OwnFiles, always(libc::SYS_lgetxattr, Nothing, "cp -a and ls read attributes")),
    within(Tiers::OwnFiles, always(libc::SYS_fgetxattr, Nothing, "cp -a and ls read attributes")),
    within(Tiers::OwnFiles, always(libc::SYS_listxattr, Nothing, "cp -a and ls read attributes")),
    within(Tiers::OwnFiles, always(libc::SYS_llistxattr, Nothing, "cp -a and ls read attributes")),
    within(Tiers::OwnFiles, always(libc::SYS_flistxattr, Nothing, "cp -a and ls read attributes")),
];

/// Metadata in calls that newer architectures no longer have.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
pub(super) const LEGACY_METADATA: &[Entry] = &[
    within(Tiers::OwnFiles, always(libc::SYS_chmod, Nothing, "permissions of own files")),
    within(Tiers::OwnFiles, always(libc::SYS_chown, Nothing, "chown to oneself")),
    within(Tiers::OwnFiles, always(libc::SYS_lchown, Nothing, "chown to oneself")),
    within(Tiers::OwnFiles, always(libc::SYS_utime, Nothing, "timestamps")),
    within(Tiers::OwnFiles, always(libc::SYS_utimes, Nothing, "timestamps")),
    within(Tiers::OwnFiles, always(libc::SYS_futimesat, Nothing, "timestamps")),
];

#[cfg(not(target_arch = "x86_64"))]
pub const LEGACY_METADATA: &[Entry] = &[];

/// Memory of the process itself.
#[rustfmt::skip]
pub(super) const MEMORY: &[Entry] = &[
    always(libc::SYS_brk, Memory, "heap"),
    always(libc::SYS_mmap, Mapping, "mappings"),
    always(libc::SYS_munmap, Mapping, "mappings"),
    always(libc::SYS_mremap, Mapping, "realloc of large blocks"),
    always(libc::SYS_mprotect, Mapping, "loaders and JITs"),
    always(libc::SYS_madvise, Mapping, "allocators give memory back"),
    always(libc::SYS_msync, Nothing, "mapped files"),
    always(libc::SYS_mincore, Nothing, "page residency, allocators and gc"),
    always(libc::SYS_mlock, Locked, "small, by RLIMIT_MEMLOCK"),
    always(libc::SYS_mlock2, Locked, "small, by RLIMIT_MEMLOCK"),
    always(libc::SYS_munlock, Nothing, "undo mlock"),
    always(libc::SYS_mlockall, Locked, "small, by RLIMIT_MEMLOCK"),
    always(libc::SYS_munlockall, Nothing, "undo mlockall"),
    always(libc::SYS_pkey_alloc, Nothing, "V8 guards its code space"),
    always(libc::SYS_pkey_free, Nothing, "V8 guards its code space"),
    always(libc::SYS_pkey_mprotect, Mapping, "V8 guards its code space"),
    always(libc::SYS_membarrier, Nothing, "JITs and liburcu; interrupts the cores that run the process, for some microseconds"),
    always(libc::SYS_get_mempolicy, Nothing, "numa-aware allocators ask"),
    always(libc::SYS_set_mempolicy, Mapping, "numa-aware allocators"),
];

/// Processes and threads. That they end with the episode, and how many there are, is seen to outside.
#[rustfmt::skip]
pub(super) const PROCESSES: &[Entry] = &[
    always(libc::SYS_execve, Cache, "run programs"),
    always(libc::SYS_execveat, Cache, "run programs by descriptor"),
    always(libc::SYS_exit, Nothing, "end of a thread"),
    always(libc::SYS_exit_group, Nothing, "end of a process"),
    always(libc::SYS_wait4, Nothing, "wait for children"),
    always(libc::SYS_waitid, Nothing, "wait for children"),
    always(libc::SYS_getpid, Nothing, "identity"),
    always(libc::SYS_getppid, Nothing, "identity"),
    always(libc::SYS_gettid, Nothing, "identity"),
    always(libc::SYS_getuid, Nothing, "identity"),
    always(libc::SYS_geteuid, Nothing, "identity"),
    always(libc::SYS_getgid, Nothing, "identity"),
    always(libc::SYS_getegid, Nothing, "identity"),
    always(libc::SYS_getresuid, Nothing, "identity"),
    always(libc::SYS_getresgid, Nothing, "identity"),
    always(libc::SYS_getgroups, Nothing, "identity"),
    always(libc::SYS_setuid, Nothing, "to oneself; there is no other id to change to"),
    always(libc::SYS_setgid, Nothing, "to oneself"),
    always(libc::SYS_setreuid, Nothing, "to oneself"),
    always(libc::SYS_setregid, Nothing, "to oneself"),
    always(libc::SYS_setresuid, Nothing, "to oneself"),
    always(libc::SYS_setresgid, Nothing, "to oneself"),
    always(libc::SYS_setfsuid, Nothing, "to oneself"),
    always(libc::SYS_setfsgid, Nothing, "to oneself"),
    always(libc::SYS_getpgid, Nothing, "job control"),
    always(libc::SYS_setpgid, Nothing, "job control"),
    always(libc::SYS_getsid, Nothing, "sessions"),
    always(libc::SYS_setsid, Process, "daemons and job control; they die with the episode all the same"),
    always(libc::SYS_capget, Nothing, "programs ask which capabilities they have: none"),
    always(libc::SYS_capset, Nothing, "only to fewer than none"),
    always(libc::SYS_set_tid_address, Nothing, "thread start-up"),
    always(libc::SYS_set_robust_list, Nothing, "thread start-up"),
    always(libc::SYS_get_robust_list, Nothing, "thread start-up"),
    always(libc::SYS_rseq, Nothing, "thread start-up in glibc 2.35"),
    always(libc::SYS_sched_yield, Nothing, "spin locks"),
    always(libc::SYS_sched_getaffinity, Nothing, "nproc; thread pools size themselves by it"),
    always(libc::SYS_sched_getparam, Nothing, "threads ask for their priority"),
    always(libc::SYS_sched_getscheduler, Nothing, "threads ask for their priority"),
    always(libc::SYS_sched_get_priority_max, Nothing, "threads ask for the range"),
    always(libc::SYS_sched_get_priority_min, Nothing, "threads ask for the range"),
    always(libc::SYS_sched_rr_get_interval, Nothing, "threads ask"),
    always(libc::SYS_sched_getattr, Nothing, "threads ask"),
    always(libc::SYS_getrusage, Nothing, "time and memory used"),
    always(libc::SYS_times, Nothing, "time used"),
    always(libc::SYS_getrlimit, Nothing, "own limits"),
    always(libc::SYS_setrlimit, Nothing, "own limits, only downwards"),
    always(libc::SYS_getpriority, Nothing, "nice values"),
    always(libc::SYS_ioprio_get, Nothing, "nice values"),
    always(libc::SYS_getcpu, Nothing, "current core"),
    always(libc::SYS_uname, Nothing, "kernel and host name; the sandbox's own"),
    always(libc::SYS_sysinfo, Nothing, "memory and uptime; free and thread pools ask"),
    always(libc::SYS_getrandom, Nothing, "random numbers"),
    always(libc::SYS_pidfd_open, Descriptor, "wait for a child by descriptor, as asyncio does"),
    always(libc::SYS_pidfd_send_signal, Signal, "signal a child by descriptor"),
];

/// Landlock itself, as far as children of the zygote restrict themselves with a ruleset that they are given.
#[rustfmt::skip]
pub(super) const LANDLOCK: &[Entry] = &[
    always(libc::SYS_landlock_restrict_self, Nothing, "it can only take away; a program can't make a ruleset, and gets none"),
];

/// Signals. The PID namespace or Landlock's scope bounds whom they reach.
#[rustfmt::skip]
pub(super) const SIGNALS: &[Entry] = &[
    always(libc::SYS_rt_sigaction, Nothing, "handlers"),
    always(libc::SYS_rt_sigprocmask, Nothing, "masks"),
    always(libc::SYS_rt_sigreturn, Nothing, "return from a handler"),
    always(libc::SYS_rt_sigsuspend, Nothing, "wait for a signal"),
    always(libc::SYS_rt_sigpending, Nothing, "wait for a signal"),
    always(libc::SYS_rt_sigtimedwait, Nothing, "wait for a signal"),
    always(libc::SYS_rt_sigqueueinfo, Signal, "signals with a value"),
    always(libc::SYS_rt_tgsigqueueinfo, Signal, "signals with a value"),
    always(libc::SYS_sigaltstack, Nothing, "stack overflow handlers"),
    always(libc::SYS_kill, Signal, "signals"),
    always(libc::SYS_tkill, Signal, "raise() of old libcs"),
    always(libc::SYS_tgkill, Signal, "raise()"),
    always(libc::SYS_signalfd4, Descriptor, "event loops"),
    always(libc::SYS_restart_syscall, Nothing, "the kernel itself restarts sleeps with it"),
];

/// Clocks and timers, read and waited for but never set.
#[rustfmt::skip]
pub(super) const TIME: &[Entry] = &[
    always(libc::SYS_clock_gettime, Nothing, "the time"),
    always(libc::SYS_clock_getres, Nothing, "the time"),
    always(libc::SYS_gettimeofday, Nothing, "the time"),
    always(libc::SYS_nanosleep, Nothing, "sleep"),
    always(libc::SYS_clock_nanosleep, Nothing, "sleep"),
    always(libc::SYS_timer_settime, Nothing, "POSIX timers"),
    always(libc::SYS_timer_gettime, Nothing, "POSIX timers"),
    always(libc::SYS_timer_getoverrun, Nothing, "POSIX timers"),
    always(libc::SYS_timer_delete, Nothing, "POSIX timers"),
    always(libc::SYS_timerfd_create, Descriptor, "event loops"),
    always(libc::SYS_timerfd_settime, Nothing, "event loops"),
    always(libc::SYS_timerfd_gettime, Nothing, "event loops"),
    always(libc::SYS_getitimer, Nothing, "interval timers"),
    always(libc::SYS_setitimer, Nothing, "interval timers, as Python's signal.setitimer"),
];

/// Waiting for many descriptors.
#[rustfmt::skip]
pub(super) const EVENTS: &[Entry] = &[
    always(libc::SYS_ppoll, Nothing, "event loops"),
    always(libc::SYS_pselect6, Nothing, "event loops"),
    always(libc::SYS_epoll_create1, Descriptor, "event loops"),
    always(libc::SYS_epoll_ctl, Watch, "event loops"),
    always(libc::SYS_epoll_pwait, Nothing, "event loops"),
    always(libc::SYS_epoll_pwait2, Nothing, "event loops"),
    always(libc::SYS_eventfd2, Descriptor, "wake-ups between threads"),
];

/// Sockets already made. Which kinds can be made, and their options, are in `sockets` and `options`.
#[rustfmt::skip]
pub(super) const SOCKETS: &[Entry] = &[
    always(libc::SYS_sendto, Socket, "socket I/O"),
    always(libc::SYS_recvfrom, Nothing, "socket I/O"),
    always(libc::SYS_sendmsg, Socket, "socket I/O and descriptors"),
    always(libc::SYS_recvmsg, Descriptor, "socket I/O and descriptors"),
    always(libc::SYS_sendmmsg, Socket, "socket I/O"),
    always(libc::SYS_recvmmsg, Descriptor, "socket I/O and descriptors"),
    always(libc::SYS_shutdown, Nothing, "socket I/O"),
    always(libc::SYS_getsockname, Nothing, "socket names"),
    always(libc::SYS_getpeername, Nothing, "socket names"),
];

/// System V IPC: only where the slot has an IPC namespace of its own.
#[rustfmt::skip]
pub(super) const SYSTEM_V: &[Entry] = &[
    within(Tiers::NamespacesOnly, always(libc::SYS_shmat, SystemV, "shared memory")),
    within(Tiers::NamespacesOnly, always(libc::SYS_shmdt, Nothing, "shared memory")),
    within(Tiers::NamespacesOnly, always(libc::SYS_shmctl, Nothing, "shared memory")),
    within(Tiers::NamespacesOnly, when(libc::SYS_semget, SystemV, &[
        Case { checks: &[arg(1, Check::NoneOf(!255))], reason: "sets of up to 255: at its end each process goes through all of every set that it may undo" },
    ])),
    within(Tiers::NamespacesOnly, always(libc::SYS_semop, SystemV, "semaphores")),
    within(Tiers::NamespacesOnly, always(libc::SYS_semtimedop, SystemV, "semaphores")),
    within(Tiers::NamespacesOnly, always(libc::SYS_semctl, Nothing, "semaphores")),
    within(Tiers::NamespacesOnly, always(libc::SYS_msgget, SystemV, "message queues")),
    within(Tiers::NamespacesOnly, always(libc::SYS_msgsnd, SystemV, "message queues")),
    within(Tiers::NamespacesOnly, always(libc::SYS_msgrcv, Nothing, "message queues")),
    within(Tiers::NamespacesOnly, always(libc::SYS_msgctl, Nothing, "message queues")),
];

/// Calls that newer architectures no longer have; libraries still make them on this one.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
pub(super) const LEGACY: &[Entry] = &[
    always(libc::SYS_open, Descriptor, "open, without a directory descriptor"),
    always(libc::SYS_stat, Cache, "stat of a path"),
    always(libc::SYS_lstat, Cache, "stat of a link"),
    always(libc::SYS_access, Cache, "access checks"),
    always(libc::SYS_readlink, Cache, "read symbolic links"),
    always(libc::SYS_mkdir, File, "make directories"),
    always(libc::SYS_rmdir, Nothing, "remove directories"),
    always(libc::SYS_unlink, Nothing, "remove files"),
    always(libc::SYS_rename, File, "rename"),
    always(libc::SYS_link, File, "hard links"),
    always(libc::SYS_symlink, File, "symbolic links"),
    always(libc::SYS_creat, File, "open for writing"),
    always(libc::SYS_getdents, Cache, "list directories"),
    always(libc::SYS_dup2, Descriptor, "descriptors"),
    always(libc::SYS_pipe, Pipe, "pipes"),
    always(libc::SYS_fork, Process, "new process"),
    always(libc::SYS_vfork, Process, "new process"),
    always(libc::SYS_getpgrp, Nothing, "job control"),
    always(libc::SYS_alarm, Nothing, "timers"),
    always(libc::SYS_pause, Nothing, "wait for a signal"),
    always(libc::SYS_time, Nothing, "the time"),
    always(libc::SYS_poll, Nothing, "event loops"),
    always(libc::SYS_select, Nothing, "event loops"),
    always(libc::SYS_epoll_create, Descriptor, "event loops"),
    always(libc::SYS_epoll_wait, Nothing, "event loops"),
    always(libc::SYS_eventfd, Descriptor, "wake-ups between threads"),
    always(libc::SYS_signalfd, Descriptor, "event loops"),
    within(Tiers::NamespacesOnly, always(libc::SYS_inotify_init, Descriptor, "watching files; it sees names that Landlock hides")),
    always(libc::SYS_arch_prctl, Nothing, "thread-local storage; glibc's start-up"),
];
#[cfg(not(target_arch = "x86_64"))]
pub const LEGACY: &[Entry] = &[];
