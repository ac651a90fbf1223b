//! Ways to a network, or to a socket of the host.

use crate::raw::{NONE, address, call, done};
use crate::{Attempt, Probe, errno};
use nix::errno::Errno;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram, UnixStream};
use std::time::Duration;

pub const PROBES: &[Probe] = &[
    ("socket", socket),
    ("families", |_| families(libc::SYS_socket)),
    ("pair-families", |_| families(libc::SYS_socketpair)),
    ("netlink", |_| netlink()),
    ("tcp", tcp),
    ("udp", udp),
    ("mptcp", |a| stream(a, libc::IPPROTO_MPTCP, false)),
    ("fast-open", |a| stream(a, 0, true)),
    ("listen", listen),
    ("unix", |a| {
        UnixStream::connect(&a[0])
            .map(|_| a[0].clone())
            .map_err(errno)
    }),
    ("unix-datagram", unix_datagram),
    ("abstract", |a| {
        let address = UnixAddr::from_abstract_name(&a[0]).map_err(errno)?;
        UnixStream::connect_addr(&address)
            .map(|_| a[0].clone())
            .map_err(errno)
    }),
];

/// `socket FAMILY TYPE PROTOCOL`, as numbers.
fn socket(arguments: &[String]) -> Attempt {
    let numbers: Vec<u64> = arguments
        .iter()
        .map(|n| n.parse().expect("a number"))
        .collect();
    call(libc::SYS_socket, &numbers).map(|fd| format!("a socket, descriptor {fd}"))
}

/// Every family with every type: what could be made, or was turned down by anything but EPERM.
fn families(number: i64) -> Attempt {
    let mut list = Vec::new();
    for family in 0..=64u64 {
        for kind in [1, 2, 3, 4, 5, 6, 10] {
            let mut pair = [0i32; 2];
            match call(number, &[family, kind, 0, address(&mut pair)]) {
                Err(Errno::EPERM) => {}
                Err(errno) => list.push(format!("{family}/{kind}={errno:?}")),
                Ok(fd) => {
                    list.push(format!("{family}/{kind}"));
                    let made = if number == libc::SYS_socket {
                        vec![fd]
                    } else {
                        pair.map(i64::from).to_vec()
                    };
                    made.into_iter()
                        .for_each(|fd| _ = call(libc::SYS_close, &[fd as u64]));
                }
            }
        }
    }
    if list.is_empty() {
        Err(Errno::EPERM)
    } else {
        Ok(list.join(" "))
    }
}

fn netlink() -> Attempt {
    let attempts = (0..=22u64).map(|protocol| call(libc::SYS_socket, &[16, 3, protocol]));
    let (made, denied): (Vec<_>, Vec<_>) = attempts.partition(Result::is_ok);
    match denied
        .into_iter()
        .flat_map(Result::err)
        .find(|e| *e != Errno::EPERM)
    {
        _ if !made.is_empty() => Ok(format!("{} protocols", made.len())),
        Some(errno) => Err(errno),
        None => Err(Errno::EPERM),
    }
}

/// ADDRESS:PORT
fn target(arguments: &[String]) -> SocketAddr {
    arguments[0].parse().expect("an address and port")
}

fn tcp(arguments: &[String]) -> Attempt {
    let stream = TcpStream::connect_timeout(&target(arguments), Duration::from_secs(5));
    stream.map(|s| format!("{s:?}")).map_err(errno)
}

fn udp(arguments: &[String]) -> Attempt {
    let target = target(arguments);
    let any = if target.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(any).map_err(errno)?;
    let sent = socket.send_to(b"x", target).map_err(errno)?;
    Ok(format!("{sent} byte to {target}"))
}

fn listen(arguments: &[String]) -> Attempt {
    let server = TcpListener::bind(target(arguments)).map_err(errno)?;
    Ok(format!("{server:?}"))
}

/// A stream of any protocol to an IPv4 address; with fast open, connected by its first data.
fn stream(arguments: &[String], protocol: i32, fast_open: bool) -> Attempt {
    let SocketAddr::V4(target) = target(arguments) else {
        panic!("IPv4 only");
    };
    let made = call(libc::SYS_socket, &[2, 1, protocol as u64]);
    let fd = made.map_or(NONE, |fd| fd as u64);
    let port = target.port().to_be_bytes();
    let mut name = [0u8; 16];
    name[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
    name[2..4].copy_from_slice(&port);
    name[4..8].copy_from_slice(&target.ip().octets());
    let name = address(&mut name);
    made?;
    if fast_open {
        let flags = libc::MSG_FASTOPEN as u64;
        return done(
            libc::SYS_sendto,
            &[fd, address(&mut 0u8), 1, flags, name, 16],
        );
    }
    done(libc::SYS_connect, &[fd, name, 16])
}

fn unix_datagram(arguments: &[String]) -> Attempt {
    let socket = UnixDatagram::unbound().map_err(errno)?;
    let sent = socket.send_to(b"x", &arguments[0]).map_err(errno)?;
    Ok(format!("{sent} byte"))
}
