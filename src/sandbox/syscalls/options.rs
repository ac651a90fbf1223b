//! The calls that are many in one: ioctl, fcntl, prctl, setsockopt and getsockopt. Each option that programs need stands
//! here with its reason; what does not is refused. Socket filters (SO_ATTACH_FILTER and its kin) are what this is for
//! first of all: they are compiled by the kernel into memory that all of the machine shares.

use super::cost::Cost::{Descriptor, FileLock, Nothing};
use super::{Argument, Case, Check, Entry, Tiers, arg, when, within};

/// A case for one value of the argument at this index.
macro_rules! value {
    ($index:literal, $value:expr, $reason:literal) => {
        Case {
            checks: &[arg($index, Check::Is($value as u32))],
            reason: $reason,
        }
    };
}

/// A case for an option of a socket's level.
macro_rules! option {
    ($level:ident, $name:expr, $reason:literal) => {
        Case {
            checks: &at_level(libc::$level, $name),
            reason: $reason,
        }
    };
}

const fn at_level(level: i32, name: i32) -> [Argument; 2] {
    [
        arg(1, Check::Is(level as u32)),
        arg(2, Check::Is(name as u32)),
    ]
}

/// Numbers of <linux/fs.h> and <linux/fiemap.h> that libc lacks or has only for some targets.
const FIGETBSZ: u32 = 2;
const FS_IOC_GETFLAGS: u32 = 0x8008_6601;
const FS_IOC_FSGETXATTR: u32 = 0x801c_581f;
const FS_IOC_FIEMAP: u32 = 0xc020_660b;
/// Of <asm-generic/ioctls.h>.
const TCSETS2: u32 = 0x402c_542b;
const TCSETSW2: u32 = 0x402c_542c;
const TCSETSF2: u32 = 0x402c_542d;
/// Of <linux/sockios.h>.
const SIOCATMARK: u32 = 0x8905;
const SIOCGIFNAME: u32 = 0x8910;
/// Of <asm-generic/socket.h>: with 64-bit times, as 64-bit systems don't need them but some programs use them.
const SO_RCVTIMEO_NEW: i32 = 66;
const SO_SNDTIMEO_NEW: i32 = 67;

/// Of <asm-generic/fcntl.h>.
const F_SETSIG: i32 = 10;
const F_GETSIG: i32 = 11;
const F_SETOWN_EX: i32 = 15;
const F_GETOWN_EX: i32 = 16;

