//! How many episodes run at one time, while the machine has no time for them.
//!
//! Where most of those that ended lately got less than a third of the time in which they could have run, half as many run,
//! down to one for each core; where few do, more again.

/// Episodes shorter than this say little about it, in milliseconds.
const SHORTEST_MS: f64 = 100.0;
/// Of its time, what an episode lost that the machine had no time for.
const TOO_MUCH: f64 = 2.0 / 3.0;
/// How many ends it takes to judge, at least.
const FEWEST: usize = 8;

pub struct Load {
    cores: usize,
    full: usize,
    allowed: usize,
    ended: usize,
    starved: usize,
}

impl Load {
    /// `full` is what was asked for.
    pub fn new(full: usize, cores: usize) -> Load {
        Load {
            cores,
            full,
            allowed: full,
            ended: 0,
            starved: 0,
        }
    }

    /// How many may run at one time.
    pub fn allowed(&self) -> usize {
        self.allowed
    }

    /// Takes the end of an episode into account; what to say of it.
    pub fn record(&mut self, wall_ms: f64, stalled_ms: f64) -> Option<String> {
        if wall_ms < SHORTEST_MS {
            return None;
        }
        self.ended += 1;
        self.starved += usize::from(stalled_ms > wall_ms * TOO_MUCH);
        if self.ended < self.allowed.max(FEWEST) {
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

    fn end_some(load: &mut Load, count: usize, stalled_ms: f64) -> Vec<String> {
        (0..count)
            .filter_map(|_| load.record(1000.0, stalled_ms))
            .collect()
    }

    #[test]
    fn where_most_starve_half_as_many_run_down_to_one_for_each_core() {
        let mut load = Load::new(16, 2);
        let said = end_some(&mut load, 16, 900.0);
        assert_eq!(load.allowed(), 8);
        assert!(
            said[0].contains("16 of 16 episodes")
                && said[0].contains("8 run at a time now, not 16"),
            "{said:?}"
        );
        end_some(&mut load, 100, 900.0);
        assert_eq!(load.allowed(), 2);
    }

    #[test]
    fn where_few_starve_as_many_run_again_as_were_asked_for() {
        let mut load = Load::new(16, 2);
        end_some(&mut load, 16, 900.0);
        let said = end_some(&mut load, 200, 0.0);
        assert_eq!(load.allowed(), 16);
        assert_eq!(said, ["runner: 16 episodes run at a time again"]);
    }

    #[test]
    fn what_shares_the_cores_by_two_and_what_is_short_changes_nothing() {
        let mut load = Load::new(16, 2);
        assert!(end_some(&mut load, 100, 550.0).is_empty());
        assert!((0..100).all(|_| load.record(10.0, 9.9).is_none()));
        assert_eq!(load.allowed(), 16);
    }
}
