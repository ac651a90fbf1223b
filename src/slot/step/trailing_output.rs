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
/// How long they are waited for, on a machine that has no core for them, in nanoseconds.
const WAIT_TIMEOUT_NS: u64 = 500_000_000;
/// More processes than these are no helpers, and take long to look at.
const MAX_PROCESSES: usize = 64;

impl Running<'_, '_> {
    /// Reads until nobody holds the output any more, or those that do have gone to sleep.
    pub(super) fn await_trailing_output(&mut self) {
        let begin_ns = monotonic_ns();
        let mut before = Left::default();
        let mut ran_ns = 0;
        let mut interval = FIRST_INTERVAL;
        while self.pipes.outputs().next().is_some() && monotonic_ns() - begin_ns < WAIT_TIMEOUT_NS {
            let left = Left::look(self.context.census.processes());
            ran_ns += left.run_since(&before);
            // Asleep twice, and no core in between: else one of them may have woken another after that was looked at.
            let is_silent = left.all_asleep && left == before;
            let is_busy = ran_ns > MAX_RUN_NS || left.run_ns.len() > MAX_PROCESSES;
            if is_silent || is_busy || self.is_over_output() {
                return;
            }
            before = left;
            self.await_output(interval);
            interval = MAX_INTERVAL.min(interval * 2);
            if self.drain() > 0 {
                (before, ran_ns) = (Left::default(), 0);
            }
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
    /// How long the first thread of each has run.
    run_ns: BTreeMap<i32, u64>,
}

impl Left {
    fn look(processes: Vec<i32>) -> Left {
        let mut left = Left {
            all_asleep: true,
            run_ns: BTreeMap::new(),
        };
        for pid in processes.into_iter().take(MAX_PROCESSES + 1) {
            let Some(state) = procfs::state(pid) else {
                continue;
            };
            left.all_asleep &= matches!(state, 'S' | 'T' | 'Z' | 'X');
            let ran = procfs::run_and_wait_ns(pid);
            left.run_ns.insert(pid, ran.map_or(0, |(ran_ns, _)| ran_ns));
        }
        left
    }

    /// CPU time of those that were there before, since then, in nanoseconds.
    fn run_since(&self, before: &Left) -> u64 {
        let since = |(pid, ran_ns): (&i32, &u64)| {
            let earlier_ns = before.run_ns.get(pid)?;
            Some(ran_ns.saturating_sub(*earlier_ns))
        };
        self.run_ns.iter().filter_map(since).sum()
    }
}
