//! How long a part of the work may take.

use crate::sys::clock::{cpu_us, monotonic_ns};
use std::time::Duration;

/// CPU time of this process, so that a busy machine takes no files from an episode; and a time in which it has to end
/// whatever the machine does.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    /// By [`cpu_us`].
    cpu_us: u64,
    /// By CLOCK_MONOTONIC.
    ns: u64,
}

impl Bound {
    pub(super) fn from_now(cpu: Duration, longest: Duration) -> Bound {
        let longest_ns = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
        let cpu = u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX);
        Bound {
            cpu_us: cpu_us().saturating_add(cpu),
            ns: monotonic_ns().saturating_add(longest_ns),
        }
    }

    #[cfg(test)]
    pub(super) fn endless() -> Bound {
        Bound::from_now(Duration::MAX, Duration::MAX)
    }

    pub(super) fn is_reached(self) -> bool {
        cpu_us() > self.cpu_us || monotonic_ns() > self.ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::sleep;

    #[test]
    fn a_bound_is_reached_by_work_and_by_waiting_only_at_last() {
        let (short, long) = (Duration::from_millis(30), Duration::from_secs(600));
        let longest = Bound::from_now(long, short);
        sleep(2 * short);
        assert!(longest.is_reached());
        let works = Bound::from_now(short, long);
        while !works.is_reached() {}
        assert!(monotonic_ns() < works.ns);
    }
}
