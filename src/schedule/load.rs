//! How many episodes run at one time, while the machine has no time for them.
//!
//! Where most of the attempts that ended lately got less than a third of the time in which they could have run, half as many run,
//! down to one for each core; where few do, more again.

use crate::spec::execution::Execution;

/// Episodes shorter than this say little about it, in nanoseconds.
const MIN_EPISODE_NS: u64 = 100_000_000;
/// Of its time, what an episode lost that the machine had no time for.
const TOO_MUCH: f64 = 2.0 / 3.0;
/// How many ends it takes to judge, at least.
const MIN_ENDS: usize = 8;

pub(crate) struct Load {
    cores: usize,
    full: usize,
    allowed: usize,
    ended: usize,
    starved: usize,
    /// What to say of it.
    note: Option<String>,
}

impl Load {
    /// `full` is what was asked for.
    pub(crate) fn new(full: usize, cores: usize) -> Load {
        Load {
            cores,
            full,
            allowed: full,
            ended: 0,
            starved: 0,
            note: None,
        }
    }

    /// How many may run at one time.
    pub(crate) fn allowed(&self) -> usize {
        self.allowed
    }

    /// What people are to be told, once.
    pub(crate) fn take_note(&mut self) -> Option<String> {
        self.note.take()
    }

    /// Takes the end of an attempt into account, whatever becomes of its episode.
    pub(crate) fn record(&mut self, attempt: &Execution) {
        let note = self.ended(attempt.wall_ns(), attempt.stalled_ns());
        self.note = note.or(self.note.take());
    }

    /// What to say of one more.
    fn ended(&mut self, wall_ns: u64, stalled_ns: u64) -> Option<String> {
        if wall_ns < MIN_EPISODE_NS {
            return None;
        }
        self.ended += 1;
        self.starved += usize::from(stalled_ns as f64 > wall_ns as f64 * TOO_MUCH);
        if self.ended < self.allowed.max(MIN_ENDS) {
            return None;
        }
        let (ended, starved) = (
            std::mem::take(&mut self.ended),
            std::mem::take(&mut self.starved),
        );
        let lowest = self.cores.min(self.full);
        if starved * 2 > ended && self.allowed > lowest {
            self.allowed = (self.allowed / 2).max(lowest);
            return Some(format!(
                "runner: the machine is too busy: {starved} of {ended} episodes got less than a third of the time in which they \
                 could have run; {} run at a time now, not {}",
                self.allowed, self.full
            ));
        }
        if starved * 4 < ended && self.allowed < self.full {
            self.allowed = (self.allowed + self.allowed.div_ceil(4)).min(self.full);
            return (self.allowed == self.full)
                .then(|| format!("runner: {} episodes run at a time again", self.full));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn end_some(load: &mut Load, count: usize, stalled_ms: u64) -> Vec<String> {
        (0..count)
            .filter_map(|_| load.ended(1000 * MS, stalled_ms * MS))
            .collect()
    }

    #[test]
    fn where_most_starve_half_as_many_run_down_to_one_for_each_core() {
        let mut load = Load::new(16, 2);
        let said = end_some(&mut load, 16, 900);
        assert_eq!(load.allowed(), 8);
        assert!(
            said[0].contains("16 of 16 episodes")
                && said[0].contains("8 run at a time now, not 16"),
            "{said:?}"
        );
        end_some(&mut load, 100, 900);
        assert_eq!(load.allowed(), 2);
    }

    #[test]
    fn where_few_starve_as_many_run_again_as_were_asked_for() {
        let mut load = Load::new(16, 2);
        end_some(&mut load, 16, 900);
        let said = end_some(&mut load, 200, 0);
        assert_eq!(load.allowed(), 16);
        assert_eq!(said, ["runner: 16 episodes run at a time again"]);
    }

    #[test]
    fn what_shares_the_cores_by_two_and_what_is_short_changes_nothing() {
        let mut load = Load::new(16, 2);
        assert!(end_some(&mut load, 100, 550).is_empty());
        assert!((0..100).all(|_| load.ended(10 * MS, 10 * MS).is_none()));
        assert_eq!(load.allowed(), 16);
    }
}
