//! Memory cgroups: one for each slot, below the runner's own, where it may make them (cgroups(7)).
//!
//! What the kernel holds for a program is charged to its slot's cgroup, of which much can't be counted from outside.
//! Everything goes on without them, bounded by what can be counted.
//!
//! ```text
//! the runner's own
//! └ runner-<pid>-0   locked as long as the runner lives, so that the next one removes what a killed one left
//!   ├ main           the runner itself, where version 2 wants it: a cgroup with limited children has no processes
//!   └ slot-<n>       the slot's zygotes and their programs, but not init
//! ```

mod find;

use find::{Location, MEMORY, PIDS, Version};
use nix::fcntl::{Flock, FlockArg};
use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What cgroups of a runner are called, before its pid.
const PREFIX: &str = "runner-";
/// Of cpu.weight, in version 2.
const DEFAULT_WEIGHT: usize = 100;
const MAX_WEIGHT: usize = 10_000;
/// How many names are tried.
const MAX_TRIES: u32 = 16;
/// What a cgroup holds, by kind, in both versions.
const STAT: &str = "memory.stat";
/// The runner's own, where it has to leave the one that it was started in.
const MAIN: &str = "main";

/// Why there are no cgroups; what people read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCgroups {
    #[error("no cgroup with the memory controller is mounted")]
    NotMounted,
    #[error("no cgroup (version {version}) can be made below the runner's own ({kind})")]
    Closed { version: u8, kind: io::ErrorKind },
    #[error("other processes share the runner's own cgroup")]
    Shared,
}

/// Where the cgroups of one pool are.
pub struct Cgroups {
    location: Location,
    top: PathBuf,
    /// Whether this process has moved from the one that it was started in.
    moved: bool,
    /// How many there have been.
    made: Cell<u32>,
    /// Those whose slots have ended, but maybe not each of their processes.
    ended: RefCell<Vec<PathBuf>>,
    _lock: Flock<File>,
}

/// One slot's.
pub struct Cgroup {
    path: PathBuf,
    cgroups: Rc<Cgroups>,
}

impl Cgroups {
    /// Makes room for those of so many slots at one time, and removes those of runners that were killed. In version 2 this
    /// process may move.
    pub fn open(slots: usize) -> Result<Cgroups, NoCgroups> {
        let location = Location::find(MEMORY)?;
        remove_abandoned(&location.own);
        let (top, lock) = make_top(&location.own).map_err(|e| location.closed(e))?;
        let mut cgroups = Cgroups {
            location,
            top,
            moved: false,
            made: Cell::new(0),
            ended: RefCell::default(),
            _lock: lock,
        };
        // What was done is undone when it is dropped.
        cgroups.pass_controllers_on()?;
        share_cores(&cgroups.top, slots);
        cgroups.hurry();
        Ok(cgroups)
    }

    /// Makes the kernel wait now, beside the start of the first slot, for what its zygotes would wait for when they join:
    /// that every core has seen the lock around all forks taken (`cgroup_threadgroup_rwsem`). For some milliseconds after
    /// that it can be taken again at once.
    fn hurry(&self) {
        // Where this process is already. `main` was joined a moment ago.
        if !self.moved {
            let own = self.location.own.clone();
            std::thread::spawn(move || join(&own));
        }
    }

    /// Version 2 limits the children of those cgroups alone that say so, and those have no processes of their own.
    fn pass_controllers_on(&mut self) -> Result<(), NoCgroups> {
        if self.location.version == Version::One {
            return Ok(());
        }
        if !self.location.is_passed_on() {
            match pass_on(&self.location.own) {
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => self.move_away()?,
                other => other.map_err(|e| self.location.closed(e))?,
            }
        }
        pass_on(&self.top).map_err(|e| self.location.closed(e))
    }

    fn move_away(&mut self) -> Result<(), NoCgroups> {
        let main = self.top.join(MAIN);
        let joined = fs::create_dir(&main).and_then(|()| join(&main));
        joined.map_err(|e| self.location.closed(e))?;
        self.moved = true;
        pass_on(&self.location.own).map_err(|error| match error.raw_os_error() {
            Some(libc::EBUSY) => NoCgroups::Shared,
            _ => self.location.closed(error),
        })
    }

