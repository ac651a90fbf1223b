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
/// One process, in ioprio_set(2).
const IOPRIO_WHO_PROCESS: u32 = 1;
/// The query form of personality(2).
const QUERY: u32 = 0xffff_ffff;

/// The byte of an ioctl's number that says what it is for: 0x54 terminals and pipes, 0x89 sockets.
const IOCTL_KIND: u32 = 0xff00;
/// Numbers of <linux/fs.h> and <linux/fiemap.h> that libc lacks or has only for some targets.
const FIGETBSZ: u32 = 2;
const FIDEDUPERANGE: u32 = 0xc018_9436;
const FS_IOC_GETFLAGS: u32 = 0x8008_6601;
const FS_IOC_FSGETXATTR: u32 = 0x801c_581f;
const FS_IOC_FIEMAP: u32 = 0xc020_660b;

const CORE: Check = Check::Is(libc::RLIMIT_CORE);

/// Calls that are allowed otherwise, and succeed for these arguments without having an effect: programs that ask for
/// what they have already (no core dumps), and give up when they are refused, as gpg and sanitizers do; and those that
/// ask for more than they can have, which the kernel too would give them less of.
pub const PRETENDED: &[Entry] = &[
    when(
        libc::SYS_setrlimit,
        &[&[arg(0, CORE)]],
        "0 would start the host's handler for crashes, which the limit of 1 does not",
    ),
    when(
        libc::SYS_prlimit64,
        &[&[arg(1, CORE), arg(2, Check::NotNull)]],
        "the same; asking is allowed",
    ),
    when(
        libc::SYS_setsockopt,
        &[
            &socket_option(libc::SO_SNDBUF),
            &socket_option(libc::SO_RCVBUF),
        ],
        "buffers stay as large as the kernel makes them: what is in them belongs to no process",
    ),
];

const fn socket_option(name: i32) -> [Argument; 2] {
    [
        arg(1, Check::Is(libc::SOL_SOCKET as u32)),
        arg(2, Check::Is(name as u32)),
    ]
}

const fn prctl(option: i32) -> Argument {
    arg(0, Check::Is(option as u32))
}

const fn file_type(kind: u32) -> Check {
    Check::Masked(libc::S_IFMT, kind)
}

const UNIX_FAMILY: Argument = arg(0, Check::Is(UNIX));
const UNIX_SOCKET: [Argument; 1] = [UNIX_FAMILY];

/// A socket's type without its flags (SOCK_CLOEXEC, SOCK_NONBLOCK), socket(2).
const fn socket_type(kind: i32) -> Argument {
    arg(1, Check::Masked(0xf, kind as u32))
}

const fn inet(family: i32, kind: i32, protocol: i32) -> [Argument; 3] {
    [
        arg(0, Check::Is(family as u32)),
        socket_type(kind),
        arg(2, Check::Is(protocol as u32)),
    ]
}

