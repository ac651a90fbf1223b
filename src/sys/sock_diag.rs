//! Memory of Unix sockets by netlink (sock_diag(7)), which nix does not wrap.

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType};
use nix::sys::socket::{recv, send, socket};
use std::os::fd::{AsRawFd, OwnedFd};

/// What is asked for, and how the answer calls it (<linux/sock_diag.h>, <linux/unix_diag.h>).
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const SHOW_PEER_RQLEN_MEMINFO: u32 = 0x04 | 0x10 | 0x20;
const UNIX_DIAG_PEER: u16 = 2;
const UNIX_DIAG_RQLEN: u16 = 4;
const UNIX_DIAG_MEMINFO: u16 = 5;
/// Of the numbers of UNIX_DIAG_MEMINFO, SK_MEMINFO_WMEM_ALLOC: what was sent and is not yet read.
const WMEM_ALLOC: usize = 2;
/// TCP_LISTEN of <net/tcp_states.h>: what waits in its queue is connections, not bytes.
const LISTENING: u8 = 10;

/// Sizes of nlmsghdr, unix_diag_msg and rtattr.
const HEADER: usize = 16;
const MESSAGE: usize = 16;
const ATTRIBUTE: usize = 4;
const ANSWER_BYTES: usize = 32 << 10;

/// Bytes in the buffers of all Unix sockets of our network namespace, those of processes that are gone and those
/// in flight between others included.
pub fn unix_buffers() -> Result<u64, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let protocol = SockProtocol::NetlinkSockDiag;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
    // The kernel has the whole answer, or its next part, ready before it returns: nothing here waits.
    send(socket.as_raw_fd(), &request(), MsgFlags::empty())?;
    let mut bytes = 0;
    let mut answer = vec![0; ANSWER_BYTES];
    while let Some(more) = part(&socket, &mut answer)? {
        bytes += more;
    }
    Ok(bytes)
}

/// A dump of all Unix sockets, whatever their state: nlmsghdr and unix_diag_req.
fn request() -> [u8; 40] {
    let mut request = [0; 40];
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    request[0..4].copy_from_slice(&40u32.to_ne_bytes());
    request[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request[6..8].copy_from_slice(&flags.to_ne_bytes());
    request[16] = libc::AF_UNIX as u8;
    request[20..24].copy_from_slice(&u32::MAX.to_ne_bytes());
    request[28..32].copy_from_slice(&SHOW_PEER_RQLEN_MEMINFO.to_ne_bytes());
    request
}

/// Reads one datagram of the answer and adds up what it says; `None` at its end.
fn part(socket: &OwnedFd, answer: &mut [u8]) -> Result<Option<u64>, Errno> {
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
        bytes += buffers(message);
        rest = rest.get(aligned(size)..).unwrap_or_default();
    }
    Ok(Some(bytes))
}

/// What one socket answers for: what it has sent and, where the sender is gone, what it has not read.
fn buffers(message: &[u8]) -> u64 {
    let is_listening = message.get(HEADER + 2) == Some(&LISTENING);
    let (mut sent, mut unread, mut peer) = (0, 0, 0);
    let mut attributes = message.get(HEADER + MESSAGE..).unwrap_or_default();
    while let Some(head) = attributes.get(..ATTRIBUTE) {
        let size = usize::from(u16::from_ne_bytes([head[0], head[1]])).max(ATTRIBUTE);
        let at = |index: usize| number(attributes, ATTRIBUTE + 4 * index).unwrap_or(0);
        match u16::from_ne_bytes([head[2], head[3]]) {
            UNIX_DIAG_PEER => peer = at(0),
            UNIX_DIAG_RQLEN if !is_listening => unread = at(0),
            UNIX_DIAG_MEMINFO => sent = at(WMEM_ALLOC),
            _ => {}
        }
        attributes = attributes.get(aligned(size)..).unwrap_or_default();
    }
    let orphaned = if peer == 0 { unread } else { 0 };
    u64::from(sent) + u64::from(orphaned)
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
    fn what_is_written_and_not_read_counts_even_when_the_writer_is_gone() {
        let before = unix_buffers().unwrap();
        let pairs: Vec<_> = (0..50).map(|_| UnixStream::pair().unwrap()).collect();
        for (from, _) in &pairs {
            (&*from).write_all(&[1; 100_000]).unwrap();
        }
        let after = unix_buffers().unwrap();
        // Others' sockets come and go meanwhile.
        assert!(after > before + 4_000_000, "{before} {after}");
        let receivers: Vec<_> = pairs.into_iter().map(|(_, to)| to).collect();
        let orphaned = unix_buffers().unwrap();
        assert!(orphaned > before + 4_000_000, "{before} {orphaned}");
        drop(receivers);
    }
}