#[rustfmt::skip]
pub(super) const IOCTL: &[Entry] = &[
    when(libc::SYS_ioctl, Nothing, &[
        value!(1, libc::TCGETS, "is this a terminal? every program with a stdout asks"),
        value!(1, libc::TCSETS, "raw mode of one's own terminal"),
        value!(1, libc::TCSETSW, "the same, when all is written"),
        value!(1, libc::TCSETSF, "the same, and what was typed is dropped"),
        value!(1, libc::TCGETS2, "the same with speeds, as newer libcs ask"),
        value!(1, TCSETS2, "the same"),
        value!(1, TCSETSW2, "the same"),
        value!(1, TCSETSF2, "the same"),
        value!(1, libc::TCSBRK, "tcdrain"),
        value!(1, libc::TCXONC, "tcflow"),
        value!(1, libc::TCFLSH, "tcflush"),
        value!(1, libc::TIOCEXCL, "one's own terminal for oneself alone"),
        value!(1, libc::TIOCNXCL, "undo it"),
        value!(1, libc::TIOCSCTTY, "a controlling terminal, as pty.fork, tmux and script take one"),
        value!(1, libc::TIOCNOTTY, "give it up"),
        value!(1, libc::TIOCGPGRP, "job control"),
        value!(1, libc::TIOCSPGRP, "job control"),
        value!(1, libc::TIOCGSID, "job control"),
        value!(1, libc::TIOCGWINSZ, "the size of a terminal"),
        value!(1, libc::TIOCSWINSZ, "the size of one's own terminal"),
        value!(1, libc::TIOCOUTQ, "bytes not yet written; SIOCOUTQ of a socket"),
        value!(1, libc::FIONREAD, "bytes that can be read; SIOCINQ of a socket"),
        value!(1, libc::FIONBIO, "non-blocking, as Python and nginx set it"),
        value!(1, libc::FIOASYNC, "SIGIO, as FIONBIO's sibling: an entry for each descriptor, and signals that are queued once"),
        value!(1, libc::FIONCLEX, "inherited by exec"),
        value!(1, libc::FIOCLEX, "not inherited by exec, as Python and Rust set it"),
        value!(1, libc::FIOQSIZE, "size of a file"),
        value!(1, libc::TIOCGETD, "the discipline of a terminal; setting it (TIOCSETD) loads modules"),
        value!(1, libc::TIOCPKT, "packet mode of a pseudo-terminal, as expect uses it"),
        value!(1, libc::TIOCGPKT, "the same, asked"),
        value!(1, libc::TIOCGPTN, "number of a pseudo-terminal: ptsname"),
        value!(1, libc::TIOCSPTLCK, "unlockpt"),
        value!(1, libc::TIOCGPTLCK, "is it locked?"),
        value!(1, libc::TIOCGEXCL, "is it for one alone?"),
        value!(1, SIOCATMARK, "sockatmark"),
        value!(1, libc::FICLONE, "copies that share blocks, and count as if they did not: cp --reflink"),
        value!(1, libc::FICLONERANGE, "the same for a part"),
        value!(1, FS_IOC_GETFLAGS, "lsattr; setting flags needs no right to write, and is refused"),
        value!(1, FS_IOC_FSGETXATTR, "the same, as newer tools ask"),
        value!(1, FS_IOC_FIEMAP, "cp asks where a file has holes"),
        value!(1, FIGETBSZ, "block size of a file"),
    ]),
    when(libc::SYS_ioctl, Descriptor, &[
        value!(1, libc::TIOCGPTPEER, "the other end of a pseudo-terminal: openpty"),
    ]),
    // Of the slot's own network namespace, or of the host's where that was granted. Elsewhere they would show the host's.
    within(Tiers::Sockets, when(libc::SYS_ioctl, Nothing, &[
        value!(1, libc::SIOCGIFCONF, "interfaces with an address: Java, psutil"),
        value!(1, libc::SIOCGIFFLAGS, "whether an interface is up"),
        value!(1, libc::SIOCGIFADDR, "its address"),
        value!(1, libc::SIOCGIFBRDADDR, "its broadcast address"),
        value!(1, libc::SIOCGIFNETMASK, "its netmask"),
        value!(1, libc::SIOCGIFMTU, "its MTU"),
        value!(1, libc::SIOCGIFHWADDR, "its hardware address: uuid.getnode"),
        value!(1, libc::SIOCGIFINDEX, "its number: if_nametoindex"),
        value!(1, SIOCGIFNAME, "its name: if_indextoname"),
    ])),
];

