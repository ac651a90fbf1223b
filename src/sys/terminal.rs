//! Terminals: leaving the one we were started from, and making one for a program of its own (pty(7), ioctl_tty(2)).

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl, open};
use nix::pty::{Winsize, posix_openpt, unlockpt};
use nix::sys::stat::Mode;
use nix::unistd::setsid;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Gives up the controlling terminal of this process and its future children, if there is one (ioctl_tty(2)).
/// Without one, and not being a session leader, neither can get one again.
///
/// The usual way, setsid(2), also makes a scheduling group of its own wherever autogroups are on (sched(7)). A
/// slot's mostly sleeping processes are then weighed as a group against those of busy episodes, and wait for
/// tens of milliseconds: measured p99.9 of startup 20 ms with sessions, 4 ms without.
pub(crate) fn leave() {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    if let Ok(terminal) = open("/dev/tty", flags, Mode::empty()) {
        // SAFETY: TIOCNOTTY takes no argument; `terminal` is open through the call.
        unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCNOTTY) };
    }
}

/// Makes a pseudo-terminal of the devpts that is mounted where we are. First comes the end of whoever sits at it, then that of the
/// programs; both are close-on-exec.
pub(crate) fn open_pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let user_end = posix_openpt(flags)?;
    unlockpt(&user_end)?;
    // Not by its name, which may be another terminal's where another devpts is mounted over the one it is of.
    // SAFETY: TIOCGPTPEER takes flags of open(2) by value; `user_end` is open through the call.
    let program_end = unsafe { libc::ioctl(user_end.as_raw_fd(), libc::TIOCGPTPEER, flags.bits()) };
    let program_end = Errno::result(program_end)?;
    // SAFETY: the kernel has just made this descriptor for us, and nothing else knows it.
    let program_end = unsafe { OwnedFd::from_raw_fd(program_end) };
    let user_end = OwnedFd::from(user_end);
    fcntl(&user_end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok((user_end, program_end))
}

/// Makes this process the leader of a session of its own, which has this terminal. System calls only. Fails where it leads a
/// process group (EPERM), or where the terminal is another session's.
pub(crate) fn take(terminal: RawFd) -> Result<(), Errno> {
    setsid()?;
    // SAFETY: TIOCSCTTY takes a number; a descriptor that is not open is an error.
    Errno::result(unsafe { libc::ioctl(terminal, libc::TIOCSCTTY, 0) }).map(drop)
}

/// How many rows and columns a terminal has.
pub(crate) fn size(terminal: impl AsFd) -> Result<Winsize, Errno> {
    let mut size = Winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let terminal = terminal.as_fd().as_raw_fd();
    // SAFETY: the kernel writes one `winsize` to a live local of that type.
    Errno::result(unsafe { libc::ioctl(terminal, libc::TIOCGWINSZ, &mut size) })?;
    Ok(size)
}

/// Tells a terminal, and those who run in it, its size.
pub(crate) fn set_size(terminal: impl AsFd, size: Winsize) -> Result<(), Errno> {
    let terminal = terminal.as_fd().as_raw_fd();
    // SAFETY: the kernel reads one `winsize` from a live local of that type.
    Errno::result(unsafe { libc::ioctl(terminal, libc::TIOCSWINSZ, &size) }).map(drop)
}
