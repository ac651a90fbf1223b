//! How many slots the limits leave room for that this process was started with.
//!
//! A pool of more would start slots until descriptors or processes are used up, and leave none to the programs. What others
//! take (of the cgroup's processes, of all of the machine) is met when a slot can't be built: the pool settles for fewer then
//! (`state`), for a while (`scarcity`).

use super::cgroup::{ProcessLimit, process_limits};
use crate::sys::cores;
use crate::sys::procfs;
use crate::wire::message::OWN_PROCESSES;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use nix::unistd::geteuid;

/// Descriptors that the runner takes now and then: for a slot that is being built, for files of episodes, for results.
const SPARE_FILES: u64 = 20;
/// Processes of a small program, such as a pipe between two from a shell. One that has more may have them, as long as there are
/// some.
const PROGRAM_PROCESSES: u64 = 4;
/// Threads that the runner is still to start besides one for each core: they read episodes, write results and watch.
const RUNNER_THREADS: u64 = 4;
/// For an interpreter that is kept warm there may be a parent, and now and then another that is to follow it.
const PARENTS: u64 = 2;
/// Nobody has so many processes at other things that they would have to be counted.
const MANY_PROCESSES: u64 = 10_000;

/// What there is too little of; what people read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Scarce {
    #[error("this process may have no more than {limit} open files (ulimit -Hn)")]
    OpenFiles { limit: u64, wanted: u64 },
    #[error(
        "this user may have no more than {limit} processes and threads (ulimit -u), and has {used}"
    )]
    Processes { limit: u64, used: u64 },
    #[error(
        "its cgroup may have no more than {} processes and threads (pids.max), and has {}", .0.limit, .0.used
    )]
    CgroupProcesses(ProcessLimit),
}

/// What a slot takes.
#[derive(Clone, Copy, Debug)]
pub struct SlotNeeds {
    /// Descriptors of the runner.
    pub files: u64,
    /// Interpreters that it keeps warm.
    pub warm: u64,
}

impl SlotNeeds {
    /// What it takes of processes and threads, those of a small program included.
    fn processes(self) -> u64 {
        u64::from(OWN_PROCESSES) + self.warm + PROGRAM_PROCESSES
    }

    /// What the runner is still to start, whatever the number of slots.
    fn runner_processes(self) -> u64 {
        cores::available() as u64 + RUNNER_THREADS + PARENTS * self.warm
    }
}

/// How many of the wanted slots there is room for, and what there is too little of for the others.
pub fn of(wanted: usize, needs: SlotNeeds) -> (usize, Option<Scarce>) {
    let of_user = [open_files(wanted, needs), processes(wanted, needs)];
    let found = of_user
        .into_iter()
        .flatten()
        .chain(in_cgroups(wanted, needs));
    let least = found.min_by_key(|(slots, _)| *slots);
    match least {
        Some((slots, scarce)) => (slots, Some(scarce)),
        None => (wanted, None),
    }
}

fn open_files(wanted: usize, needs: SlotNeeds) -> Option<(usize, Scarce)> {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).ok()?.1;
    let used = std::fs::read_dir("/proc/self/fd").ok()?.count() as u64 + SPARE_FILES;
    let wanted_files = used + needs.files * wanted as u64;
    fitting(wanted, limit, used, needs.files).map(|slots| {
        let wanted = wanted_files.next_power_of_two();
        (slots, Scarce::OpenFiles { limit, wanted })
    })
}

/// Root's slots have uids of their own, each with a count of its own.
fn processes(wanted: usize, needs: SlotNeeds) -> Option<(usize, Scarce)> {
    let limit = getrlimit(Resource::RLIMIT_NPROC).ok()?.0;
    let each = needs.processes();
    let plenty = each * wanted as u64 + MANY_PROCESSES;
    if geteuid().is_root() || limit == RLIM_INFINITY || limit > plenty {
        return None;
    }
    let used = u64::from(procfs::processes_of(geteuid().as_raw()));
    let slots = fitting(wanted, limit, used + needs.runner_processes(), each)?;
    Some((slots, Scarce::Processes { limit, used }))
}

/// What the cgroups that the runner is in leave, for root too. At least one: others there may end.
fn in_cgroups(wanted: usize, needs: SlotNeeds) -> impl Iterator<Item = (usize, Scarce)> {
    process_limits().into_iter().filter_map(move |of| {
        let taken = of.used + needs.runner_processes();
        let slots = fitting(wanted, of.limit, taken, needs.processes())?;
        Some((slots.max(1), Scarce::CgroupProcesses(of)))
    })
}

/// How many fit, where not all of them do.
fn fitting(wanted: usize, limit: u64, taken: u64, each: u64) -> Option<usize> {
    let slots = limit.saturating_sub(taken) / each.max(1);
    (slots < wanted as u64).then_some(slots as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_slots_fit_as_the_limit_leaves_and_none_where_it_leaves_too_little() {
        assert_eq!(fitting(8, 100, 20, 10), None);
        assert_eq!(fitting(9, 100, 20, 10), Some(8));
        assert_eq!(fitting(1, 29, 20, 10), Some(0));
        assert_eq!(fitting(1, 10, 20, 10), Some(0));
        assert_eq!(fitting(4096, u64::MAX, 20, 10), None);
    }
}
