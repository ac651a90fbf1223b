//! Calls that are not done but answered, each group with one answer that programs know what to do with.

use super::cost::Cost::Nothing;
use super::{Case, Check, Entry, Tiers, always, arg, when, within};

const CORE: Check = Check::Is(libc::RLIMIT_CORE);

const fn option(name: i32) -> [super::Argument; 2] {
    [
        arg(1, Check::Is(libc::SOL_SOCKET as u32)),
        arg(2, Check::Is(name as u32)),
    ]
}

/// Calls that succeed without having an effect: programs ask for what they have already (no core dumps), for more than
/// they can have, which the kernel too would give them less of, or for what concerns the host alone; and some give up
/// when they are refused.
#[rustfmt::skip]
pub(super) const PRETENDED: &[Entry] = &[
    when(libc::SYS_setrlimit, Nothing, &[
        Case { checks: &[arg(0, CORE)], reason: "0 would start the host's handler for crashes, which the limit of 1 does not; gpg and sanitizers insist" },
    ]),
    when(libc::SYS_prlimit64, Nothing, &[
        Case { checks: &[arg(0, Check::Is(0)), arg(1, CORE), arg(2, Check::NotNull)], reason: "the same, of oneself; asking is allowed" },
    ]),
    when(libc::SYS_setsockopt, Nothing, &[
        Case { checks: &option(libc::SO_SNDBUF), reason: "buffers stay as large as the kernel makes them: what is in them belongs to no process" },
        Case { checks: &option(libc::SO_RCVBUF), reason: "the same" },
    ]),
    when(libc::SYS_prctl, Nothing, &[
        Case { checks: &[arg(0, Check::Is(libc::PR_SET_VMA as u32))], reason: "names of mappings are memory that nobody is charged for; allocators name theirs" },
    ]),
    always(libc::SYS_mbind, Nothing, "where pages are to be is kept for each page of a shared object, for as long as that: memory that nobody is charged for"),
    always(libc::SYS_fadvise64, Nothing, "advice about files of the host would move them out of its cache"),
    always(libc::SYS_sync, Nothing, "would write out all file systems of the host"),
    always(libc::SYS_syncfs, Nothing, "would write out a file system of the host"),
];

/// Calls that answer ENOSYS, as on an older kernel, so that callers fall back, each with the fallback.
#[rustfmt::skip]
pub(super) const UNAVAILABLE: &[Entry] = &[
    always(libc::SYS_clone3, Nothing, "its flags are in memory, which a filter can't see; libcs fall back to clone"),
    always(libc::SYS_io_uring_setup, Nothing, "event loops fall back to epoll"),
    always(libc::SYS_io_uring_enter, Nothing, "event loops fall back to epoll"),
    always(libc::SYS_io_uring_register, Nothing, "event loops fall back to epoll"),
    always(libc::SYS_memfd_create, Nothing, "memory that no process has mapped; programs fall back to temporary files"),
    always(libc::SYS_vmsplice, Nothing, "a pipe keeps pages that are unmapped, all of a huge page for one byte: memory that no limit would see"),
    always(libc::SYS_memfd_secret, Nothing, "memory that no limit would see"),
    always(libc::SYS_mq_open, Nothing, "POSIX message queues are not offered"),
    always(libc::SYS_io_setup, Nothing, "asynchronous I/O falls back to threads"),
    always(libc::SYS_process_madvise, Nothing, "allocators fall back to madvise"),
    always(libc::SYS_mseal, Nothing, "glibc goes on without sealing"),
    always(libc::SYS_landlock_create_ruleset, Nothing, "rules are memory that no limit sees; programs go on without restricting themselves further"),
    always(libc::SYS_landlock_add_rule, Nothing, "the same"),
    always(libc::SYS_futex_waitv, Nothing, "callers fall back to futex"),
];

/// Calls that answer EINVAL, as for files that the kernel can't do it with, so that callers fall back to read and write.
/// A page that was moved by reference stays as long as the pipe or socket holds a byte of it, with all of its folio,
/// and belongs to no process and no file by then. It is also how Dirty Pipe and its kind write to files.
#[rustfmt::skip]
pub(super) const INVALID: &[Entry] = &[
    always(libc::SYS_splice, Nothing, "pages in pipes are memory that no limit would see; programs read and write"),
    always(libc::SYS_tee, Nothing, "the same"),
    always(libc::SYS_sendfile, Nothing, "pages in pipes and sockets are memory that no limit would see; programs read and write"),
];

/// Calls that answer EOPNOTSUPP. fallocate as on a file system that can't, so that libcs write instead: it takes any amount of a
/// disk at once, where a limit is watched. Those of extended attributes as on one without, so that `cp -a` and `tar` do without.
/// An ACL on tmpfs is memory that no limit sees, and Landlock does not ask whether the sandbox may write to the file.
/// Where the user's own files are within reach, attributes are not read either: Landlock does not cover it.
#[rustfmt::skip]
pub(super) const UNSUPPORTED: &[Entry] = &[
    within(Tiers::LandlockOnly, always(libc::SYS_fallocate, Nothing, "posix_fallocate writes instead")),
    always(libc::SYS_setxattr, Nothing, "cp -a sets attributes"),
    always(libc::SYS_lsetxattr, Nothing, "cp -a sets attributes"),
    always(libc::SYS_fsetxattr, Nothing, "cp -a sets attributes"),
    always(libc::SYS_removexattr, Nothing, "there is none to remove"),
    always(libc::SYS_lremovexattr, Nothing, "there is none to remove"),
    always(libc::SYS_fremovexattr, Nothing, "there is none to remove"),
    within(Tiers::SharedFiles, always(libc::SYS_getxattr, Nothing, "cp -a and ls read attributes")),
    within(Tiers::SharedFiles, always(libc::SYS_lgetxattr, Nothing, "cp -a and ls read attributes")),
    within(Tiers::SharedFiles, always(libc::SYS_fgetxattr, Nothing, "cp -a and ls read attributes")),
    within(Tiers::SharedFiles, always(libc::SYS_listxattr, Nothing, "cp -a and ls read attributes")),
    within(Tiers::SharedFiles, always(libc::SYS_llistxattr, Nothing, "cp -a and ls read attributes")),
    within(Tiers::SharedFiles, always(libc::SYS_flistxattr, Nothing, "cp -a and ls read attributes")),
];
