//! How many cores there are, and on which of them a thread may run.

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

/// How many programs can run at one time, by the affinity and the CPU quota of this process; 1 where that can't be told.
pub(crate) fn available() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

/// sched_getaffinity(2).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cores(CpuSet);

impl Cores {
    /// Those of a thread, 0 being the calling one. `None` where it is gone, and where the machine has more cores than such a
    /// set can hold.
    pub(crate) fn of(thread: i32) -> Option<Cores> {
        sched_getaffinity(Pid::from_raw(thread)).ok().map(Cores)
    }

    pub(crate) fn contains(&self, core: usize) -> bool {
        self.0.is_set(core).unwrap_or(false)
    }

    pub(crate) fn count(&self) -> usize {
        (0..CpuSet::count())
            .filter(|core| self.contains(*core))
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_as_the_standard_library_says_at_least() {
        let cores = Cores::of(0).expect("fewer than 1,024 cores");
        assert!(cores.count() >= available());
        assert_eq!(Cores::default().count(), 0);
    }
}
