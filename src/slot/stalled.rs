//! For how long the host kept a program from running: an estimate, by samples.
//!
//! A program loses time while one of its threads could run and none of them does. At moments that no program can foresee,
//! init looks whether a thread could run ([`tree`]). Where one could, it is taken to have been so since the look before, and
//! what the tree did not get of one core meanwhile was kept from it. Waiting for its own threads is never lost time: they
//! have the core. Nor is what it did to itself: a thread that lowered its priority or its choice of cores does not count.
//!
//! Only others can keep a core from it, so the sum is bounded by what they used ([`machine`]). That tells short waits for a
//! wake-up, on a machine that has cores to spare, from those for a core.

mod machine;
mod tree;

pub use machine::Machine;
use machine::Others;
use tree::Tree;

use super::census::Census;
use crate::sys::clock::{cpu_us, monotonic_ns};
use std::time::Duration;

const MS: u64 = 1_000_000;
/// Between two looks, as far as the timeout has room for so many.
const SHORTEST_NS: u64 = 20 * MS;
const LONGEST_NS: u64 = 250 * MS;
const LOOKS_PER_TIMEOUT: u64 = 64;
/// The next look comes after a part of the time that has passed, so that short programs are looked at too.
const PART: u64 = 4;
/// Looks take at most one part in so many of the CPU time of a core, as long as they come often enough.
const MOST_WORK: u64 = 200;

/// What one execution has lost so far.
pub struct Stalled {
    begin_ns: u64,
    longest_ns: u64,
    last: Tree,
    /// When that was looked at, or the program begun.
    looked_ns: u64,
    next_ns: u64,
    /// What it did not get, in all, and before others were looked at.
    missed_ns: u64,
    before_ns: u64,
    /// None as long as it got all that it wanted.
    others: Option<Others>,
    /// What is known to be lost.
    lost_ns: u64,
}

impl Stalled {
    pub fn new(now_ns: u64, timeout: Duration) -> Self {
        let timeout_ns = timeout.as_nanos().min(u128::from(u64::MAX)) as u64;
        let longest_ns = (timeout_ns / LOOKS_PER_TIMEOUT).clamp(SHORTEST_NS, LONGEST_NS);
        Stalled {
            begin_ns: now_ns,
            longest_ns,
            last: Tree::default(),
            looked_ns: now_ns,
            next_ns: now_ns + jittered(SHORTEST_NS),
            missed_ns: 0,
            before_ns: 0,
            others: None,
            lost_ns: 0,
        }
    }

    /// When the next look is due, CLOCK_MONOTONIC.
    pub fn next_ns(&self) -> u64 {
        self.next_ns
    }

    /// Nanoseconds lost as of the last look.
    pub fn lost_ns(&self) -> u64 {
        self.lost_ns
    }

    /// Processes and threads of the tree as of the last look.
    pub fn threads(&self) -> u64 {
        self.last.threads()
    }

    /// Looks at the tree; how much CPU time of ours that took, in nanoseconds. `ended_us` is the CPU time of processes that
    /// ended without a parent to wait for them.
    pub fn look(&mut self, census: &Census, machine: &Machine, ended_us: u64) -> u64 {
        let (now_ns, begin_us) = (monotonic_ns(), cpu_us());
        let tree = Tree::look(census, machine, &self.last, ended_us);
        let missed_ns = tree.missed_ns(&self.last, now_ns - self.looked_ns);
        self.missed_ns += missed_ns;
        (self.last, self.looked_ns) = (tree, now_ns);
        if missed_ns > 0 && self.others.is_none() {
            self.others = machine.others(self.last.cpu_ns());
            self.before_ns = self.missed_ns;
        }
        self.lost_ns = match &self.others {
            None => 0,
            Some(others) => {
                let most_ns = self.before_ns + others.used_ns(machine, self.last.cpu_ns());
                self.missed_ns.min(most_ns).max(self.lost_ns)
            }
        };
        let work_ns = (cpu_us() - begin_us) * 1000;
        let pause_ns = ((now_ns - self.begin_ns) / PART).clamp(SHORTEST_NS, self.longest_ns);
        self.next_ns = now_ns + jittered(pause_ns).max((work_ns * MOST_WORK).min(LONGEST_NS));
        work_ns
    }
}

/// Between a half and one and a half of it.
fn jittered(pause_ns: u64) -> u64 {
    pause_ns / 2 + fastrand::u64(0..=pause_ns)
}
