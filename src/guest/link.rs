//! The socket to init: packets as `wire::packet` cuts them, descriptors with the first.

use crate::guest::c;
use std::ffi::{c_int, c_void};
use std::os::fd::{FromRawFd, OwnedFd};

/// `wire::packet::PACKET_BYTES`.
const PACKET_BYTES: usize = 64 * 1024;
const LAST: u8 = 0;
const MORE: u8 = 1;
/// stdin, stdout, stderr and the ruleset, or the namespaces of a slot.
const MAX_FDS: usize = 8;
const CONTROL_BYTES: usize = size_of::<c::CmsgHdr>() + MAX_FDS * size_of::<c_int>();

/// Init is gone, or what came from it is not from init.
pub(super) struct LinkBroken;

pub(super) struct Link {
    socket: c_int,
    buffer: Vec<u8>,
    /// How much of the buffer packets have filled since it was wiped, in bytes.
    used: usize,
}

impl Link {
    /// `socket` stays open as long as the process lives.
    pub(super) fn new(socket: c_int) -> Link {
        Link {
            socket,
            buffer: vec![0; PACKET_BYTES],
            used: 0,
        }
    }

    /// One message that fits into a packet.
    pub(super) fn send(&self, message: &[u8]) -> Result<(), LinkBroken> {
        let packet = [&[LAST], message].concat();
        let mut part = c::IoVec {
            base: packet.as_ptr() as *mut c_void,
            length: packet.len(),
        };
        let header = c::MsgHdr {
            name: std::ptr::null_mut(),
            name_length: 0,
            parts: &mut part,
            part_count: 1,
            control: std::ptr::null_mut(),
            control_length: 0,
            flags: 0,
        };
        loop {
            // SAFETY: `header` points to one part, which points to `packet`; all outlive the call, which only reads.
            match unsafe { c::sendmsg(self.socket, &header, c::MSG_NOSIGNAL) } {
                sent if sent >= 0 => return Ok(()),
                _ if c::errno() == c::EINTR => {}
                _ => return Err(LinkBroken),
            }
        }
    }

    /// One whole message and the descriptors that came with it.
    pub(super) fn recv(&mut self) -> Result<(Vec<u8>, Vec<OwnedFd>), LinkBroken> {
        let (mut message, mut fds) = (Vec::new(), Vec::new());
        loop {
            let length = self.packet(&mut fds)?;
            self.used = self.used.max(length);
            let (header, body) = self.buffer[..length].split_first().ok_or(LinkBroken)?;
            append(&mut message, body);
            match *header {
                LAST => return Ok((message, fds)),
                MORE => {}
                _ => return Err(LinkBroken),
            }
        }
    }

    /// Leaves nothing of past packets in memory.
    pub(super) fn wipe(&mut self) {
        wipe_slice(&mut self.buffer[..self.used]);
        self.used = 0;
    }

    fn packet(&mut self, fds: &mut Vec<OwnedFd>) -> Result<usize, LinkBroken> {
        let mut part = c::IoVec {
            base: self.buffer.as_mut_ptr().cast(),
            length: self.buffer.len(),
        };
        // u64 for the alignment of the header.
        let mut control = [0u64; CONTROL_BYTES.div_ceil(8)];
        let length = loop {
            let mut header = c::MsgHdr {
                name: std::ptr::null_mut(),
                name_length: 0,
                parts: &mut part,
                part_count: 1,
                control: control.as_mut_ptr().cast(),
                control_length: CONTROL_BYTES,
                flags: 0,
            };
            // SAFETY: the header points to a buffer and a control area of the lengths it states, which outlive the call.
            let length = unsafe { c::recvmsg(self.socket, &mut header, c::MSG_CMSG_CLOEXEC) };
            match length {
                1.. => {
                    take_fds(&control, header.control_length, fds);
                    break length as usize;
                }
                0 => return Err(LinkBroken),
                _ if c::errno() == c::EINTR => {}
                _ => return Err(LinkBroken),
            }
        };
        Ok(length)
    }
}

/// Without leaving a copy behind where the memory has to grow.
fn append(message: &mut Vec<u8>, body: &[u8]) {
    let length = message.len() + body.len();
    if length > message.capacity() {
        let mut larger = Vec::with_capacity(2 * length);
        larger.extend_from_slice(message);
        wipe(std::mem::replace(message, larger));
    }
    message.extend_from_slice(body);
}

/// Frees memory without leaving in it what it held.
pub(super) fn wipe(mut bytes: Vec<u8>) {
    wipe_slice(&mut bytes);
}

fn wipe_slice(bytes: &mut [u8]) {
    // SAFETY: writes zeros to a live slice, also where nothing reads them again.
    unsafe { c::explicit_bzero(bytes.as_mut_ptr().cast(), bytes.len()) };
}

fn take_fds(control: &[u64], filled: usize, fds: &mut Vec<OwnedFd>) {
    let header_bytes = size_of::<c::CmsgHdr>();
    if filled < header_bytes {
        return;
    }
    // SAFETY: the control area is aligned, longer than one header, and filled by the kernel.
    let header = unsafe { &*control.as_ptr().cast::<c::CmsgHdr>() };
    if header.level != c::SOL_SOCKET || header.kind != c::SCM_RIGHTS {
        return;
    }
    let count = (header.length.min(filled) - header_bytes) / size_of::<c_int>();
    for i in 0..count.min(MAX_FDS) {
        // SAFETY: `count` integers follow the header; each is a descriptor the kernel has just installed for us, and
        // nothing else knows it.
        fds.push(unsafe {
            let first = control
                .as_ptr()
                .cast::<u8>()
                .add(header_bytes)
                .cast::<c_int>();
            OwnedFd::from_raw_fd(first.add(i).read())
        });
    }
}
