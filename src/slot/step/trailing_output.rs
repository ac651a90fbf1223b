//! What helpers of a program write when it has ended: `exec > >(tee log)` ends before tee has passed on the last lines.
//!
//! Whoever still holds the output may also be a server that was left running and is silent. Such a one sleeps; a helper that
//! has something to pass on runs, or waits for a core, until it has done so.

use super::Running;
use crate::sys::clock::monotonic_ns;
use crate::sys::procfs;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two looks at those that are left: twice as long each time, up to the longest.
const FIRST_INTERVAL: Duration = Duration::from_micros(50);
const MAX_INTERVAL: Duration = Duration::from_millis(5);
/// CPU time without any output after which they are busy with something else, in nanoseconds.
const MAX_RUN_NS: u64 = 20_000_000;
/// How long they are waited for, in nanoseconds: while they sleep by the clock, else by their CPU time; and by the clock in all.
const WAIT_TIMEOUT_NS: u64 = 500_000_000;
const MAX_WAIT_NS: u64 = 5_000_000_000;
/// More processes than these are no helpers, and take long to look at.
const MAX_PROCESSES: usize = 64;

impl Running<'_, '_> {
    /// Reads until nobody holds the output any more, or those that do have gone to sleep.
    pub(super) fn await_trailing_output(&mut self) {
        let begin_ns = monotonic_ns();
        let mut last = Left::default();
        let mut has_printed = true;
        let (mut ran_ns, mut waited_ns, mut looked_ns) = (0, 0, begin_ns);
        let mut interval = FIRST_INTERVAL;
        let is_time_over = |waited_ns: u64| {
            waited_ns >= WAIT_TIMEOUT_NS || monotonic_ns() - begin_ns >= MAX_WAIT_NS
        };
        while self.pipes.outputs().next().is_some() && !is_time_over(waited_ns) {
            let left = Left::look(self.context.census.processes());
            let just_ran_ns = left.run_since(&last);
            let now_ns = monotonic_ns();
            // On a busy machine we wait for a core as they do: what they have had of one is what counts.
            waited_ns += if just_ran_ns > 0 || left.could_run() {
                just_ran_ns
            } else {
                now_ns - looked_ns
            };
            looked_ns = now_ns;
            // After the look: what they ran for may have been printed while we waited for a core.
            let had_printed = std::mem::replace(&mut has_printed, self.drain() > 0);
            if has_printed {
                ran_ns = 0;
            } else {
                // While one waits for a core, what another does may be for it to pass on.
                if !left.one_waits_since(&last) {
                    ran_ns += just_ran_ns;
                }
                // Asleep twice, and no core in between: else one of them may have woken another after that was looked at.
                let is_silent = left.all_asleep && !had_printed && left == last;
                let is_busy = ran_ns > MAX_RUN_NS || left.threads.len() > MAX_PROCESSES;
                if is_silent || is_busy {
                    return;
                }
            }
            if self.is_over_output() {
                return;
            }
            last = left;
            self.await_output(interval);
            interval = MAX_INTERVAL.min(interval * 2);
        }
    }

    fn await_output(&self, longest: Duration) {
        let outputs = self.pipes.outputs();
        let mut fds: Vec<_> = outputs
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        let _ = ppoll(&mut fds, Some(TimeSpec::from_duration(longest)), None);
    }
}

/// The processes that a program has left.
#[derive(Default, PartialEq)]
struct Left {
    all_asleep: bool,
    /// How long the first thread of each has run, in nanoseconds, and whether it could run now.
    threads: BTreeMap<i32, (u64, bool)>,
}

impl Left {
    fn look(processes: Vec<i32>) -> Left {
        let mut left = Left {
            all_asleep: true,
            threads: BTreeMap::new(),
        };
        for pid in processes.into_iter().take(MAX_PROCESSES + 1) {
            let Some(state) = procfs::state(pid) else {
                continue;
            };
            left.all_asleep &= matches!(state, 'S' | 'T' | 'Z' | 'X');
            let (ran_ns, _) = procfs::run_and_wait_ns(pid).unwrap_or_default();
            left.threads.insert(pid, (ran_ns, state == 'R'));
        }
        left
    }

    /// CPU time of those that were there before, since then, in nanoseconds.
    fn run_since(&self, before: &Left) -> u64 {
        let ran = self.since(before).map(|(ran_ns, _)| ran_ns);
        ran.sum()
    }

    /// Whether one of them could run, and has not run since then.
    fn one_waits_since(&self, before: &Left) -> bool {
        let mut since = self.since(before);
        since.any(|(ran_ns, could_run)| could_run && ran_ns == 0)
    }

    fn since(&self, before: &Left) -> impl Iterator<Item = (u64, bool)> {
        let threads = self.threads.iter();
        threads.filter_map(|(pid, (ran_ns, could_run))| {
            let (earlier_ns, _) = before.threads.get(pid)?;
            Some((ran_ns.saturating_sub(*earlier_ns), *could_run))
        })
    }

    /// Whether one of them runs, or waits for a core.
    fn could_run(&self) -> bool {
        self.threads.values().any(|(_, could_run)| *could_run)
    }
}
