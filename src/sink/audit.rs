//! What second runs of episodes came to (`--audit`).

use crate::spec::outcome::{Outcome, Status};
use serde::Serialize;

/// Of how many episodes whose verdict was another one the ids are named.
const MAX_NAMED: usize = 3;

/// A part of the report.
#[derive(Clone, Debug, Serialize)]
pub struct AuditReport {
    /// What decided which episodes ran again.
    pub seed: u64,
    /// Episodes that ran again.
    pub episodes: u64,
    /// Those with the same status again.
    pub agree: u64,
    /// The others, by both.
    pub flips: Vec<Flip>,
}

/// Episodes that had one status, and then another.
#[derive(Clone, Debug, Serialize)]
pub struct Flip {
    pub first: Status,
    pub second: Status,
    pub episodes: u64,
    /// The first few.
    pub ids: Vec<String>,
}

impl AuditReport {
    pub fn new(seed: u64) -> AuditReport {
        AuditReport {
            seed,
            episodes: 0,
            agree: 0,
            flips: Vec::new(),
        }
    }

    /// Takes in a result whose episode ran again.
    pub fn record(&mut self, outcome: &Outcome) {
        let Some(audit) = &outcome.audit else {
            return;
        };
        self.episodes += 1;
        self.agree += u64::from(audit.agrees);
        if audit.agrees {
            return;
        }
        let (first, second) = (outcome.verdict.status, audit.status);
        let is_known = |flip: &Flip| (flip.first, flip.second) == (first, second);
        let known = self.flips.iter().position(is_known);
        let index = known.unwrap_or_else(|| {
            self.flips.push(Flip {
                first,
                second,
                episodes: 0,
                ids: Vec::new(),
            });
            self.flips.len() - 1
        });
        let flip = &mut self.flips[index];
        flip.episodes += 1;
        if flip.ids.len() < MAX_NAMED {
            flip.ids.push(outcome.id.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::outcome;
    use super::*;
    use crate::spec::outcome::Audit;

    #[test]
    fn flips_are_counted_by_both_statuses_and_the_first_of_them_are_named() {
        let mut report = AuditReport::new(7);
        for (n, second) in [
            Status::Ok,
            Status::Timeout,
            Status::Timeout,
            Status::Timeout,
            Status::Timeout,
            Status::Failed,
        ]
        .into_iter()
        .enumerate()
        {
            let mut outcome = outcome(&format!("e{n}"), Status::Ok);
            outcome.audit = Some(Audit {
                status: second,
                agrees: second == Status::Ok,
            });
            report.record(&outcome);
        }
        assert_eq!((report.episodes, report.agree), (6, 1));
        let flips = report
            .flips
            .iter()
            .map(|flip| (flip.second, flip.episodes, flip.ids.len()));
        assert_eq!(
            flips.collect::<Vec<_>>(),
            [(Status::Timeout, 4, 3), (Status::Failed, 1, 1)]
        );
    }
}
