//! Attacks of a module that run together: most of the time of a run is its start, so there is one for all of them in each
//! way. The tests that want its results wait for it.

use crate::common::Way;
use std::sync::OnceLock;

/// An attack in the words of a test.
pub type Words = &'static [&'static str];

/// `R` is what the run in one way comes to.
pub struct Batch<R> {
    attacks: &'static [Words],
    runs: OnceLock<Vec<(Way, R)>>,
}

impl<R> Batch<R> {
    pub const fn new(attacks: &'static [Words]) -> Batch<R> {
        Batch {
            attacks,
            runs: OnceLock::new(),
        }
    }

    /// The runs in all ways, and which of their attacks this one is. The first to ask runs them.
    #[track_caller]
    pub fn runs(&self, attack: &[&str], run: impl Fn(Way, &[Words]) -> R) -> (usize, &[(Way, R)]) {
        let number = self.attacks.iter().position(|other| *other == attack);
        let runs = self.runs.get_or_init(|| {
            let run = |way| (way, run(way, self.attacks));
            Way::all().into_iter().map(run).collect()
        });
        (number.expect("it is one of them"), runs)
    }
}
