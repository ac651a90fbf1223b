//! For how long the host kept a program from running: an estimate, by samples.
//!
//! A program loses time while one of its threads could run and none of them does. At moments that no program can foresee,
//! init looks whether a thread could run ([`tree`]). Where one could, it is taken to have been so since the look before, and
//! what the tree did not get of one core meanwhile was kept from it. Waiting for its own threads is never lost time: they
//! have the core. Nor is what it did to itself: a thread that lowered its priority or its choice of cores does not count.
//!
//! Only others can keep a core from it, so the sum is bounded by what they used ([`machine`]), and by how often so many of them
//! could run that no core was left. That tells short waits for a wake-up, on a machine that has cores to spare, from those for
//! a core; and the time of children that nobody waits for, which the kernel tells to nobody, from that of others.

mod machine;
mod tree;

pub(super) use machine::Machine;
use machine::Others;
use tree::Tree;

use super::census::Census;
use super::look_guard::LookGuard;
use crate::sys::clock::{cpu_us, monotonic_ns};
use std::time::Duration;

const MS: u64 = 1_000_000;
/// Between two looks, as far as the timeout has room for so many.
const MIN_INTERVAL_NS: u64 = 20 * MS;
const MAX_INTERVAL_NS: u64 = 250 * MS;
const LOOKS_PER_TIMEOUT: u64 = 64;
/// The next look comes after a part of the time that has passed, so that short programs are looked at too.
const INTERVAL_PART: u64 = 4;
/// Who loses time finds that others left no core at one look in so many at least. On a machine that does nothing else, that is
/// seen now and then: of threads that end, the kernel still counts some as running that it shows no more.
const CROWDED_SHARE: u64 = 6;
/// Looks take at most one part in so many of the CPU time of a core, as long as they come often enough.
const MAX_WORK: u64 = 200;

/// What one execution has lost so far.
pub(super) struct Stalled {
    begin_ns: u64,
    max_interval_ns: u64,
    last: Tree,
    /// When the last look was, or the program begun.
    looked_ns: u64,
    next_ns: u64,
    /// What it did not get of one core while it could run, whoever had it.
    missed_ns: u64,
    /// What others use since the first look; None before that, and where the kernel does not tell.
    others: Option<Others>,
    /// What it had missed by then.
    first_ns: u64,
    /// Whether a process was seen.
    has_begun: bool,
    /// Looks at which a tree was seen, and those of them at which others left no core.
    looks: u64,
    crowded_looks: u64,
    /// Of what it missed, what others had.
    kept_ns: u64,
    /// What a hypervisor gave to other machines, as of when that was concluded.
    stolen_ns: u64,
}

impl Stalled {
    pub(super) fn new(now_ns: u64, timeout: Duration) -> Self {
        let timeout_ns = timeout.as_nanos().min(u128::from(u64::MAX)) as u64;
        let max_interval_ns =
            (timeout_ns / LOOKS_PER_TIMEOUT).clamp(MIN_INTERVAL_NS, MAX_INTERVAL_NS);
        Stalled {
            begin_ns: now_ns,
            max_interval_ns,
            last: Tree::default(),
            looked_ns: now_ns,
            next_ns: now_ns + jittered(MIN_INTERVAL_NS),
            missed_ns: 0,
            others: None,
            first_ns: 0,
            has_begun: false,
            looks: 0,
            crowded_looks: 0,
            kept_ns: 0,
            stolen_ns: 0,
        }
    }

    /// For a program that begins beside what earlier ones have left: what that had of the cores by now is no part of its time.
    pub(super) fn begin_beside(&mut self, census: &Census, guard: &LookGuard, machine: &Machine) {
        let look = || Tree::look(census, machine, &self.last, 0);
        if let Some(Some(tree)) = guard.undisturbed(census, look) {
            self.last = tree;
        }
    }

