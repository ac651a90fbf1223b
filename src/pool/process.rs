//! The slot as a process of ours: starting it, ending it, reaping it.

use super::cgroup::Cgroup;
use super::leftover::{Leftover, Scratch};
use super::orphans::{Orphans, children};
use super::slot_log::SlotLog;
use crate::sys::procfs;
use crate::sys::sched;
use crate::wire::message::{INTERVAL_MS, SLOTS_AT_ONCE};
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpgid};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The argument that makes this program the slot side.
pub const SLOT_SIDE: &str = "__init";
/// The argument that makes this program the parent of warm Pythons.
pub const PARENT_SIDE: &str = "__python";

/// Starts a slot process; the socket becomes its descriptor 0, and it prints to `log`. It leads a process group with init and
/// zygote in it. Re-exec keeps this safe while other threads run (fork without exec would not be).
pub(super) fn start(slot: u32, socket: OwnedFd, log: Stdio) -> io::Result<Pid> {
    start_as(&format!("runner: slot {slot}"), SLOT_SIDE, socket, log)
}

/// Starts what becomes the parent of warm Pythons, in a process group of its own.
pub(super) fn start_parent(socket: OwnedFd) -> io::Result<Pid> {
    start_as("runner: python", PARENT_SIDE, socket, Stdio::null())
}

fn start_as(shown: &str, side: &str, socket: OwnedFd, stderr: Stdio) -> io::Result<Pid> {
    let child = Command::new("/proc/self/exe")
        .arg0(shown)
        .arg(side)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()?;
    Ok(Pid::from_raw(child.id() as i32))
}

/// Makes a slot's own processes real-time processes, if we may: init, the zygote and a warm bash. To be called while no
/// program runs in it.
pub(super) fn make_real_time(slot: Pid) {
    let others = children(slot);
    others
        .into_iter()
        .chain([slot])
        .for_each(sched::make_real_time);
}

/// How long a slot whose socket is closed may take to clean up after itself before it is killed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

const END_INTERVAL: Duration = Duration::from_millis(INTERVAL_MS as u64);

/// How long an init whose zygote was killed may take to say so.
const REPORT_TIMEOUT: Duration = Duration::from_secs(1);

/// A process of ours.
struct Record {
    /// The slot's number, which decides its uid; None for a parent of Pythons.
    number: Option<u32>,
    /// What the slot removes before it ends, unless it dies first.
    scratch: Option<Scratch>,
    /// Removed some time after the slot.
    _cgroup: Option<Cgroup>,
    /// Since when its socket is closed.
    let_go: Option<Instant>,
}

/// The slot processes of a pool. Slots that are let go end by themselves at EOF on their socket, and are seen off here,
/// with what the dead ones leave. All children of this process are reaped, the caller's too: nobody else can.
pub struct Processes {
    /// What those print that are slots.
    pub log: SlotLog,
    records: RefCell<BTreeMap<Pid, Record>>,
    leftovers: RefCell<Vec<Leftover>>,
    orphans: RefCell<Orphans>,
    /// When the interval began in which slots were last let go, and how many were in it.
    interval: Cell<(Instant, u32)>,
    /// When a slot's process last died that had not been let go, where its init lives on as a child of ours for a while.
    died: Cell<Option<Instant>>,
}

impl Processes {
    /// To be called before the first is started.
    pub fn new() -> Processes {
        Processes {
            log: SlotLog::open(),
            records: RefCell::default(),
            leftovers: RefCell::default(),
            orphans: RefCell::new(Orphans::new()),
            interval: Cell::new((Instant::now(), 0)),
            died: Cell::default(),
        }
    }

    /// The first number from `from` on, counted round in `numbers`, that no slot process has, dying ones and what is left
    /// of dead ones included: two slots never share a uid.
    pub fn free_number(&self, from: u32, numbers: u32) -> Option<u32> {
        let (records, leftovers) = (self.records.borrow(), self.leftovers.borrow());
        let running = records.values().filter_map(|record| record.number);
        let left = leftovers.iter().map(|leftover| leftover.number);
        let taken: BTreeSet<u32> = running.chain(left).collect();
        let mut round = (0..numbers).map(|i| from.wrapping_add(i) % numbers);
        round.find(|n| !taken.contains(n))
    }

    /// A slot process was started.
    pub fn started(
        &self,
        process: Pid,
        number: u32,
        scratch: Option<Scratch>,
        cgroup: Option<Cgroup>,
    ) {
        let record = Record {
            number: Some(number),
            scratch,
            _cgroup: cgroup,
            let_go: None,
        };
        self.records.borrow_mut().insert(process, record);
    }

