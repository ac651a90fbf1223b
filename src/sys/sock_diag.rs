//! Memory of sockets by netlink (sock_diag(7)), which nix does not wrap.

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType};
use nix::sys::socket::{recv, send, socket};
use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, OwnedFd};

/// What is asked for, and how the answer calls it (<linux/sock_diag.h>, <linux/unix_diag.h>, <linux/inet_diag.h>).
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const SHOW_PEER_RQLEN_MEMINFO: u32 = 0x04 | 0x10 | 0x20;
const UNIX_DIAG_PEER: u16 = 2;
const UNIX_DIAG_RQLEN: u16 = 4;
const UNIX_DIAG_MEMINFO: u16 = 5;
const INET_DIAG_SKMEMINFO: u8 = 7;
/// Numbers of both (`SK_MEMINFO_…`): what was received and not yet read, what was sent and is not yet received, what the
/// socket has reserved, what waits to be sent.
const RMEM_ALLOC: usize = 0;
const WMEM_ALLOC: usize = 2;
const FORWARD_ALLOC: usize = 4;
const WMEM_QUEUED: usize = 5;
/// TCP_LISTEN of <net/tcp_states.h>: what waits in its queue is connections, not bytes.
const LISTENING: u8 = 10;

/// Sizes of nlmsghdr, unix_diag_msg, inet_diag_msg and rtattr.
const HEADER: usize = 16;
const UNIX_MESSAGE: usize = 16;
const INTERNET_MESSAGE: usize = 72;
/// Where those two have the inode of the socket.
const UNIX_INODE: usize = 4;
const INTERNET_INODE: usize = 68;
const ATTRIBUTE: usize = 4;
const ANSWER_BYTES: usize = 32 << 10;

/// Which sockets of our network namespace are meant.
pub(crate) enum Whose<'a> {
    /// All, those of processes that are gone and those in flight between others included.
    Everybodys,
    /// Those with these inodes.
    Of(&'a BTreeSet<u64>),
}

impl Whose<'_> {
    fn holds(&self, inode: Option<u32>) -> bool {
        match self {
            Whose::Everybodys => true,
            Whose::Of(inodes) => inode.is_some_and(|inode| inodes.contains(&u64::from(inode))),
        }
    }
}

/// Bytes in the buffers of Unix sockets.
pub(crate) fn unix_buffers(whose: &Whose<'_>) -> Result<u64, Errno> {
    dump(&unix_request(), |message| {
        let is_meant = whose.holds(number(message, HEADER + UNIX_INODE));
        if is_meant { unix_bytes(message) } else { 0 }
    })
}

/// Bytes in the buffers of TCP and UDP sockets. A kernel without the modules for a family tells nothing of it.
pub(crate) fn internet_buffers(whose: &Whose<'_>) -> u64 {
    let bytes_of = |message: &[u8]| {
        let is_meant = whose.holds(number(message, HEADER + INTERNET_INODE));
        if is_meant { internet_bytes(message) } else { 0 }
    };
    let families = [libc::AF_INET, libc::AF_INET6];
    let protocols = [libc::IPPROTO_TCP, libc::IPPROTO_UDP];
    let all = families.into_iter().flat_map(|family| {
        protocols.map(|protocol| internet_request(family as u8, protocol as u8))
    });
    all.filter_map(|request| dump(&request, bytes_of).ok())
        .sum()
}

/// Asks for sockets and adds up what each of them answers for.
fn dump(request: &[u8], bytes_of: impl Fn(&[u8]) -> u64) -> Result<u64, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let protocol = SockProtocol::NetlinkSockDiag;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
    // The kernel has the whole answer, or its next part, ready before it returns: nothing here waits.
    send(socket.as_raw_fd(), request, MsgFlags::empty())?;
    let mut bytes = 0;
    let mut answer = vec![0; ANSWER_BYTES];
    while let Some(more) = part(&socket, &mut answer, &bytes_of)? {
        bytes += more;
    }
    Ok(bytes)
}

