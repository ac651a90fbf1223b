//! A blocking socket that speaks whole messages.

use crate::sys::socket;
use crate::wire::message::Request;
use crate::wire::packet::{Assembler, PACKET_BYTES, encode, packets};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use serde::{Serialize, de::DeserializeOwned};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

/// The peer is gone or speaks nonsense; there is nothing to do but to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkBroken;

/// The header of a message without content.
const EMPTY_PACKET_BYTES: usize = 1;

pub(super) struct Link {
    socket: OwnedFd,
    buffer: Vec<u8>,
    assembler: Assembler,
}

impl Link {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Link {
            socket,
            buffer: vec![0; PACKET_BYTES],
            assembler: Assembler::default(),
        }
    }

    /// A link whose peer has short things to say: what is longer than a packet is refused.
    pub(super) fn short(socket: OwnedFd) -> Self {
        let mut link = Link::new(socket);
        link.assembler.limit(PACKET_BYTES);
        link
    }

    pub(super) fn send<T: Serialize>(&self, message: &T) -> Result<(), LinkBroken> {
        self.send_with(message, &[])
    }

    /// Descriptors travel with the first packet.
    pub(super) fn send_with<T: Serialize>(
        &self,
        message: &T,
        mut fds: &[RawFd],
    ) -> Result<(), LinkBroken> {
        for (header, body) in packets(&encode(message)) {
            socket::send(self.socket.as_fd(), &header, body, fds).map_err(|_: Errno| LinkBroken)?;
            fds = &[];
        }
        Ok(())
    }

    pub(super) fn recv<T: DeserializeOwned>(&mut self) -> Result<T, LinkBroken> {
        self.recv_with(&mut Vec::new())
    }

    pub(super) fn recv_with<T: DeserializeOwned>(
        &mut self,
        fds: &mut Vec<OwnedFd>,
    ) -> Result<T, LinkBroken> {
        loop {
            let length = self.packet(fds)?;
            if let Some(message) = self.take(length)? {
                return Ok(message);
            }
        }
    }

    /// For a zygote: its next order, or None when it is released.
    pub(super) fn recv_order<T: DeserializeOwned>(
        &mut self,
        fds: &mut Vec<OwnedFd>,
    ) -> Result<Option<T>, LinkBroken> {
        loop {
            let length = self.packet(fds)?;
            if length == EMPTY_PACKET_BYTES {
                return Ok(None);
            }
            if let Some(message) = self.take(length)? {
                return Ok(Some(message));
            }
        }
    }

    /// For init: whether the runner is gone without having said that the slot is not needed any more.
    pub(super) fn is_abandoned(&mut self) -> bool {
        // The runner may be there, and have nothing to say.
        let _ = fcntl(&self.socket, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
        loop {
            match socket::recv(self.socket.as_fd(), &mut self.buffer, &mut Vec::new()) {
                Ok(0) => return true,
                Ok(length) => {
                    if let Ok(Some(Request::End)) = self.take(length) {
                        return false;
                    }
                }
                Err(errno) => return errno != Errno::EAGAIN,
            }
        }
    }

    fn packet(&mut self, fds: &mut Vec<OwnedFd>) -> Result<usize, LinkBroken> {
        match socket::recv(self.socket.as_fd(), &mut self.buffer, fds) {
            Ok(0) | Err(_) => Err(LinkBroken),
            Ok(length) => Ok(length),
        }
    }

    fn take<T: DeserializeOwned>(&mut self, length: usize) -> Result<Option<T>, LinkBroken> {
        let taken = self.assembler.push(&self.buffer[..length]);
        taken.map_err(|_| LinkBroken)
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
