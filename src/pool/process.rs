//! The slot as a process of ours: starting it, ending it, reaping it.

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// The argument that makes this program the slot side.
pub const SLOT_SIDE: &str = "__init";

/// Starts a slot process; the socket becomes its descriptor 0. It leads a process group with init and zygote
/// in it. Re-exec keeps this safe while other threads run (fork without exec would not be).
pub fn start(slot: u32, socket: OwnedFd) -> io::Result<Pid> {
    let child = Command::new("/proc/self/exe")
        .arg0(format!("runner: slot {slot}"))
        .arg(SLOT_SIDE)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(Pid::from_raw(child.id() as i32))
}

/// Ends a slot at once. Its own processes are its process group; those of an episode go with init.
pub fn end(slot: Pid) {
    // ESRCH: it is already gone.
    let _ = killpg(slot, Signal::SIGKILL);
}

/// Makes this process inherit whatever a slot leaves behind when it dies badly, so that it can be reaped here
/// and not by the host's init.
pub fn adopt_orphans() -> Result<(), Errno> {
    set_child_subreaper(true)
}

/// Reaps every child that has ended; whether any are left. For a process whose only children are slots.
pub fn reap() -> bool {
    loop {
        match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return true,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
}
