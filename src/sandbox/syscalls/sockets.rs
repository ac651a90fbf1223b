//! Which sockets can be made. Their options are in `options`.

use super::cost::Cost::{Descriptor, File, Nothing, Socket};
use super::{Argument, Case, Check, Entry, Tiers, always, arg, when, within};

const UNIX_FAMILY: Argument = arg(0, Check::Is(libc::AF_UNIX as u32));

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

const UNIX: Case = Case {
    checks: &[UNIX_FAMILY],
    reason: "Unix sockets, within the private root",
};

/// TCP and UDP, with the protocol named or left to the kernel: nothing raw, no MPTCP, no netlink.
macro_rules! internet {
    ($family:ident, $kind:ident, $protocol:expr) => {
        Case {
            checks: &inet(libc::$family, libc::$kind, $protocol),
            reason: "TCP and UDP where a network was granted",
        }
    };
}

const TCP: Case = internet!(AF_INET, SOCK_STREAM, 0);
const TCP_BY_NAME: Case = internet!(AF_INET, SOCK_STREAM, libc::IPPROTO_TCP);
const UDP: Case = internet!(AF_INET, SOCK_DGRAM, 0);
const UDP_BY_NAME: Case = internet!(AF_INET, SOCK_DGRAM, libc::IPPROTO_UDP);
const TCP6: Case = internet!(AF_INET6, SOCK_STREAM, 0);
const TCP6_BY_NAME: Case = internet!(AF_INET6, SOCK_STREAM, libc::IPPROTO_TCP);
const UDP6: Case = internet!(AF_INET6, SOCK_DGRAM, 0);
const UDP6_BY_NAME: Case = internet!(AF_INET6, SOCK_DGRAM, libc::IPPROTO_UDP);

#[rustfmt::skip]
pub(super) const SOCKETS: &[Entry] = &[
    within(Tiers::NamespacesOnly, when(libc::SYS_socketpair, Descriptor, &[
        Case { checks: &[UNIX_FAMILY], reason: "pipes in both directions: asyncio, multiprocessing" },
    ])),
    within(Tiers::LandlockOnly, when(libc::SYS_socketpair, Descriptor, &[
        Case { checks: &[UNIX_FAMILY, socket_type(libc::SOCK_STREAM)], reason: "pipes in both directions; a datagram socket could be sent from to any socket of the host by its path" },
        Case { checks: &[UNIX_FAMILY, socket_type(libc::SOCK_SEQPACKET)], reason: "the same" },
    ])),
    within(Tiers::UnixSockets, when(libc::SYS_socket, Descriptor, &[UNIX])),
    within(Tiers::AllSockets, when(libc::SYS_socket, Descriptor, &[
        UNIX, TCP, TCP_BY_NAME, UDP, UDP_BY_NAME, TCP6, TCP6_BY_NAME, UDP6, UDP6_BY_NAME,
    ])),
    // Unix sockets would reach those of the host.
    within(Tiers::NetworkSockets, when(libc::SYS_socket, Descriptor, &[
        TCP, TCP_BY_NAME, UDP, UDP_BY_NAME, TCP6, TCP6_BY_NAME, UDP6, UDP6_BY_NAME,
    ])),
    within(Tiers::Sockets, always(libc::SYS_connect, Socket, "sockets that could be made: tmux, multiprocessing. One that nobody accepts counts as a socket")),
    within(Tiers::Sockets, always(libc::SYS_bind, File, "sockets that could be made; a Unix path makes an inode")),
    within(Tiers::Sockets, always(libc::SYS_listen, Nothing, "sockets that could be made")),
    within(Tiers::Sockets, always(libc::SYS_accept, Descriptor, "sockets that could be made")),
    within(Tiers::Sockets, always(libc::SYS_accept4, Descriptor, "sockets that could be made")),
];