#[rustfmt::skip]
pub(super) const FCNTL: &[Entry] = &[
    when(libc::SYS_fcntl, Descriptor, &[
        value!(1, libc::F_DUPFD, "another number for a descriptor"),
        value!(1, libc::F_DUPFD_CLOEXEC, "the same, not inherited by exec"),
    ]),
    when(libc::SYS_fcntl, Nothing, &[
        value!(1, libc::F_GETFD, "is it inherited?"),
        value!(1, libc::F_SETFD, "whether it is inherited"),
        value!(1, libc::F_GETFL, "how it was opened"),
        value!(1, libc::F_SETFL, "non-blocking, append, SIGIO"),
        value!(1, libc::F_SETOWN, "who gets SIGIO"),
        value!(1, libc::F_GETOWN, "the same, asked"),
        value!(1, F_SETSIG, "a signal in place of SIGIO, queued within RLIMIT_SIGPENDING"),
        value!(1, F_GETSIG, "the same, asked"),
        value!(1, F_SETOWN_EX, "who gets SIGIO, threads too"),
        value!(1, F_GETOWN_EX, "the same, asked"),
        value!(1, libc::F_GETLEASE, "is there a lease? setting one would hold up everybody else who opens the file"),
        value!(1, libc::F_GETPIPE_SZ, "how much a pipe holds; making it hold more (F_SETPIPE_SZ) uses up a quota of the user's"),
        value!(1, libc::F_GET_SEALS, "is it sealed?"),
    ]),
    when(libc::SYS_fcntl, FileLock, &[
        value!(1, libc::F_GETLK, "locks on files: sqlite, dpkg"),
        value!(1, libc::F_SETLK, "the same"),
        value!(1, libc::F_SETLKW, "the same"),
        value!(1, libc::F_OFD_GETLK, "the same, of an open file"),
        value!(1, libc::F_OFD_SETLK, "the same"),
        value!(1, libc::F_OFD_SETLKW, "the same"),
    ]),
];
#[rustfmt::skip]
pub(super) const PRCTL: &[Entry] = &[
    // Not PR_SET_MM, PR_SET_PTRACER, PR_SET_SECCOMP, PR_FUTEX_HASH, PR_SCHED_CORE.
    when(libc::SYS_prctl, Nothing, &[
        value!(0, libc::PR_SET_NAME, "names of threads"),
        value!(0, libc::PR_GET_NAME, "names of threads"),
        value!(0, libc::PR_SET_PDEATHSIG, "end with one's parent"),
        value!(0, libc::PR_GET_PDEATHSIG, "the same, asked"),
        value!(0, libc::PR_SET_CHILD_SUBREAPER, "supervisors take in orphans"),
        value!(0, libc::PR_GET_CHILD_SUBREAPER, "the same, asked"),
        value!(0, libc::PR_GET_DUMPABLE, "may others look at one?"),
        value!(0, libc::PR_SET_DUMPABLE, "not to be looked at: ssh-agent, gpg-agent"),
        value!(0, libc::PR_GET_NO_NEW_PRIVS, "asked by sandboxes"),
        value!(0, libc::PR_SET_NO_NEW_PRIVS, "it is set already"),
        value!(0, libc::PR_GET_SECCOMP, "asked by sandboxes"),
        value!(0, libc::PR_CAPBSET_READ, "which capabilities are there? none"),
        value!(0, libc::PR_GET_KEEPCAPS, "the same"),
        value!(0, libc::PR_GET_SECUREBITS, "the same"),
        value!(0, libc::PR_CAP_AMBIENT, "the same"),
        value!(0, libc::PR_SET_TIMERSLACK, "how exact one's timers are"),
        value!(0, libc::PR_GET_TIMERSLACK, "the same, asked"),
        value!(0, libc::PR_SET_THP_DISABLE, "no huge pages, as some databases want"),
        value!(0, libc::PR_GET_THP_DISABLE, "the same, asked"),
        value!(0, libc::PR_GET_SPECULATION_CTRL, "JITs ask"),
    ]),
];

