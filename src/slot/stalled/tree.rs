//! What a tree of processes does at one moment: who could run, and how much CPU time it has had.

use super::machine::Machine;
use crate::slot::census::Census;
use crate::sys::clock::{cpu_ns_of, tick_ns};
use crate::sys::procfs::{Stat, run_and_wait_ns, threads};
use nix::unistd::getpid;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Tree {
    processes: BTreeMap<i32, ProcessTime>,
    /// Processes and threads, as RLIMIT_NPROC counts them.
    threads: u64,
    /// Of those, the ones that could run.
    runnable: u64,
    /// Whether those of others that could run left no core for it.
    is_crowded_out: bool,
    /// CPU time of all of them, and of those that they, or init, have waited for.
    cpu_ns: u64,
}

#[derive(Clone, Copy, Debug)]
struct ProcessTime {
    /// CPU time of its own threads.
    own_ns: u64,
    /// How long its first thread has waited for a core, waits that go on not included; None for one that waits by its own
    /// doing, and where the kernel does not tell.
    waited_ns: Option<u64>,
    runnable: Runnable,
}

/// Whether a thread of a process could run, as it was started.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Runnable {
    No,
    Yes,
    /// It was seen for the first time, and has run for this share of the time for which it could.
    New(f64),
}

/// Processes and threads of a tree that can be looked at in some ten milliseconds.
const MAX_THREADS: u64 = 1000;

impl Tree {
    /// None where there are more processes and threads than can be looked at. `ended_us` is the CPU time of processes that
    /// ended without a parent to wait for them.
    pub(super) fn look(
        census: &Census,
        machine: &Machine,
        before: &Tree,
        ended_us: u64,
    ) -> Option<Tree> {
        let all_before = machine.runnable();
        let mut tree = Tree {
            cpu_ns: ended_us * 1000,
            ..Tree::default()
        };
        for pid in census.processes() {
            let (Some(stat), Some(own_ns)) = (Stat::read(pid), cpu_ns_of(pid)) else {
                continue;
            };
            tree.threads += stat.threads.max(1) as u64;
            if tree.threads > MAX_THREADS {
                return None;
            }
            tree.cpu_ns += own_ns + stat.waited_ticks * tick_ns();
            let told = run_and_wait_ns(pid);
            let ready = RunnableThreads::of(machine, pid, &stat);
            tree.runnable += ready.all;
            let runnable = match ready.as_started {
                0 => Runnable::No,
                _ if before.processes.contains_key(&pid) => Runnable::Yes,
                _ => Runnable::New(share(told)),
            };
            let told = told.filter(|_| machine.is_as_started(pid, &stat));
            let process = ProcessTime {
                own_ns,
                waited_ns: told.map(|(_, wait_ns)| wait_ns),
                runnable,
            };
            tree.processes.insert(pid, process);
        }
        // Some of the tree may have come or gone meanwhile, and this thread runs too.
        let all = all_before.min(machine.runnable());
        tree.is_crowded_out = machine.is_taken_by(all.saturating_sub(tree.runnable + 1));
        Some(tree)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    pub(super) fn threads(&self) -> u64 {
        self.threads
    }

    pub(super) fn is_crowded_out(&self) -> bool {
        self.is_crowded_out
    }

    pub(super) fn cpu_ns(&self) -> u64 {
        self.cpu_ns
    }

    /// How much of one core it did not get in the interval that began with the look before.
    ///
    /// What it got is the larger of two sums. The one by what has been waited for knows those that came and went between the
    /// looks. But nobody waits for a child whose parent ignores its end; so the other one takes those that are there now
    /// for all that were there, each with the share of the time that it got.
    pub(super) fn missed_ns(&self, before: &Tree, interval_ns: u64) -> u64 {
        let counted_ns = self.cpu_ns.saturating_sub(before.cpu_ns);
        // It has not begun: its zygote waits for a core to start it on.
        if self.is_empty() && before.is_empty() {
            return interval_ns;
        }
        let could_run = |process: &ProcessTime| process.runnable != Runnable::No;
        if !self.processes.values().any(could_run) {
            return self.waited_ns(before, counted_ns).min(interval_ns);
        }
        let seen_ns: u64 = self
            .processes
            .iter()
            .map(|(pid, process)| match process.runnable {
                Runnable::New(share) => (share * interval_ns as f64) as u64,
                _ => {
                    let earlier = before.processes.get(pid).map_or(0, |p| p.own_ns);
                    process.own_ns.saturating_sub(earlier)
                }
            })
            .sum();
        interval_ns.saturating_sub(counted_ns.max(seen_ns))
    }

    /// What one of those that were there already has waited, without what the others of the tree have run meanwhile: none of
    /// them may be waiting now, though they have been all the time.
    fn waited_ns(&self, before: &Tree, counted_ns: u64) -> u64 {
        let waits = self.processes.iter().filter_map(|(pid, process)| {
            let earlier = before.processes.get(pid)?;
            let others_ns =
                counted_ns.saturating_sub(process.own_ns.saturating_sub(earlier.own_ns));
            let waited_ns = process.waited_ns?.saturating_sub(earlier.waited_ns?);
            Some(waited_ns.saturating_sub(others_ns))
        });
        waits.max().unwrap_or(0)
    }
}

/// How many threads of a process could run.
#[derive(Default)]
struct RunnableThreads {
    all: u64,
    /// Those that are scheduled as they were when they were started: what another one waits for, it waits for by its own doing.
    as_started: u64,
}

impl RunnableThreads {
    fn of(machine: &Machine, pid: i32, stat: &Stat) -> RunnableThreads {
        let mut ready = RunnableThreads::default();
        if stat.threads <= 1 {
            ready.count(machine, pid, stat);
        } else {
            let stats = threads(pid).filter_map(|t| Some((t, Stat::of_thread(pid, t)?)));
            stats.for_each(|(thread, stat)| ready.count(machine, thread, &stat));
        }
        ready
    }

