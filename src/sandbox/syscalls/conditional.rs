//! The calls that are allowed for some arguments only.

use super::{Argument, Check, Entry, Tiers, always, arg, when, within};

/// Bits of clone(2) that make a namespace, or a sibling: a child of the zygote, which would never wait for it.
const FORBIDDEN_CLONE_FLAGS: u32 = (libc::CLONE_PARENT
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

const UNIX: u32 = libc::AF_UNIX as u32;
/// The query form of personality(2).
const QUERY: u32 = 0xffff_ffff;

const fn prctl(option: i32) -> Argument {
    arg(0, Check::Is(option as u32))
}

const fn file_type(kind: u32) -> Check {
    Check::Masked(libc::S_IFMT, kind)
}

/// Calls that are allowed for some arguments only.
pub const CONDITIONAL: &[Entry] = &[
    #[cfg(target_arch = "x86_64")]
    when(
        libc::SYS_mknod,
        &[
            &[arg(1, file_type(libc::S_IFIFO))],
            &[arg(1, file_type(libc::S_IFREG))],
            &[arg(1, file_type(libc::S_IFSOCK))],
            &[arg(1, file_type(0))],
        ],
        "named pipes; never device nodes",
    ),
    when(
        libc::SYS_clone,
        &[&[arg(0, Check::NoneOf(FORBIDDEN_CLONE_FLAGS))]],
        "processes and threads, in the same namespaces",
    ),
    when(
        libc::SYS_ioctl,
        &[&[
            arg(1, Check::Not(libc::TIOCSTI as u32)),
            arg(1, Check::Not(libc::TIOCLINUX as u32)),
            arg(1, Check::Not(libc::TIOCSETD as u32)),
            arg(1, Check::Not(libc::TIOCCONS as u32)),
        ]],
        "terminals and file sizes; never typing into a terminal (TIOCSTI, TIOCLINUX) or changing its discipline",
    ),
    when(
        libc::SYS_prctl,
        &[
            &[prctl(libc::PR_SET_NAME)],
            &[prctl(libc::PR_GET_NAME)],
            &[prctl(libc::PR_SET_PDEATHSIG)],
            &[prctl(libc::PR_GET_PDEATHSIG)],
            &[prctl(libc::PR_SET_CHILD_SUBREAPER)],
            &[prctl(libc::PR_GET_CHILD_SUBREAPER)],
            &[prctl(libc::PR_GET_DUMPABLE)],
            &[prctl(libc::PR_SET_DUMPABLE)],
            &[prctl(libc::PR_GET_NO_NEW_PRIVS)],
            &[prctl(libc::PR_SET_NO_NEW_PRIVS)],
            &[prctl(libc::PR_GET_SECCOMP)],
            &[prctl(libc::PR_CAPBSET_READ)],
            &[prctl(libc::PR_GET_KEEPCAPS)],
            &[prctl(libc::PR_GET_SECUREBITS)],
            &[prctl(libc::PR_CAP_AMBIENT)],
            &[prctl(libc::PR_SET_TIMERSLACK)],
            &[prctl(libc::PR_GET_TIMERSLACK)],
            &[prctl(libc::PR_SET_THP_DISABLE)],
            &[prctl(libc::PR_GET_THP_DISABLE)],
            &[prctl(libc::PR_GET_SPECULATION_CTRL)],
            &[prctl(libc::PR_SET_VMA)],
        ],
        "names, parent death, questions about oneself; not PR_SET_MM, PR_SET_PTRACER, PR_SET_SECCOMP",
    ),
    when(
        libc::SYS_personality,
        &[&[arg(0, Check::Is(QUERY))], &[arg(0, Check::Is(0))]],
        "asking; not turning ASLR off",
    ),
    when(
        libc::SYS_prlimit64,
        &[&[arg(0, Check::Is(0))]],
        "own limits, only downwards; never another process's",
    ),
    when(
        libc::SYS_socketpair,
        &[&[arg(0, Check::Is(UNIX))]],
        "pipes in both directions: asyncio, multiprocessing",
    ),
    when(
        libc::SYS_mknodat,
        &[
            &[arg(2, file_type(libc::S_IFIFO))],
            &[arg(2, file_type(libc::S_IFREG))],
            &[arg(2, file_type(libc::S_IFSOCK))],
            &[arg(2, file_type(0))],
        ],
        "named pipes; never device nodes",
    ),
    within(
        Tiers::NamespacesOnly,
        when(
            libc::SYS_socket,
            &[&[arg(0, Check::Is(UNIX))]],
            "Unix sockets, within the private root; no other family",
        ),
    ),
    within(
        Tiers::NamespacesOnly,
        always(
            libc::SYS_connect,
            "Unix sockets inside the episode: tmux, multiprocessing",
        ),
    ),
    within(
        Tiers::NamespacesOnly,
        always(libc::SYS_bind, "Unix sockets inside the episode"),
    ),
    within(
        Tiers::NamespacesOnly,
        always(libc::SYS_listen, "Unix sockets inside the episode"),
    ),
    within(
        Tiers::NamespacesOnly,
        always(libc::SYS_accept, "Unix sockets inside the episode"),
    ),
    within(
        Tiers::NamespacesOnly,
        always(libc::SYS_accept4, "Unix sockets inside the episode"),
    ),
    within(
        Tiers::NamespacesOnly,
        always(
            libc::SYS_setpriority,
            "nice; the PID namespace bounds whom it reaches",
        ),
    ),
    within(
        Tiers::LandlockOnly,
        when(
            libc::SYS_setpriority,
            &[&[arg(0, Check::Is(0)), arg(1, Check::Is(0))]],
            "nice of oneself",
        ),
    ),
    within(
        Tiers::NamespacesOnly,
        always(
            libc::SYS_sched_setaffinity,
            "thread pools pin their threads; the PID namespace bounds whom it reaches",
        ),
    ),
    within(
        Tiers::LandlockOnly,
        when(
            libc::SYS_sched_setaffinity,
            &[&[arg(0, Check::Is(0))]],
            "thread pools pin their threads; only oneself",
        ),
    ),
    within(
        Tiers::NamespacesOnly,
        always(
            libc::SYS_sched_setscheduler,
            "SCHED_BATCH and SCHED_IDLE; real time needs a capability",
        ),
    ),
    within(
        Tiers::LandlockOnly,
        when(
            libc::SYS_sched_setscheduler,
            &[&[arg(0, Check::Is(0))]],
            "SCHED_BATCH and SCHED_IDLE of oneself",
        ),
    ),
    within(
        Tiers::NamespacesOnly,
        always(
            libc::SYS_sched_setparam,
            "priorities; real time needs a capability",
        ),
    ),
    within(
        Tiers::NamespacesOnly,
        always(
            libc::SYS_sched_setattr,
            "priorities; real time needs a capability",
        ),
    ),
    within(
        Tiers::LandlockOnly,
        when(
            libc::SYS_sched_setattr,
            &[&[arg(0, Check::Is(0))]],
            "time slice and priority of oneself",
        ),
    ),
    within(
        Tiers::NamespacesOnly,
        always(
            libc::SYS_ioprio_set,
            "ionice; the PID namespace bounds whom it reaches",
        ),
    ),
];
