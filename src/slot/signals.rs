//! Signal state of the slot's processes, and through the zygote that of every episode.

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Default dispositions and an empty mask: what the runner was started with (nohup, a shell that ignores
/// SIGINT, Rust's own ignored SIGPIPE) must not reach the episodes.
pub(super) fn reset() -> Result<(), Errno> {
    for number in Signal::iterator() {
        if !matches!(number, Signal::SIGKILL | Signal::SIGSTOP) {
            crate::sys::signal::restore_default(number)?;
        }
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// A descriptor that is readable when a child has ended. For init, which has no other use for SIGCHLD.
pub(super) fn child_events() -> Result<SignalFd, Errno> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    mask.thread_block()?;
    SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}
