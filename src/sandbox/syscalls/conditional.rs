//! The calls that are allowed for some arguments only, apart from sockets and from those whose argument is an option.

use super::cost::Cost::{File, Nothing, Process, Signal, SystemV};
use super::{Argument, Case, Check, Entry, Tiers, always, arg, when, within};

/// Bits of clone(2) that make a namespace, or a sibling: a child of the zygote, which would never wait for it.
const FORBIDDEN_CLONE_FLAGS: u32 = (libc::CLONE_PARENT
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

/// One process, in ioprio_set(2).
const IOPRIO_WHO_PROCESS: u32 = 1;
/// The query form of personality(2).
const QUERY: u32 = 0xffff_ffff;
/// This process, where a call takes a pid or a uid.
const ONESELF: Check = Check::Is(0);

/// The bits of futex(2)'s operation that say which it is, without those that say how.
const FUTEX_OPERATION: u32 = !((libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME) as u32);

const fn futex(operations: Check) -> [Argument; 1] {
    [arg(1, operations)]
}

const fn file_type(kind: u32) -> Check {
    Check::Masked(libc::S_IFMT, kind)
}

macro_rules! nodes {
    ($index:literal) => {
        &[
            Case {
                checks: &[arg($index, file_type(libc::S_IFIFO))],
                reason: "named pipes",
            },
            Case {
                checks: &[arg($index, file_type(libc::S_IFREG))],
                reason: "files",
            },
            Case {
                checks: &[arg($index, file_type(libc::S_IFSOCK))],
                reason: "names of sockets; never device nodes",
            },
            Case {
                checks: &[arg($index, file_type(0))],
                reason: "files",
            },
        ]
    };
}

#[rustfmt::skip]
pub(super) const CONDITIONAL: &[Entry] = &[
    #[cfg(target_arch = "x86_64")]
    when(libc::SYS_mknod, File, nodes!(1)),
    when(libc::SYS_mknodat, File, nodes!(2)),
    when(libc::SYS_futex, Nothing, &[
        Case { checks: &futex(Check::Masked(FUTEX_OPERATION & !7, 0)), reason: "locks; those that hand their priority on, too" },
        Case { checks: &futex(Check::Masked(FUTEX_OPERATION & !1, 8)), reason: "not taking one, waiting and waking by bits" },
        Case { checks: &futex(Check::Masked(FUTEX_OPERATION, 10)), reason: "waking by bits" },
        Case { checks: &futex(Check::Masked(FUTEX_OPERATION, 13)), reason: "a lock with a time of the monotonic clock; no moving of waiters to a lock that hands its priority on (11, 12): no C library does it, and its locking has been wrong" },
    ]),
    when(libc::SYS_timer_create, Signal, &[
        Case { checks: &[arg(0, Check::Masked(!1, 0))], reason: "POSIX timers by the real or the monotonic clock" },
        Case { checks: &[arg(0, Check::Is(libc::CLOCK_BOOTTIME as u32))], reason: "the same, with times of sleep" },
        Case { checks: &[arg(0, Check::Is(libc::CLOCK_TAI as u32))], reason: "without leap seconds; not by CPU time, for which setitimer does: exec has left timers of that kind behind" },
    ]),
    when(libc::SYS_clone, Process, &[
        Case { checks: &[arg(0, Check::NoneOf(FORBIDDEN_CLONE_FLAGS))], reason: "processes and threads, in the same namespaces" },
    ]),
    when(libc::SYS_personality, Nothing, &[
        Case { checks: &[arg(0, Check::Is(QUERY))], reason: "asking" },
        Case { checks: &[arg(0, Check::Is(0))], reason: "what it is already; not turning ASLR off" },
    ]),
    when(libc::SYS_prlimit64, Nothing, &[
        Case { checks: &[arg(0, ONESELF)], reason: "own limits, only downwards; never another process's" },
    ]),
    within(Tiers::NamespacesOnly, when(libc::SYS_shmget, SystemV, &[
        Case { checks: &[arg(2, Check::NoneOf(libc::SHM_HUGETLB as u32))], reason: "shared memory: databases, MPI; not from the host's pool of huge pages" },
    ])),
    within(Tiers::NamespacesOnly, always(libc::SYS_setpriority, Nothing, "nice; the PID namespace bounds whom it reaches")),
    within(Tiers::LandlockOnly, when(libc::SYS_setpriority, Nothing, &[
        Case { checks: &[arg(0, Check::Is(libc::PRIO_PROCESS)), arg(1, ONESELF)], reason: "nice of oneself" },
    ])),
    within(Tiers::NamespacesOnly, always(libc::SYS_sched_setaffinity, Nothing, "thread pools pin their threads; the PID namespace bounds whom it reaches")),
    within(Tiers::LandlockOnly, when(libc::SYS_sched_setaffinity, Nothing, &[
        Case { checks: &[arg(0, ONESELF)], reason: "thread pools pin their threads; only oneself" },
    ])),
    within(Tiers::NamespacesOnly, always(libc::SYS_sched_setscheduler, Nothing, "SCHED_BATCH and SCHED_IDLE; real time needs a capability")),
    within(Tiers::LandlockOnly, when(libc::SYS_sched_setscheduler, Nothing, &[
        Case { checks: &[arg(0, ONESELF)], reason: "SCHED_BATCH and SCHED_IDLE of oneself" },
    ])),
    within(Tiers::NamespacesOnly, always(libc::SYS_sched_setparam, Nothing, "priorities; real time needs a capability")),
    within(Tiers::NamespacesOnly, always(libc::SYS_sched_setattr, Nothing, "priorities; real time needs a capability")),
    within(Tiers::LandlockOnly, when(libc::SYS_sched_setattr, Nothing, &[
        Case { checks: &[arg(0, ONESELF)], reason: "time slice and priority of oneself" },
    ])),
    within(Tiers::NamespacesOnly, always(libc::SYS_ioprio_set, Nothing, "ionice; the PID namespace bounds whom it reaches")),
    within(Tiers::LandlockOnly, when(libc::SYS_ioprio_set, Nothing, &[
        Case { checks: &[arg(0, Check::Is(IOPRIO_WHO_PROCESS)), arg(1, ONESELF)], reason: "ionice of oneself; a higher class needs a capability" },
    ])),
];