/// nlmsghdr of a dump, with room for what follows.
fn request<const SIZE: usize>() -> [u8; SIZE] {
    let mut request = [0; SIZE];
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    request[0..4].copy_from_slice(&(SIZE as u32).to_ne_bytes());
    request[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request[6..8].copy_from_slice(&flags.to_ne_bytes());
    request
}

/// Unix sockets, whatever their state: nlmsghdr and unix_diag_req.
fn unix_request() -> [u8; 40] {
    let mut request = request();
    request[16] = libc::AF_UNIX as u8;
    request[20..24].copy_from_slice(&u32::MAX.to_ne_bytes());
    request[28..32].copy_from_slice(&SHOW_PEER_RQLEN_MEMINFO.to_ne_bytes());
    request
}

/// Sockets of the internet, whatever their state: nlmsghdr and inet_diag_req_v2.
fn internet_request(family: u8, protocol: u8) -> [u8; 72] {
    let mut request = request();
    request[16] = family;
    request[17] = protocol;
    request[18] = 1 << (INET_DIAG_SKMEMINFO - 1);
    request[20..24].copy_from_slice(&u32::MAX.to_ne_bytes());
    request
}

/// Reads one datagram of the answer and adds up what it says; `None` at its end.
fn part(
    socket: &OwnedFd,
    answer: &mut [u8],
    bytes_of: &impl Fn(&[u8]) -> u64,
) -> Result<Option<u64>, Errno> {
    let length = recv(socket.as_raw_fd(), answer, MsgFlags::MSG_DONTWAIT)?;
    let (mut rest, mut bytes) = (&answer[..length], 0);
    while let Some(size) = number(rest, 0) {
        let size = (size as usize).max(HEADER);
        let kind = u16::from_ne_bytes([rest[4], rest[5]]);
        match i32::from(kind) {
            libc::NLMSG_DONE => return Ok(None),
            libc::NLMSG_ERROR => return Err(error(rest)),
            _ => {}
        }
        let message = rest.get(..size).ok_or(Errno::EBADMSG)?;
        bytes += bytes_of(message);
        rest = rest.get(aligned(size)..).unwrap_or_default();
    }
    Ok(Some(bytes))
}

/// What one Unix socket answers for: what it has sent and, where the sender is gone, what it has not read.
fn unix_bytes(message: &[u8]) -> u64 {
    let is_listening = message.get(HEADER + 2) == Some(&LISTENING);
    let (mut sent, mut unread, mut peer) = (0, 0, 0);
    for_each_attribute(message, HEADER + UNIX_MESSAGE, |kind, values| match kind {
        UNIX_DIAG_PEER => peer = number(values, 0).unwrap_or(0),
        UNIX_DIAG_RQLEN if !is_listening => unread = number(values, 0).unwrap_or(0),
        UNIX_DIAG_MEMINFO => sent = number(values, 4 * WMEM_ALLOC).unwrap_or(0),
        _ => {}
    });
    let orphaned = if peer == 0 { unread } else { 0 };
    u64::from(sent) + u64::from(orphaned)
}

/// What a socket of the internet has received, has still to send, and has reserved.
fn internet_bytes(message: &[u8]) -> u64 {
    let mut bytes = 0;
    for_each_attribute(message, HEADER + INTERNET_MESSAGE, |kind, values| {
        if kind == u16::from(INET_DIAG_SKMEMINFO) {
            let at = |index: usize| u64::from(number(values, 4 * index).unwrap_or(0));
            bytes = at(RMEM_ALLOC) + at(FORWARD_ALLOC) + at(WMEM_QUEUED);
        }
    });
    bytes
}

fn for_each_attribute(message: &[u8], begin: usize, mut take: impl FnMut(u16, &[u8])) {
    let mut attributes = message.get(begin..).unwrap_or_default();
    while let Some(head) = attributes.get(..ATTRIBUTE) {
        let size = usize::from(u16::from_ne_bytes([head[0], head[1]])).max(ATTRIBUTE);
        let kind = u16::from_ne_bytes([head[2], head[3]]);
        take(kind, attributes.get(ATTRIBUTE..size).unwrap_or_default());
        attributes = attributes.get(aligned(size)..).unwrap_or_default();
    }
}

fn error(message: &[u8]) -> Errno {
    number(message, HEADER).map_or(Errno::EBADMSG, |e| {
        Errno::from_raw((e as i32).wrapping_neg())
    })
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    four.try_into().ok().map(u32::from_ne_bytes)
}

fn aligned(size: usize) -> usize {
    size.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn what_waits_in_a_tcp_connection_counts() {
        let before = internet_buffers(&Whose::Everybodys);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _receiver = listener.accept().unwrap();
        sender.set_nonblocking(true).unwrap();
        while sender.write(&[1; 65_536]).is_ok() {}
        let after = internet_buffers(&Whose::Everybodys);
        assert!(after > before + 500_000, "{before} {after}");
    }

    #[test]
    fn what_is_written_and_not_read_counts_even_when_the_writer_is_gone() {
        let before = unix_buffers(&Whose::Everybodys).unwrap();
        let pairs: Vec<_> = (0..50).map(|_| UnixStream::pair().unwrap()).collect();
        for (from, _) in &pairs {
            (&*from).write_all(&[1; 100_000]).unwrap();
        }
        let after = unix_buffers(&Whose::Everybodys).unwrap();
        // Others' sockets come and go meanwhile.
        assert!(after > before + 4_000_000, "{before} {after}");
        let receivers: Vec<_> = pairs.into_iter().map(|(_, to)| to).collect();
        let orphaned = unix_buffers(&Whose::Everybodys).unwrap();
        assert!(orphaned > before + 4_000_000, "{before} {orphaned}");
        let inode = |socket: &UnixStream| {
            use std::os::unix::fs::MetadataExt;
            let path = format!("/proc/self/fd/{}", socket.as_raw_fd());
            std::fs::metadata(path).unwrap().ino()
        };
        let some: BTreeSet<u64> = receivers[..10].iter().map(inode).collect();
        let of_some = unix_buffers(&Whose::Of(&some)).unwrap();
        assert!((1_000_000..2_500_000).contains(&of_some), "{of_some}");
        drop(receivers);
    }
}
