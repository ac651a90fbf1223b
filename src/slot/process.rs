//! What the processes of a slot do whatever they are: leave the runner's surroundings, take a name, talk to each other, end.

use super::signals;
use crate::sys::wait::wait;
use crate::sys::{socket, terminal};
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::Setup;
use nix::errno::Errno;
use nix::sys::prctl::set_name;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, setpgid};
use std::ffi::CString;
use std::os::fd::OwnedFd;

/// Leaves the runner's process group, terminal, signals and umask behind.
pub(super) fn quiet_down() -> Result<(), Errno> {
    setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
    terminal::leave();
    signals::reset()?;
    umask(Mode::from_bits_truncate(0o022));
    // When the host runs out of memory, episodes go before the training job does. Raising needs no privilege
    // (proc_pid_oom_score_adj(5)); where /proc is not there, so is the need.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
    Ok(())
}

/// A socket between two of them.
pub(super) fn control_pair() -> Result<(OwnedFd, OwnedFd), Failure> {
    socket::pair().map_err(Stage::Sockets.failed())
}

pub(super) fn name(setup: &Setup, role: &str) {
    // 15 bytes at most (PR_SET_NAME); for people who look at `ps`, so a failure does not matter.
    if let Ok(name) = CString::new(format!("slot{} {role}", setup.slot)) {
        let _ = set_name(&name);
    }
}

/// Ends one that is not kept, for its parent. Until it has been waited for it counts as a process of the slot's uid, and would
/// be one that programs can't have.
pub(super) fn end(pid: Pid) {
    let _ = kill(pid, Signal::SIGKILL);
    let _ = wait(Some(pid));
}
