//! When the pids cgroup that the runner is in refused processes and threads. Its count is read a few times a second and when a
//! program has failed, not for each episode.

use super::count;
use crate::sys::clock::monotonic_ns;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;

/// How many times are remembered.
const TIMES: usize = 64;

pub(super) struct Refusals {
    /// `pids.events`.
    file: File,
    seen: RefCell<Seen>,
}

/// The last look, and between which looks the count grew.
struct Seen {
    at_ns: u64,
    count: u64,
    grew: VecDeque<(u64, u64)>,
}

impl Refusals {
    pub(super) fn new(file: File) -> Refusals {
        let seen = Seen {
            at_ns: monotonic_ns(),
            count: count(&file, "max "),
            grew: VecDeque::new(),
        };
        Refusals {
            file,
            seen: RefCell::new(seen),
        }
    }

    pub(super) fn look(&self) {
        let before_ns = monotonic_ns();
        let count = count(&self.file, "max ");
        self.seen
            .borrow_mut()
            .looked(before_ns, monotonic_ns(), count);
    }

    /// Whether there may have been one between these.
    pub(super) fn any(&self, from_ns: u64, to_ns: u64) -> bool {
        self.look();
        self.seen.borrow().any(from_ns, to_ns)
    }
}

impl Seen {
    /// The look was between these. What is refused during one may be in its count, or in that of the next.
    fn looked(&mut self, before_ns: u64, after_ns: u64, count: u64) {
        if count > self.count {
            if self.grew.len() == TIMES {
                self.grew.pop_front();
            }
            self.grew.push_back((self.at_ns, after_ns));
        }
        (self.at_ns, self.count) = (before_ns, count);
    }

    fn any(&self, from_ns: u64, to_ns: u64) -> bool {
        let mut grew = self.grew.iter();
        grew.any(|(after_ns, by_ns)| *by_ns >= from_ns && *after_ns <= to_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_met_what_was_refused_between_two_looks_that_it_ran_between_or_at() {
        let mut seen = Seen {
            at_ns: 100,
            count: 7,
            grew: VecDeque::new(),
        };
        for (now_ns, count) in [(200, 7), (300, 9), (400, 9)] {
            seen.looked(now_ns - 10, now_ns, count);
        }
        assert!(
            [(210, 220), (0, 250), (250, 500), (300, 400)].map(|(a, b)| seen.any(a, b))
                == [true; 4]
        );
        assert!([(0, 189), (301, 500)].map(|(a, b)| seen.any(a, b)) == [false; 2]);
    }
}
