//! How many processes the kernel has killed for lack of memory in the cgroup that the runner is in, and when.

use super::count;
use crate::sys::clock::monotonic_ns;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;

/// How long a process that was killed may take to end, on cores of its own: the kernel has to give back what it holds.
const DYING_TIMEOUT_NS: u64 = 500_000_000;
/// How many looks are remembered: a slot tells of an end when it has cleaned up, which may take seconds.
const MAX_LOOKS: usize = 64;

pub(super) struct Kills {
    file: File,
    seen: RefCell<Seen>,
}

/// The count at moments of the past, and which of these kills have explained an end.
struct Seen {
    /// When, and how many there had been.
    looks: VecDeque<(u64, u64)>,
    explained: u64,
}

impl Kills {
    pub(super) fn new(file: File) -> Kills {
        let kills = Kills {
            file,
            seen: RefCell::new(Seen {
                looks: VecDeque::new(),
                explained: 0,
            }),
        };
        kills.look();
        kills
    }

    pub(super) fn look(&self) {
        let look = (monotonic_ns(), self.count());
        self.seen.borrow_mut().looked(look);
    }

    /// Whether there was a kill for a program that ended then, one that explains no other end. `stalled_ns` is how long it waited
    /// for a core meanwhile: it may have been killed that much earlier.
    pub(super) fn explains(&self, ended_ns: u64, stalled_ns: u64) -> bool {
        let mut seen = self.seen.borrow_mut();
        seen.explains(ended_ns, stalled_ns, self.count())
    }

    fn count(&self) -> u64 {
        count(&self.file, "oom_kill ")
    }
}

impl Seen {
    fn looked(&mut self, look: (u64, u64)) {
        if self.looks.len() == MAX_LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back(look);
    }

    fn explains(&mut self, ended_ns: u64, stalled_ns: u64, now: u64) -> bool {
        let alive_ns = ended_ns.saturating_sub(DYING_TIMEOUT_NS + stalled_ns);
        let before = self.looks.iter().rfind(|(at_ns, _)| *at_ns <= alive_ns);
        let (_, before) = before.or(self.looks.front()).copied().unwrap_or_default();
        let explained = self.explained.max(before);
        if now <= explained {
            return false;
        }
        self.explained = explained + 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn seen(looks: &[(u64, u64)]) -> Seen {
        Seen {
            looks: looks.iter().map(|(ms, count)| (ms * MS, *count)).collect(),
            explained: 0,
        }
    }

    #[test]
    fn each_kill_explains_one_end() {
        let mut seen = seen(&[(0, 7), (1000, 7)]);
        let ends = [1500, 1500, 1500].map(|ended_ms| seen.explains(ended_ms * MS, 0, 9));
        assert_eq!(ends, [true, true, false]);
    }

    #[test]
    fn a_kill_that_was_seen_while_the_program_lived_on_explains_nothing() {
        let mut seen = seen(&[(0, 7), (1000, 8), (2000, 8)]);
        assert!(!seen.explains(2600 * MS, 0, 8));
        assert!(seen.explains(1200 * MS, 0, 8));
    }

    #[test]
    fn a_program_that_waited_for_a_core_may_have_been_killed_long_before_it_ended() {
        let looks = [(0, 7), (1000, 8), (2000, 8), (3000, 8)];
        assert!(!seen(&looks).explains(3600 * MS, 1000 * MS, 8));
        assert!(seen(&looks).explains(3600 * MS, 3000 * MS, 8));
    }
}
