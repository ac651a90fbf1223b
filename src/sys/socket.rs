//! Packets and file descriptors over `SOCK_SEQPACKET` Unix sockets.

use nix::cmsg_space;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl, open};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr,
    recvmsg, sendmsg, socketpair,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Most file descriptors in one packet.
pub(crate) const MAX_FDS: usize = 16;

/// A connected pair, close-on-exec.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )
}

/// Sends one packet of header and body. A full buffer blocks, or is EAGAIN on a non-blocking socket.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    header: &[u8],
    body: &[u8],
    fds: &[RawFd],
) -> Result<(), Errno> {
    let parts = [IoSlice::new(header), IoSlice::new(body)];
    let rights = [ControlMessage::ScmRights(fds)];
    let control: &[ControlMessage<'_>] = if fds.is_empty() { &[] } else { &rights };
    loop {
        // MSG_NOSIGNAL: a peer that is gone is an error to handle, not a signal to die of.
        match sendmsg::<UnixAddr>(
            socket.as_raw_fd(),
            &parts,
            control,
            MsgFlags::MSG_NOSIGNAL,
            None,
        ) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Receives one packet into `buffer`; 0 bytes mean that the peer is gone. Descriptors arrive close-on-exec.
/// EMSGSIZE when the packet or its descriptors did not fit.
pub(crate) fn recv(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    fds: &mut Vec<OwnedFd>,
) -> Result<usize, Errno> {
    let mut control = cmsg_space!([RawFd; MAX_FDS]);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = loop {
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        match recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags) {
            Err(Errno::EINTR) => {}
            other => break other?,
        }
    };
    for item in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = item {
            // SAFETY: the kernel has just installed these descriptors for us, and nothing else knows them.
            fds.extend(
                received
                    .into_iter()
                    .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }),
            );
        }
    }
    if message
        .flags
        .intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC)
    {
        return Err(Errno::EMSGSIZE);
    }
    Ok(message.bytes)
}

/// Hands a socket over to tokio's reactor, to be told when there is something to read. To be told of room as well would
/// wake us each time the peer takes a packet: see `room`.
pub(crate) fn register(socket: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    with_interest(socket, Interest::READABLE)
}

/// Waits until the peer has made room for another packet.
pub(crate) async fn room(socket: &OwnedFd) -> io::Result<()> {
    let again = with_interest(socket.try_clone()?, Interest::WRITABLE)?;
    again.writable().await.map(drop)
}

fn with_interest(socket: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is one open descriptor until it is dropped, and `AsyncFd` owns it from here on.
    let registered = unsafe { AsyncFd::register_with_interest(socket, interest) };
    registered.map_err(|error| error.into_parts().1)
}

/// Takes over descriptor 0 as a control socket: moves it away and leaves /dev/null in its place, so that the
/// slot's processes have 0 and 1 on /dev/null, 2 as they were started, and everything else close-on-exec.
pub(crate) fn take_stdin() -> Result<OwnedFd, Errno> {
    // SAFETY: the spawning side puts the socket on descriptor 0, which is open as long as the process lives.
    let stdin = unsafe { BorrowedFd::borrow_raw(0) };
    let moved = fcntl(stdin, FcntlArg::F_DUPFD_CLOEXEC(3))?;
    // SAFETY: F_DUPFD_CLOEXEC returned a new descriptor that only we know.
    let moved = unsafe { OwnedFd::from_raw_fd(moved) };
    let null = open(
        "/dev/null",
        OFlag::O_RDWR | OFlag::O_CLOEXEC,
        nix::sys::stat::Mode::empty(),
    )?;
    replace_stdio([null.as_raw_fd(), null.as_raw_fd(), libc::STDERR_FILENO])?;
    Ok(moved)
}

/// Makes the given descriptors 0, 1 and 2. Makes system calls only, so that a forked child may use it.
/// None of them may be 0, 1 or 2 unless it is at its own place.
pub(crate) fn replace_stdio(fds: [RawFd; 3]) -> Result<(), Errno> {
    for (target, fd) in fds.into_iter().enumerate() {
        // SAFETY: dup2 on integers; 0, 1 and 2 are not owned by any OwnedFd of this process.
        Errno::result(unsafe { libc::dup2(fd, target as RawFd) })?;
    }
    Ok(())
}

/// Makes a descriptor this number too, which stays open across exec. For a process that executes a program next: what had
/// the number is closed, whoever owned it.
pub(crate) fn hand_on_as(fd: impl AsFd, number: RawFd) -> Result<(), Errno> {
    let own = fd.as_fd().as_raw_fd();
    if own == number {
        return fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty())).map(drop);
    }
    // SAFETY: dup2 on integers; nobody uses what had the number before this process is another program, or has ended.
    Errno::result(unsafe { libc::dup2(own, number) }).map(drop)
}
