//! How many episodes ended with each status.

use crate::spec::outcome::{Fault, Status};
use serde::{Serialize, Serializer};

/// A number per status. As JSON: an object with every status, those with 0 included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Status::ALL.len()]);

impl Counts {
    pub fn add(&mut self, status: Status) {
        self.0[status as usize] += 1;
    }

    /// Takes away what `others` counts, which was counted here before.
    pub fn remove(&mut self, others: &Counts) {
        for (number, other) in self.0.iter_mut().zip(others.0) {
            *number -= other;
        }
    }

    pub fn get(&self, status: Status) -> u64 {
        self.0[status as usize]
    }

    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// All that did not end `ok`.
    pub fn not_ok(&self) -> u64 {
        self.total() - self.get(Status::Ok)
    }

    /// Those with this fault; `None` counts the `ok` ones.
    pub fn of_fault(&self, fault: Option<Fault>) -> u64 {
        self.iter()
            .filter(|(status, _)| status.fault() == fault)
            .map(|(_, n)| n)
            .sum()
    }

    /// Every status with its number, in the order of `Status::ALL`.
    pub fn iter(&self) -> impl Iterator<Item = (Status, u64)> {
        Status::ALL
            .into_iter()
            .map(|status| (status, self.get(status)))
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.iter().map(|(status, n)| (status.name(), n)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_counted_apart_and_by_fault() {
        let mut counts = Counts::default();
        for status in Status::ALL {
            counts.add(status);
        }
        counts.add(Status::Timeout);
        assert_eq!(counts.get(Status::Timeout), 2);
        assert_eq!(counts.total(), 11);
        assert_eq!(counts.not_ok(), 10);
        assert_eq!(counts.of_fault(Some(Fault::Limit)), 6);
        assert_eq!(counts.of_fault(Some(Fault::Program)), 2);
        assert_eq!(counts.of_fault(None), 1);
    }
}
