//! Signal dispositions; nix marks setting them unsafe because of handlers.

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};

/// Restores the default action of a signal.
pub(crate) fn restore_default(number: Signal) -> Result<(), Errno> {
    set(number, SigHandler::SigDfl)
}

/// Ignores a signal.
pub(crate) fn ignore(number: Signal) -> Result<(), Errno> {
    set(number, SigHandler::SigIgn)
}

fn set(number: Signal, handler: SigHandler) -> Result<(), Errno> {
    // SAFETY: neither SIG_DFL nor SIG_IGN is code of ours that could run at a bad moment.
    unsafe { signal(number, handler) }.map(drop)
}