    /// A parent of Pythons was started.
    pub fn parent_started(&self, process: Pid) {
        let record = Record {
            number: None,
            scratch: None,
            _cgroup: None,
            let_go: None,
        };
        self.records.borrow_mut().insert(process, record);
    }

    /// Reaps a slot's process if it has ended; whether that, or something that it left, is still there.
    pub fn is_there(&self, process: Pid) -> bool {
        if self.records.borrow().contains_key(&process) {
            match waitpid(process, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => return true,
                _ => self.reaped(process),
            }
        }
        let left = |leftover: &Leftover| leftover.slot == process;
        if !self.leftovers.borrow().iter().any(left) {
            return false;
        }
        self.clean_up();
        self.leftovers.borrow().iter().any(left)
    }

    /// A slot was let go. It may have died and been reaped before. Where very many are let go one after the other, this
    /// waits from time to time, so that not too many of the kernel's filters are freed at once.
    pub fn let_go(&self, process: Pid) {
        if let Some(record) = self.records.borrow_mut().get_mut(&process) {
            record.let_go = Some(Instant::now());
        }
        let (begin, slots) = self.interval.get();
        let rest = END_INTERVAL.saturating_sub(begin.elapsed());
        self.interval.set(match (rest, slots + 1) {
            (Duration::ZERO, _) => (Instant::now(), 1),
            (_, slots) if slots < SLOTS_AT_ONCE => (begin, slots),
            _ => {
                std::thread::sleep(rest);
                (Instant::now(), 0)
            }
        });
    }

    /// Reaps what has ended, kills what takes too long, and kills and removes what outlived a slot that died badly.
    /// Returns whether anything of ours is left.
    pub fn clean_up(&self) -> bool {
        self.reap();
        let records = self.records.borrow();
        // A parent stays as long as there are slots with children of it.
        let overdue = |record: &Record| {
            record.number.is_some() && record.let_go.is_some_and(|at| at.elapsed() > CLOSE_TIMEOUT)
        };
        for (process, _) in records.iter().filter(|(_, record)| overdue(record)) {
            end(*process);
        }
        let orphans = self.orphans.borrow();
        let is_awaited = self
            .died
            .get()
            .is_some_and(|at| at.elapsed() < REPORT_TIMEOUT);
        let orphans_left = is_awaited || orphans.kill(|child| records.contains_key(child));
        let mut leftovers = self.leftovers.borrow_mut();
        leftovers.retain_mut(|leftover| leftover.is_there(!orphans_left));
        !records.is_empty() || orphans_left || !leftovers.is_empty()
    }

    fn reap(&self) {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => return,
                Ok(status) => status.pid().into_iter().for_each(|pid| self.reaped(pid)),
                Err(Errno::EINTR) => {}
                Err(_) => break,
            }
        }
        // There are no children at all. Where our caller ignores SIGCHLD, nobody is waited for (waitpid(2)).
        let gone: Vec<Pid> = self.records.borrow().keys().copied().collect();
        gone.into_iter().for_each(|pid| self.reaped(pid));
    }

    fn reaped(&self, process: Pid) {
        self.orphans.borrow_mut().reaped(process);
        let record = self.records.borrow_mut().remove(&process);
        // Without a directory of its own it has namespaces, and in them an init.
        let is_zygote = |record: &Record| record.number.is_some() && record.scratch.is_none();
        if record
            .as_ref()
            .is_some_and(|r| is_zygote(r) && r.let_go.is_none())
        {
            self.died.set(Some(Instant::now()));
        }
        let left = record.and_then(|record| record.number.zip(record.scratch));
        let leftover = left.and_then(|(number, scratch)| Leftover::of(process, number, scratch));
        self.leftovers.borrow_mut().extend(leftover);
    }
}

/// Kills a slot's own processes, which are its process group; those of an episode go with init.
pub(super) fn end(slot: Pid) {
    let _ = killpg(slot, Signal::SIGKILL);
}

/// Whether one of a slot's own processes was stopped, which only somebody outside can do: the slot's process or a child
/// of it in its process group, init or the zygote.
pub(super) fn is_stopped(slot: Pid) -> bool {
    let in_group = |child: &Pid| getpgid(Some(*child)) == Ok(slot);
    let others = children(slot).into_iter().filter(in_group);
    others
        .chain([slot])
        .any(|pid| procfs::is_stopped(pid.as_raw()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_very_many_slots_are_let_go_some_go_later() {
        let processes = Processes::new();
        let let_go = |slots: u32| {
            let begin = Instant::now();
            (0..slots).for_each(|_| processes.let_go(Pid::from_raw(i32::MAX)));
            begin.elapsed()
        };
        assert!(let_go(SLOTS_AT_ONCE * 3) >= END_INTERVAL * 2);
    }
}