const TCP: [Argument; 3] = inet(libc::AF_INET, libc::SOCK_STREAM, 0);
const TCP_BY_NAME: [Argument; 3] = inet(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_TCP);
const UDP: [Argument; 3] = inet(libc::AF_INET, libc::SOCK_DGRAM, 0);
const UDP_BY_NAME: [Argument; 3] = inet(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_UDP);
const TCP6: [Argument; 3] = inet(libc::AF_INET6, libc::SOCK_STREAM, 0);
const TCP6_BY_NAME: [Argument; 3] = inet(libc::AF_INET6, libc::SOCK_STREAM, libc::IPPROTO_TCP);
const UDP6: [Argument; 3] = inet(libc::AF_INET6, libc::SOCK_DGRAM, 0);
const UDP6_BY_NAME: [Argument; 3] = inet(libc::AF_INET6, libc::SOCK_DGRAM, libc::IPPROTO_UDP);

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
        &[
            &[
                arg(1, Check::Masked(IOCTL_KIND, 0x5400)),
                arg(1, Check::Not(libc::TIOCSTI as u32)),
                arg(1, Check::Not(libc::TIOCLINUX as u32)),
                arg(1, Check::Not(libc::TIOCSETD as u32)),
                arg(1, Check::Not(libc::TIOCCONS as u32)),
            ],
            &[arg(1, Check::Masked(IOCTL_KIND, 0x8900))],
            &[arg(1, Check::Is(libc::FICLONE as u32))],
            &[arg(1, Check::Is(libc::FICLONERANGE as u32))],
            &[arg(1, Check::Is(FIDEDUPERANGE))],
            &[arg(1, Check::Is(FS_IOC_GETFLAGS))],
            &[arg(1, Check::Is(FS_IOC_FSGETXATTR))],
            &[arg(1, Check::Is(FS_IOC_FIEMAP))],
            &[arg(1, Check::Is(FIGETBSZ))],
        ],
        "terminals, pipes and sockets, copies that share blocks, questions about files; never typing into a terminal (TIOCSTI, TIOCLINUX), changing its discipline, or the flags of a file, which need no right to write to it",
    ),
    when(
        libc::SYS_fcntl,
        &[&[
            arg(1, Check::Not(libc::F_SETLEASE as u32)),
            arg(1, Check::Not(libc::F_NOTIFY as u32)),
        ]],
        "descriptor flags and file locks; never leases, which hold up everybody else who opens the file",
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
    within(
        Tiers::NamespacesOnly,
        when(
            libc::SYS_socketpair,
            &[&UNIX_SOCKET],
            "pipes in both directions: asyncio, multiprocessing",
        ),
    ),
    within(
        Tiers::LandlockOnly,
        when(
            libc::SYS_socketpair,
            &[
                &[UNIX_FAMILY, socket_type(libc::SOCK_STREAM)],
                &[UNIX_FAMILY, socket_type(libc::SOCK_SEQPACKET)],
            ],
            "pipes in both directions; a datagram socket could be sent from to any socket of the host by its path",
        ),
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
        Tiers::UnixSockets,
        when(
            libc::SYS_socket,
            &[&UNIX_SOCKET],
            "Unix sockets, within the private root; no other family",
        ),
    ),
    within(
        Tiers::AllSockets,
        when(
            libc::SYS_socket,
            &[
                &UNIX_SOCKET,
                &TCP,
                &TCP_BY_NAME,
                &UDP,
                &UDP_BY_NAME,
                &TCP6,
                &TCP6_BY_NAME,
                &UDP6,
                &UDP6_BY_NAME,
            ],
            "Unix sockets, and TCP and UDP where a network was granted; nothing raw, no MPTCP, no netlink",
        ),
    ),
    within(
        Tiers::NetworkSockets,
        when(
            libc::SYS_socket,
            &[
                &TCP,
                &TCP_BY_NAME,
                &UDP,
                &UDP_BY_NAME,
                &TCP6,
                &TCP6_BY_NAME,
                &UDP6,
                &UDP6_BY_NAME,
            ],
            "TCP and UDP where a network was granted; Unix sockets would reach those of the host",
        ),
    ),
    within(
        Tiers::Sockets,
        always(
            libc::SYS_connect,
            "sockets that could be made: tmux, multiprocessing",
        ),
    ),
    within(
        Tiers::Sockets,
        always(libc::SYS_bind, "sockets that could be made"),
    ),
    within(
        Tiers::Sockets,
        always(libc::SYS_listen, "sockets that could be made"),
    ),
    within(
        Tiers::Sockets,
        always(libc::SYS_accept, "sockets that could be made"),
    ),
    within(
        Tiers::Sockets,
        always(libc::SYS_accept4, "sockets that could be made"),
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
    within(
        Tiers::LandlockOnly,
        when(
            libc::SYS_ioprio_set,
            &[&[arg(0, Check::Is(IOPRIO_WHO_PROCESS)), arg(1, Check::Is(0))]],
            "ionice of oneself; a higher class needs a capability",
        ),
    ),
];