    /// Makes one for a slot, and what the slot gets of it: descriptors through which a process joins it, sets its limit,
    /// and reads how often it was at the limit, how often processes in it were killed and what it holds, in this order.
    ///
    /// # Errors
    ///
    /// When the kernel has no more of them (`ENOSPC`, `ENOMEM`).
    pub fn make(self: &Rc<Self>) -> io::Result<(Cgroup, Vec<OwnedFd>)> {
        let path = self.top.join(format!("slot-{}", self.made.get()));
        self.made.set(self.made.get() + 1);
        fs::create_dir(&path)?;
        let cgroup = Cgroup {
            path,
            cgroups: self.clone(),
        };
        let files = cgroup.files()?;
        Ok((cgroup, files))
    }

    /// Removes those whose slots have ended; whether some are left, because a process has not ended yet.
    pub fn remove_ended(&self) -> bool {
        let mut ended = self.ended.borrow_mut();
        ended.retain(|path| is_busy(fs::remove_dir(path)));
        !ended.is_empty()
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        self.remove_ended();
        if self.location.version == Version::Two {
            let _ = take_back(&self.top);
            if self.moved {
                let _ = take_back(&self.location.own).and_then(|()| join(&self.location.own));
                let _ = fs::remove_dir(self.top.join(MAIN));
            }
        }
        // What can't be removed now, because something else went wrong, the next runner finds.
        let _ = fs::remove_dir(&self.top);
    }
}

impl Cgroup {
    fn files(&self) -> io::Result<Vec<OwnedFd>> {
        let [limit, hits, kills] = self.cgroups.location.version.files();
        let write = |name| File::options().write(true).open(self.path.join(name));
        let read = |name| File::open(self.path.join(name));
        Ok(vec![
            write("cgroup.procs")?.into(),
            write(limit)?.into(),
            read(hits)?.into(),
            read(kills)?.into(),
            read(STAT)?.into(),
        ])
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.path);
        self.cgroups.ended.borrow_mut().push(path);
    }
}

/// The file that counts the processes of the runner's own cgroup that the kernel has killed because there was no memory; of
/// cgroups below it only where nothing else is counted. The root of version 2 has none.
pub(super) fn kills_in_own() -> Option<File> {
    let location = Location::find(MEMORY).ok()?;
    let [_, _, kills] = location.version.files();
    let open = |name| File::open(location.own.join(name)).ok();
    match location.version {
        Version::One => open(kills),
        Version::Two => open("memory.events.local").or_else(|| open(kills)),
    }
}

/// The file that counts how often the runner's own cgroup, or one above it, refused processes and threads. A root has none.
pub(super) fn refusals_in_own() -> Option<File> {
    let location = Location::find(PIDS).ok()?;
    File::open(location.own.join("pids.events")).ok()
}

/// How many processes and threads a cgroup may have, and has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessLimit {
    pub cgroup: PathBuf,
    pub limit: u64,
    pub used: u64,
}

/// The limits of the runner's own cgroup and of those above it, as far as they have one.
pub fn process_limits() -> Vec<ProcessLimit> {
    let number = |cgroup: &Path, name| {
        let text = fs::read_to_string(cgroup.join(name)).ok()?;
        text.trim().parse().ok()
    };
    let of = |cgroup: &Path| {
        Some(ProcessLimit {
            limit: number(cgroup, "pids.max")?,
            used: number(cgroup, "pids.current")?,
            cgroup: cgroup.to_owned(),
        })
    };
    let own = Location::find(PIDS).map(|location| location.own);
    own.map_or_else(
        |_| Vec::new(),
        |own| own.ancestors().filter_map(of).collect(),
    )
}

/// The cgroup (version 2), the runner's own or one above, whose processes are all killed where one of them is
/// (`memory.oom.group`).
pub fn killed_together() -> Option<PathBuf> {
    let location = Location::find(MEMORY).ok()?;
    oom_group(&location.own)
}

fn oom_group(own: &Path) -> Option<PathBuf> {
    let is_one = |cgroup: &&Path| {
        let setting = fs::read_to_string(cgroup.join("memory.oom.group"));
        setting.is_ok_and(|setting| setting.trim() == "1")
    };
    own.ancestors().find(is_one).map(Path::to_owned)
}