    fn count(&mut self, machine: &Machine, thread: i32, stat: &Stat) {
        if stat.state == 'R' {
            self.all += 1;
            self.as_started += u64::from(machine.is_as_started(thread, stat));
        }
    }
}

/// For how much of the time in which it could run, the first thread of a process has run. Where the kernel does not tell,
/// all of it.
fn share(told: Option<(u64, u64)>) -> f64 {
    match told {
        // It still waits for its first turn, or the kernel says so of everybody.
        Some((0, 0)) if has_run(getpid().as_raw()) => 0.0,
        Some((0, 0)) | None => 1.0,
        Some((run_ns, wait_ns)) => run_ns as f64 / (run_ns + wait_ns) as f64,
    }
}

fn has_run(pid: i32) -> bool {
    run_and_wait_ns(pid).is_some_and(|(run_ns, _)| run_ns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: u64 = 100;

    fn tree(cpu_ns: u64, processes: &[(i32, u64, Runnable)]) -> Tree {
        let process = |&(pid, own_ns, runnable)| {
            let process = ProcessTime {
                own_ns,
                waited_ns: Some(0),
                runnable,
            };
            (pid, process)
        };
        Tree {
            processes: processes.iter().map(process).collect(),
            threads: 1,
            runnable: 0,
            is_crowded_out: true,
            cpu_ns,
        }
    }

    fn missed(
        before: (u64, &[(i32, u64, Runnable)]),
        after: (u64, &[(i32, u64, Runnable)]),
    ) -> u64 {
        tree(after.0, after.1).missed_ns(&tree(before.0, before.1), INTERVAL)
    }

    #[test]
    fn who_could_run_and_got_a_part_missed_the_rest() {
        let before = (10, &[(2, 10, Runnable::Yes)][..]);
        assert_eq!(missed(before, (40, &[(2, 40, Runnable::Yes)])), 70);
        assert_eq!(missed(before, (10, &[(2, 10, Runnable::Yes)])), 100);
    }

    #[test]
    fn who_has_not_begun_misses_all_of_it() {
        assert_eq!(missed((0, &[]), (0, &[])), 100);
        assert_eq!(missed((0, &[]), (0, &[(2, 0, Runnable::No)])), 0);
        assert_eq!(missed((0, &[(2, 0, Runnable::No)]), (0, &[])), 0);
    }

    #[test]
    fn who_sleeps_misses_nothing() {
        let before = (10, &[(2, 10, Runnable::Yes)][..]);
        assert_eq!(missed(before, (10, &[(2, 10, Runnable::No)])), 0);
    }

    #[test]
    fn who_sleeps_now_and_has_waited_since_the_last_look_missed_that() {
        let process = |own_ns, waited_ns| ProcessTime {
            own_ns,
            waited_ns: Some(waited_ns),
            runnable: Runnable::No,
        };
        let tree = |cpu_ns, processes: &[(i32, ProcessTime)]| Tree {
            processes: processes.iter().copied().collect(),
            ..tree(cpu_ns, &[])
        };
        let before = tree(0, &[(2, process(0, 5)), (3, process(0, 0))]);
        let alone = tree(10, &[(2, process(10, 65)), (3, process(0, 0))]);
        assert_eq!(alone.missed_ns(&before, INTERVAL), 60);
        let behind_another = tree(50, &[(2, process(10, 65)), (3, process(40, 0))]);
        assert_eq!(behind_another.missed_ns(&before, INTERVAL), 20);
        // Before, it had lowered its priority: what it waited until it raised it again is not known.
        let lowered = ProcessTime {
            waited_ns: None,
            ..process(0, 0)
        };
        let before = tree(0, &[(2, lowered)]);
        assert_eq!(alone.missed_ns(&before, INTERVAL), 0);
    }

    #[test]
    fn who_waits_for_threads_of_its_own_tree_misses_nothing() {
        let before = (0, &[(2, 0, Runnable::Yes), (3, 0, Runnable::Yes)][..]);
        let after = (100, &[(2, 0, Runnable::Yes), (3, 100, Runnable::Yes)][..]);
        assert_eq!(missed(before, after), 0);
    }

    #[test]
    fn children_that_came_and_went_got_what_they_were_waited_for() {
        let before = (0, &[(2, 0, Runnable::No)][..]);
        let after = (30, &[(2, 0, Runnable::No), (9, 0, Runnable::New(0.2))][..]);
        assert_eq!(missed(before, after), 70);
    }

    #[test]
    fn children_that_nobody_waits_for_count_with_what_those_seen_got() {
        let before = (0, &[(2, 0, Runnable::No)][..]);
        let after = (1, &[(2, 0, Runnable::No), (9, 1, Runnable::New(0.9))][..]);
        assert_eq!(missed(before, after), 10);
    }
}
