//! The slot as a process of ours: starting it, ending it, reaping it.

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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

/// Makes this process inherit whatever a slot leaves behind when it dies badly, so that it can be reaped here
/// and not by the host's init.
pub fn adopt_orphans() -> Result<(), Errno> {
    set_child_subreaper(true)
}

/// How long a slot whose socket is closed may take to clean up after itself before it is killed.
const FAREWELL: Duration = Duration::from_secs(2);

/// A slot process that is on its way out.
struct Departing {
    process: Pid,
    since: Instant,
    scratch: Option<PathBuf>,
}

/// Slots that were let go: they end by themselves at EOF on their socket, and are seen off here.
#[derive(Default)]
pub struct Departures {
    list: RefCell<Vec<Departing>>,
}

impl Departures {
    /// `scratch` is the directory that the slot removes before it ends.
    pub fn add(&self, process: Pid, scratch: Option<PathBuf>) {
        self.list.borrow_mut().push(Departing {
            process,
            since: Instant::now(),
            scratch,
        });
    }

    /// Reaps what has ended and kills what takes too long. Returns whether this process has children left; its
    /// only children are slots and what they leave behind.
    pub fn see_off(&self) -> bool {
        let mut list = self.list.borrow_mut();
        let left = loop {
            match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => break true,
                Ok(status) => list.retain(|slot| Some(slot.process) != status.pid()),
                Err(Errno::EINTR) => {}
                Err(_) => break false,
            }
        };
        let overdue = |slot: &Departing| slot.since.elapsed() > FAREWELL;
        for slot in list.iter().filter(|slot| overdue(slot)) {
            // The slot's own processes are its process group; those of an episode go with init.
            let _ = killpg(slot.process, Signal::SIGKILL);
            if let Some(scratch) = &slot.scratch {
                let _ = std::fs::remove_dir_all(scratch);
            }
        }
        left
    }
}

/// Kills every process whose parent we are: the last resort for what outlived its slot.
pub fn kill_children() {
    let threads = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let lists = threads.filter_map(|t| std::fs::read_to_string(t.path().join("children")).ok());
    for pid in lists.flat_map(|l| l.split_whitespace().map(str::to_owned).collect::<Vec<_>>()) {
        if let Ok(pid) = pid.parse() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}