    /// When the next look is due, CLOCK_MONOTONIC, for one who has time until `end_ns`. That moves on with each look at a
    /// program that loses time; it is not chased more often than it can be looked at.
    pub(super) fn next_ns(&self, end_ns: u64) -> u64 {
        match self.lost_ns() {
            0 => self.next_ns.min(end_ns),
            _ => self
                .next_ns
                .min(end_ns.max(self.looked_ns + MIN_INTERVAL_NS)),
        }
    }

    /// Nanoseconds lost as of the last look.
    pub(super) fn lost_ns(&self) -> u64 {
        if self.crowded_looks * CROWDED_SHARE >= self.looks {
            self.kept_ns
        } else {
            self.stolen_ns.min(self.kept_ns)
        }
    }

    /// Whether the program, or what earlier ones have left, was seen at a look.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Processes and threads of the tree as of the last look.
    pub(super) fn threads(&self) -> u64 {
        self.last.threads()
    }

    /// Looks at the tree; how much CPU time of ours that took, in microseconds. `ended_us` is as for [`Tree::look`].
    pub(super) fn look(
        &mut self,
        census: &Census,
        guard: &LookGuard,
        machine: &Machine,
        ended_us: u64,
    ) -> u64 {
        // Not after the look, which may itself take long on a busy machine.
        let is_first = self.others.is_none();
        if is_first {
            self.others = machine.others(self.last.cpu_ns());
        }
        let (now_ns, begin_us) = (monotonic_ns(), cpu_us());
        let look = || Tree::look(census, machine, &self.last, ended_us);
        let seen = guard.undisturbed(census, look);
        let work_us = cpu_us() - begin_us;
        // What was stopped is looked at anew, for all of the time since the look before.
        if let Some(tree) = seen {
            self.take(tree, now_ns);
        }
        if is_first {
            self.first_ns = self.missed_ns;
        }
        self.conclude(machine);
        let pause_ns =
            ((now_ns - self.begin_ns) / INTERVAL_PART).clamp(MIN_INTERVAL_NS, self.max_interval_ns);
        let rest_ns = (work_us * 1000 * MAX_WORK).min(MAX_INTERVAL_NS);
        self.next_ns = now_ns + jittered(pause_ns).max(rest_ns);
        work_us
    }

    /// Of a tree that is too large to be looked at, it is not known whether it could run.
    fn take(&mut self, tree: Option<Tree>, now_ns: u64) {
        if let Some(tree) = tree {
            self.has_begun |= !tree.is_empty();
            self.looks += 1;
            self.crowded_looks += u64::from(tree.is_crowded_out());
            self.missed_ns += tree.missed_ns(&self.last, now_ns - self.looked_ns);
            self.last = tree;
        }
        self.looked_ns = now_ns;
    }

    /// Concludes from what it has missed, and from what others have used, what these kept from it.
    fn conclude(&mut self, machine: &Machine) {
        if let Some(others) = &self.others
            && self.missed_ns > self.kept_ns
        {
            let used = others.used(machine, self.last.cpu_ns());
            let most_ns = self.first_ns + used.all_ns;
            self.kept_ns = self.missed_ns.min(most_ns).max(self.kept_ns);
            self.stolen_ns = used.stolen_ns;
        }
    }
}

/// Between a half and one and a half of it.
fn jittered(pause_ns: u64) -> u64 {
    pause_ns / 2 + fastrand::u64(0..=pause_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missed_where_others_have_left_a_core_is_not_lost() {
        let lost = |crowded_looks, stolen_ns| {
            let stalled = Stalled {
                looks: 60,
                crowded_looks,
                kept_ns: 500,
                stolen_ns,
                ..Stalled::new(0, Duration::from_secs(1))
            };
            stalled.lost_ns()
        };
        assert_eq!(lost(60, 0), 500);
        assert_eq!(lost(10, 0), 500);
        // Threads that end are seen as those of others.
        assert_eq!(lost(5, 0), 0);
        // Those of another machine on the same hardware can't be seen.
        assert_eq!(lost(0, 200), 200);
        assert_eq!(lost(0, 900), 500);
    }
}