/// Whether a cgroup still has processes or children.
fn is_busy(removed: io::Result<()>) -> bool {
    removed.is_err_and(|error| error.raw_os_error() == Some(libc::EBUSY))
}

/// Lets the children of a cgroup be limited, and have shares of the cores where that can be had. Memory goes first: a cgroup
/// that has processes may share out cores alone, and would then be one of threads (cgroups(7)).
fn pass_on(cgroup: &Path) -> io::Result<()> {
    let control = cgroup.join("cgroup.subtree_control");
    fs::write(&control, "+memory")?;
    let _ = fs::write(&control, "+cpu");
    Ok(())
}

/// Takes it back. Then the cgroup may have processes again.
fn take_back(cgroup: &Path) -> io::Result<()> {
    let control = cgroup.join("cgroup.subtree_control");
    let _ = fs::write(&control, "-cpu");
    fs::write(&control, "-memory")
}

/// Where cores are shared out by cgroup (version 2, and the controller was passed on), each slot has the same share,
/// whatever its programs do to have more: autogroups don't hold in a cgroup (sched(7)). All of them together have what
/// they would have as processes, and the runner and its inits come first, who need little. Elsewhere there is nothing
/// to be set.
fn share_cores(top: &Path, slots: usize) {
    let set = |cgroup: &Path, weight: usize| {
        let weight = weight.min(MAX_WEIGHT).to_string();
        let _ = fs::write(cgroup.join("cpu.weight"), weight);
    };
    set(top, slots.saturating_mul(DEFAULT_WEIGHT));
    set(&top.join(MAIN), MAX_WEIGHT);
}

/// Moves this process with all of its threads, which takes the kernel some 10 ms.
fn join(cgroup: &Path) -> io::Result<()> {
    fs::write(cgroup.join("cgroup.procs"), "0")
}

fn lock(cgroup: &Path) -> io::Result<Flock<File>> {
    let directory = File::open(cgroup)?;
    let locked = Flock::lock(directory, FlockArg::LockExclusiveNonblock);
    locked.map_err(|(_, errno)| errno.into())
}

/// A pool that is tried after another one may come before all processes of that have ended, and a runner that starts at
/// the same time may take for abandoned what is not locked yet: there is another name then.
fn make_top(own: &Path) -> io::Result<(PathBuf, Flock<File>)> {
    let pid = std::process::id();
    let mut tries = 0;
    loop {
        let top = own.join(format!("{PREFIX}{pid}-{tries}"));
        let made = fs::create_dir(&top).and_then(|()| lock(&top));
        match made {
            Ok(lock) if top.exists() => return Ok((top, lock)),
            Err(error) if tries == MAX_TRIES => return Err(error),
            _ => tries += 1,
        }
    }
}

/// Removes what killed runners left. A cgroup that has processes can't be removed.
fn remove_abandoned(own: &Path) {
    let names = fs::read_dir(own).into_iter().flatten().flatten();
    let of_runners = names.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    for top in of_runners.map(|entry| entry.path()) {
        let Ok(_lock) = lock(&top) else { continue };
        for entry in fs::read_dir(&top).into_iter().flatten().flatten() {
            let _ = fs::remove_dir(entry.path());
        }
        let _ = fs::remove_dir(&top);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_that_is_killed_as_a_whole_is_found_above_the_own_one() {
        let top = tempfile::tempdir().unwrap();
        let own = top.path().join("pod/container");
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("memory.oom.group"), "0\n").unwrap();
        assert_eq!(oom_group(&own), None);
        fs::write(top.path().join("pod/memory.oom.group"), "1\n").unwrap();
        assert_eq!(oom_group(&own), Some(top.path().join("pod")));
    }

    #[test]
    fn slots_together_have_the_cores_that_as_many_processes_would_have() {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir(top.path().join(MAIN)).unwrap();
        let weight = |cgroup: &Path| fs::read_to_string(cgroup.join("cpu.weight")).unwrap();
        for (slots, expected) in [(3, "300"), (1000, "10000")] {
            share_cores(top.path(), slots);
            assert_eq!(weight(top.path()), expected);
            assert_eq!(weight(&top.path().join(MAIN)), "10000");
        }
    }
}
