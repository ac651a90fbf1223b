//! The slot as a process of ours: starting it, ending it, reaping it.

use crate::sys::remove::remove;
use crate::sys::sched;
use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirEntry;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The argument that makes this program the slot side.
pub const SLOT_SIDE: &str = "__init";
/// The argument that makes this program the parent of warm Pythons.
pub const PARENT_SIDE: &str = "__python";

/// Starts a slot process; the socket becomes its descriptor 0. It leads a process group with init and zygote
/// in it. Re-exec keeps this safe while other threads run (fork without exec would not be).
pub fn start(slot: u32, socket: OwnedFd) -> io::Result<Pid> {
    start_as(&format!("runner: slot {slot}"), SLOT_SIDE, socket)
}

/// Starts what becomes the parent of warm Pythons, in a process group of its own.
pub fn start_parent(socket: OwnedFd) -> io::Result<Pid> {
    start_as("runner: python", PARENT_SIDE, socket)
}

fn start_as(shown: &str, side: &str, socket: OwnedFd) -> io::Result<Pid> {
    let child = Command::new("/proc/self/exe")
        .arg0(shown)
        .arg(side)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(Pid::from_raw(child.id() as i32))
}

/// Makes a slot's own processes real-time processes, if we may: init, the zygote and a warm bash. To be called while no
/// program runs in it.
pub fn make_real_time(slot: Pid) {
    let others = children(&slot.to_string());
    others
        .into_iter()
        .chain([slot])
        .for_each(sched::make_real_time);
}

/// Makes this process inherit whatever a slot leaves behind when it dies badly, so that it can be reaped here
/// and not by the host's init.
pub fn adopt_orphans() -> Result<(), Errno> {
    set_child_subreaper(true)
}

/// How long a slot whose socket is closed may take to clean up after itself before it is killed.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long orphans that fork are chased at one time; the runner has other work too.
const ROUNDUP: Duration = Duration::from_millis(20);

/// A process of ours.
struct Record {
    /// The slot's number, which decides its uid; None for a parent of Pythons.
    number: Option<u32>,
    /// What the slot removes before it ends, unless it dies first.
    scratch: Option<PathBuf>,
    /// Since when its socket is closed.
    let_go: Option<Instant>,
}

/// The slot processes of a pool, which are this process's only children. Slots that are let go end by themselves
/// at EOF on their socket, and are seen off here.
#[derive(Default)]
pub struct Processes {
    records: RefCell<BTreeMap<Pid, Record>>,
}

impl Processes {
    /// The first number from `from` on, counted round in `numbers`, that no slot process has, dying ones
    /// included: two slots never share a uid.
    pub fn free_number(&self, from: u32, numbers: u32) -> u32 {
        let records = self.records.borrow();
        let taken: BTreeSet<u32> = records
            .values()
            .filter_map(|record| record.number)
            .collect();
        let mut round = (0..numbers).map(|i| from.wrapping_add(i) % numbers);
        round.find(|n| !taken.contains(n)).unwrap_or(from % numbers)
    }

    /// A slot process was started.
    pub fn started(&self, process: Pid, number: u32, scratch: Option<PathBuf>) {
        let record = Record {
            number: Some(number),
            scratch,
            let_go: None,
        };
        self.records.borrow_mut().insert(process, record);
    }

    /// A parent of Pythons was started.
    pub fn parent_started(&self, process: Pid) {
        let record = Record {
            number: None,
            scratch: None,
            let_go: None,
        };
        self.records.borrow_mut().insert(process, record);
    }

    /// Reaps one process of ours if it has ended; whether it is still there.
    pub fn is_there(&self, process: Pid) -> bool {
        let mut records = self.records.borrow_mut();
        if !records.contains_key(&process) {
            return false;
        }
        match waitpid(process, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => true,
            _ => {
                forget(records.remove(&process));
                false
            }
        }
    }

    /// A slot was let go. It may have died and been reaped before.
    pub fn let_go(&self, process: Pid) {
        if let Some(record) = self.records.borrow_mut().get_mut(&process) {
            record.let_go = Some(Instant::now());
        }
    }

    /// Reaps what has ended, kills what takes too long, and kills what outlived a slot that died badly. Returns
    /// whether this process has children left.
    pub fn see_off(&self) -> bool {
        let mut records = self.records.borrow_mut();
        let left = loop {
            match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => break true,
                Ok(status) => forget(status.pid().and_then(|pid| records.remove(&pid))),
                Err(Errno::EINTR) => {}
                Err(_) => break false,
            }
        };
        // A parent stays as long as there are slots with children of it.
        let overdue = |record: &Record| {
            record.number.is_some() && record.let_go.is_some_and(|at| at.elapsed() > FAREWELL)
        };
        for (process, _) in records.iter().filter(|(_, record)| overdue(record)) {
            // The slot's own processes are its process group; those of an episode go with init.
            let _ = killpg(*process, Signal::SIGKILL);
        }
        kill_orphans(&records);
        left
    }
}

/// Removes what a process that was reaped may have left.
fn forget(record: Option<Record>) {
    if let Some(scratch) = record.and_then(|record| record.scratch) {
        // Gone already, unless the slot died before it could.
        let _ = remove(&scratch);
    }
}

/// Kills what is below us and below no slot. What forks fast is listed and killed again at once: a killed process
/// can't finish a fork, so each round leaves fewer.
fn kill_orphans(slots: &BTreeMap<Pid, Record>) {
    let end = Instant::now() + ROUNDUP;
    loop {
        let orphans = children("self")
            .into_iter()
            .filter(|pid| !slots.contains_key(pid));
        let mut open: Vec<Pid> = orphans.collect();
        let mut killed = 0;
        while let Some(process) = open.pop() {
            open.extend(children(&process.to_string()));
            killed += usize::from(is_alive(process) && kill(process, Signal::SIGKILL).is_ok());
        }
        if killed == 0 || Instant::now() > end {
            return;
        }
    }
}

/// Whether it is more than a zombie that waits to be reaped (proc_pid_stat(5)).
fn is_alive(process: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rfind(')')
        .is_some_and(|end| !stat[end..].starts_with(") Z"))
}

fn children(process: &str) -> Vec<Pid> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten();
    let list = |thread: DirEntry| std::fs::read_to_string(thread.path().join("children")).ok();
    let lists: Vec<String> = threads.flatten().filter_map(list).collect();
    let pids = lists.iter().flat_map(|list| list.split_whitespace());
    pids.filter_map(|pid| pid.parse().ok())
        .map(Pid::from_raw)
        .collect()
}
