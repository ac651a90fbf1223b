//! A blocking socket that speaks whole messages.

use crate::sys::socket;
use crate::wire::packet::{Assembler, PACKET_BYTES, encode, packets};
use nix::errno::Errno;
use serde::{Serialize, de::DeserializeOwned};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

/// The peer is gone or speaks nonsense; there is nothing to do but to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

pub struct Link {
    socket: OwnedFd,
    buffer: Vec<u8>,
    assembler: Assembler,
}

impl Link {
    pub fn new(socket: OwnedFd) -> Self {
        Link {
            socket,
            buffer: vec![0; PACKET_BYTES],
            assembler: Assembler::default(),
        }
    }

    /// A link whose peer has short things to say: what is longer than a packet is refused.
    pub fn short(socket: OwnedFd) -> Self {
        let mut link = Link::new(socket);
        link.assembler.limit(PACKET_BYTES);
        link
    }

    pub fn send<T: Serialize>(&self, message: &T) -> Result<(), Broken> {
        self.send_with(message, &[])
    }

    /// Descriptors travel with the first packet.
    pub fn send_with<T: Serialize>(&self, message: &T, mut fds: &[RawFd]) -> Result<(), Broken> {
        for (header, body) in packets(&encode(message)) {
            socket::send(self.socket.as_fd(), &header, body, fds).map_err(|_: Errno| Broken)?;
            fds = &[];
        }
        Ok(())
    }

    pub fn recv<T: DeserializeOwned>(&mut self) -> Result<T, Broken> {
        self.recv_with(&mut Vec::new())
    }

    pub fn recv_with<T: DeserializeOwned>(&mut self, fds: &mut Vec<OwnedFd>) -> Result<T, Broken> {
        loop {
            let length =
                socket::recv(self.socket.as_fd(), &mut self.buffer, fds).map_err(|_| Broken)?;
            if length == 0 {
                return Err(Broken);
            }
            if let Some(message) = self
                .assembler
                .push(&self.buffer[..length])
                .map_err(|_| Broken)?
            {
                return Ok(message);
            }
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
