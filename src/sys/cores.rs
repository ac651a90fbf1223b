//! On which cores a thread may run.

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

/// sched_getaffinity(2).
#[derive(Clone, Copy, Debug, Default)]
pub struct Cores(CpuSet);

impl Cores {
    /// Those of a thread, 0 being the calling one. `None` where it is gone, and where the machine has more cores than such a
    /// set can hold.
    pub fn of(thread: i32) -> Option<Cores> {
        sched_getaffinity(Pid::from_raw(thread)).ok().map(Cores)
    }

    pub fn contains(&self, core: usize) -> bool {
        self.0.is_set(core).unwrap_or(false)
    }

    pub fn count(&self) -> usize {
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
        let fewest = std::thread::available_parallelism().expect("cores").get();
        assert!(cores.count() >= fewest);
        assert_eq!(Cores::default().count(), 0);
    }
}
