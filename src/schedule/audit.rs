//! Second runs (`--audit`): some episodes run again when all have begun, and their results say whether the verdict is the same.
//! Their first results wait in memory until then, or until the run is stopped.

use crate::sink::Place;
use crate::spec::episode::Episode;
use crate::spec::outcome::{Audit, Outcome};
use std::collections::{BTreeMap, VecDeque};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Which episodes run again.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// From 0 to 1.
    pub share: f64,
    /// The same seed chooses the same ids.
    pub seed: u64,
}

impl Sample {
    fn chooses(self, id: &str) -> bool {
        let chance = xxh3_64_with_seed(id.as_bytes(), self.seed) as f64 / u64::MAX as f64;
        chance < self.share
    }
}

/// A first result whose episode is to run again.
pub struct Held {
    pub episode: Box<Episode>,
    pub first: Outcome,
    pub place: Option<Place>,
}

/// A first result, and its place in the order.
pub type First = (Outcome, Option<Place>);

#[derive(Default)]
pub struct Audits {
    sample: Option<Sample>,
    held: VecDeque<Held>,
    /// Those whose episodes run again now, by id.
    again: BTreeMap<String, First>,
}

impl Audits {
    pub fn new(sample: Option<Sample>) -> Audits {
        Audits {
            sample,
            ..Audits::default()
        }
    }

    pub fn chooses(&self, episode: &Episode) -> bool {
        self.sample
            .is_some_and(|sample| sample.chooses(&episode.id))
    }

    pub fn hold(&mut self, held: Held) {
        self.held.push_back(held);
    }

    /// The next that is to run again.
    pub fn next(&mut self) -> Option<Box<Episode>> {
        let held = self.held.pop_front()?;
        let first = (held.first, held.place);
        self.again.insert(held.episode.id.clone(), first);
        Some(held.episode)
    }

    /// The first result of an episode that has run again.
    pub fn first_of(&mut self, id: &str) -> First {
        (self.again.remove(id)).expect("what runs again has run before")
    }

    /// One that no second run follows any more.
    pub fn give_up(&mut self) -> Option<First> {
        let held = self.held.pop_front();
        held.map(|held| (held.first, held.place))
    }

    /// One whose second run has been given up.
    pub fn give_up_running(&mut self) -> Option<First> {
        self.again.pop_first().map(|(_, first)| first)
    }

    /// How many wait.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// How many run again now.
    pub fn running(&self) -> usize {
        self.again.len()
    }
}

/// The first result, with what the second came to.
pub fn compared(mut first: Outcome, second: &Outcome) -> Outcome {
    let status = second.verdict.status;
    first.audit = Some(Audit {
        status,
        agrees: status == first.verdict.status,
    });
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_chooses_its_share_of_the_ids_and_the_same_again() {
        let sample = Sample {
            share: 0.1,
            seed: 7,
        };
        let chosen = |sample: Sample| {
            (0..10_000)
                .filter(|n| sample.chooses(&format!("e{n}")))
                .collect::<Vec<_>>()
        };
        assert!((900..1100).contains(&chosen(sample).len()));
        assert_eq!(chosen(sample), chosen(sample));
        assert_ne!(chosen(sample), chosen(Sample { seed: 8, ..sample }));
        assert_eq!(
            chosen(Sample {
                share: 1.0,
                ..sample
            })
            .len(),
            10_000
        );
    }
}
