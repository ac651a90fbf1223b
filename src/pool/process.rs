//! The slot as a process of ours: starting it, ending it, reaping it.

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::DirEntry;
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

/// The slot processes of a pool, which are this process's only children. Slots that are let go end by themselves
/// at EOF on their socket, and are seen off here.
#[derive(Default)]
pub struct Processes {
    living: RefCell<BTreeSet<Pid>>,
    departing: RefCell<Vec<Departing>>,
}

impl Processes {
    /// A slot process was started.
    pub fn started(&self, process: Pid) {
        self.living.borrow_mut().insert(process);
    }

    /// A slot was let go. `scratch` is the directory that it removes before it ends.
    pub fn let_go(&self, process: Pid, scratch: Option<PathBuf>) {
        self.living.borrow_mut().remove(&process);
        self.departing.borrow_mut().push(Departing {
            process,
            since: Instant::now(),
            scratch,
        });
    }

    /// Reaps what has ended, kills what takes too long, and kills what outlived a slot that died badly. Returns
    /// whether this process has children left.
    pub fn see_off(&self) -> bool {
        let mut departing = self.departing.borrow_mut();
        let left = loop {
            match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => break true,
                Ok(status) => departing.retain(|slot| {
                    let gone = Some(slot.process) == status.pid();
                    if gone {
                        slot.remove_scratch();
                    }
                    !gone
                }),
                Err(Errno::EINTR) => {}
                Err(_) => break false,
            }
        };
        let overdue = |slot: &&Departing| slot.since.elapsed() > FAREWELL;
        for slot in departing.iter().filter(overdue) {
            // The slot's own processes are its process group; those of an episode go with init.
            let _ = killpg(slot.process, Signal::SIGKILL);
        }
        let living = self.living.borrow();
        let is_slot =
            |pid: &Pid| living.contains(pid) || departing.iter().any(|slot| slot.process == *pid);
        for orphan in children().into_iter().filter(|pid| !is_slot(pid)) {
            // Whatever it has started becomes our child in turn, and is met at the next call.
            let _ = kill(orphan, Signal::SIGKILL);
        }
        left
    }
}

impl Departing {
    /// A slot does this itself unless it died before it could.
    fn remove_scratch(&self) {
        if let Some(scratch) = &self.scratch {
            let _ = std::fs::remove_dir_all(scratch);
        }
    }
}

fn children() -> Vec<Pid> {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let list = |thread: DirEntry| std::fs::read_to_string(thread.path().join("children")).ok();
    let lists: Vec<String> = threads.flatten().filter_map(list).collect();
    let pids = lists.iter().flat_map(|list| list.split_whitespace());
    pids.filter_map(|pid| pid.parse().ok())
        .map(Pid::from_raw)
        .collect()
}