#[rustfmt::skip]
pub(super) const SET_SOCKET_OPTION: &[Entry] = &[
    when(libc::SYS_setsockopt, Nothing, &[
        option!(SOL_SOCKET, libc::SO_REUSEADDR, "every server"),
        option!(SOL_SOCKET, libc::SO_REUSEPORT, "servers with several processes"),
        option!(SOL_SOCKET, libc::SO_KEEPALIVE, "HTTP clients"),
        option!(SOL_SOCKET, libc::SO_BROADCAST, "datagrams"),
        option!(SOL_SOCKET, libc::SO_LINGER, "how a connection is closed"),
        option!(SOL_SOCKET, libc::SO_OOBINLINE, "urgent data"),
        option!(SOL_SOCKET, libc::SO_DONTROUTE, "datagrams"),
        option!(SOL_SOCKET, libc::SO_PRIORITY, "order within a device, up to 6"),
        option!(SOL_SOCKET, libc::SO_PASSCRED, "who sent this? multiprocessing, dbus"),
        option!(SOL_SOCKET, libc::SO_PEEK_OFF, "where MSG_PEEK looks"),
        option!(SOL_SOCKET, libc::SO_RCVLOWAT, "when a socket counts as readable"),
        option!(SOL_SOCKET, libc::SO_RCVTIMEO, "how long a read waits"),
        option!(SOL_SOCKET, libc::SO_SNDTIMEO, "how long a write waits"),
        option!(SOL_SOCKET, SO_RCVTIMEO_NEW, "the same"),
        option!(SOL_SOCKET, SO_SNDTIMEO_NEW, "the same"),
    ]),
    // Not TCP_ULP, TCP_CONGESTION, TCP_REPAIR, TCP_MD5SIG, TCP_FASTOPEN, UDP_SEGMENT, IPV6_ADDRFORM, and nothing of netfilter.
    within(Tiers::Network, when(libc::SYS_setsockopt, Nothing, &[
        option!(IPPROTO_TCP, libc::TCP_NODELAY, "every HTTP client and server"),
        option!(IPPROTO_TCP, libc::TCP_CORK, "nginx"),
        option!(IPPROTO_TCP, libc::TCP_QUICKACK, "latency"),
        option!(IPPROTO_TCP, libc::TCP_KEEPIDLE, "when a silent peer is asked"),
        option!(IPPROTO_TCP, libc::TCP_KEEPINTVL, "how often"),
        option!(IPPROTO_TCP, libc::TCP_KEEPCNT, "how many times"),
        option!(IPPROTO_TCP, libc::TCP_USER_TIMEOUT, "when a silent peer counts as gone: gRPC"),
        option!(IPPROTO_TCP, libc::TCP_SYNCNT, "how often a connection is tried"),
        option!(IPPROTO_TCP, libc::TCP_LINGER2, "how long a closed connection lingers"),
        option!(IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, "nginx"),
        option!(IPPROTO_TCP, libc::TCP_MAXSEG, "the size of segments"),
        option!(IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, "when a socket counts as writable"),
        option!(IPPROTO_IP, libc::IP_TOS, "kind of traffic: ssh"),
        option!(IPPROTO_IP, libc::IP_TTL, "how far datagrams go"),
        option!(IPPROTO_IP, libc::IP_MTU_DISCOVER, "QUIC, DNS"),
        option!(IPPROTO_IP, libc::IP_RECVERR, "DNS resolvers"),
        option!(IPPROTO_IP, libc::IP_PKTINFO, "which address was meant? DNS servers"),
        option!(IPPROTO_IP, libc::IP_RECVTOS, "QUIC"),
        option!(IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, "proxies"),
        option!(IPPROTO_IP, libc::IP_MULTICAST_TTL, "multicast"),
        option!(IPPROTO_IP, libc::IP_MULTICAST_LOOP, "multicast"),
        option!(IPPROTO_IP, libc::IP_MULTICAST_IF, "multicast"),
        option!(IPPROTO_IP, libc::IP_ADD_MEMBERSHIP, "multicast, 20 groups for each socket"),
        option!(IPPROTO_IP, libc::IP_DROP_MEMBERSHIP, "multicast"),
        option!(IPPROTO_IPV6, libc::IPV6_V6ONLY, "every server"),
        option!(IPPROTO_IPV6, libc::IPV6_TCLASS, "kind of traffic: ssh"),
        option!(IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS, "how far datagrams go"),
        option!(IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, "QUIC, DNS"),
        option!(IPPROTO_IPV6, libc::IPV6_RECVERR, "DNS resolvers"),
        option!(IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, "which address was meant? DNS servers"),
        option!(IPPROTO_IPV6, libc::IPV6_RECVTCLASS, "QUIC"),
        option!(IPPROTO_IPV6, libc::IPV6_MULTICAST_HOPS, "multicast"),
        option!(IPPROTO_IPV6, libc::IPV6_MULTICAST_LOOP, "multicast"),
        option!(IPPROTO_IPV6, libc::IPV6_MULTICAST_IF, "multicast"),
        option!(IPPROTO_IPV6, libc::IPV6_ADD_MEMBERSHIP, "multicast, within the memory that options of a socket may take (net.core.optmem_max)"),
        option!(IPPROTO_IPV6, libc::IPV6_DROP_MEMBERSHIP, "multicast"),
    ])),
];

#[rustfmt::skip]
pub(super) const GET_SOCKET_OPTION: &[Entry] = &[
    when(libc::SYS_getsockopt, Nothing, &[
        option!(SOL_SOCKET, libc::SO_ERROR, "how a connection went"),
        option!(SOL_SOCKET, libc::SO_TYPE, "socket.socket(fileno=…)"),
        option!(SOL_SOCKET, libc::SO_DOMAIN, "the same"),
        option!(SOL_SOCKET, libc::SO_PROTOCOL, "the same"),
        option!(SOL_SOCKET, libc::SO_ACCEPTCONN, "does it listen?"),
        option!(SOL_SOCKET, libc::SO_SNDBUF, "how large a buffer is"),
        option!(SOL_SOCKET, libc::SO_RCVBUF, "how large a buffer is"),
        option!(SOL_SOCKET, libc::SO_PEERCRED, "who is at the other end?"),
        option!(SOL_SOCKET, libc::SO_PEERSEC, "who is at the other end?"),
        option!(SOL_SOCKET, libc::SO_REUSEADDR, "what was set"),
        option!(SOL_SOCKET, libc::SO_REUSEPORT, "what was set"),
        option!(SOL_SOCKET, libc::SO_KEEPALIVE, "what was set"),
        option!(SOL_SOCKET, libc::SO_BROADCAST, "what was set"),
        option!(SOL_SOCKET, libc::SO_LINGER, "what was set"),
        option!(SOL_SOCKET, libc::SO_OOBINLINE, "what was set"),
        option!(SOL_SOCKET, libc::SO_PRIORITY, "what was set"),
        option!(SOL_SOCKET, libc::SO_PASSCRED, "what was set"),
        option!(SOL_SOCKET, libc::SO_RCVLOWAT, "what was set"),
        option!(SOL_SOCKET, libc::SO_RCVTIMEO, "what was set"),
        option!(SOL_SOCKET, libc::SO_SNDTIMEO, "what was set"),
    ]),
    // Not TCP_ZEROCOPY_RECEIVE, and nothing of netfilter.
    within(Tiers::Network, when(libc::SYS_getsockopt, Nothing, &[
        option!(IPPROTO_TCP, libc::TCP_INFO, "how a connection does: gRPC"),
        option!(IPPROTO_TCP, libc::TCP_NODELAY, "what was set"),
        option!(IPPROTO_TCP, libc::TCP_CORK, "what was set"),
        option!(IPPROTO_TCP, libc::TCP_QUICKACK, "what was set"),
        option!(IPPROTO_TCP, libc::TCP_KEEPIDLE, "what was set"),
        option!(IPPROTO_TCP, libc::TCP_KEEPINTVL, "what was set"),
        option!(IPPROTO_TCP, libc::TCP_KEEPCNT, "what was set"),
        option!(IPPROTO_TCP, libc::TCP_USER_TIMEOUT, "what was set"),
        option!(IPPROTO_TCP, libc::TCP_MAXSEG, "what was agreed on"),
        option!(IPPROTO_TCP, libc::TCP_CONGESTION, "iperf asks"),
        option!(IPPROTO_IP, libc::IP_TOS, "what was set"),
        option!(IPPROTO_IP, libc::IP_TTL, "what was set"),
        option!(IPPROTO_IP, libc::IP_MTU, "QUIC"),
        option!(IPPROTO_IP, libc::IP_MTU_DISCOVER, "what was set"),
        option!(IPPROTO_IP, libc::IP_MULTICAST_TTL, "what was set"),
        option!(IPPROTO_IP, libc::IP_MULTICAST_LOOP, "what was set"),
        option!(IPPROTO_IPV6, libc::IPV6_V6ONLY, "what was set"),
        option!(IPPROTO_IPV6, libc::IPV6_TCLASS, "what was set"),
        option!(IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS, "what was set"),
        option!(IPPROTO_IPV6, libc::IPV6_MTU, "QUIC"),
        option!(IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, "what was set"),
        option!(IPPROTO_IPV6, libc::IPV6_MULTICAST_HOPS, "what was set"),
        option!(IPPROTO_IPV6, libc::IPV6_MULTICAST_LOOP, "what was set"),
    ])),
];
