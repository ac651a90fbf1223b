//! The ids that an output file already has verdicts for, in 16 bytes each.

use xxhash_rust::xxh3::xxh3_128;

/// A set of 128-bit fingerprints of ids, sorted: a million ids take 16 MB, and two ids share a
/// fingerprint with a probability of about 10⁻²⁷.
#[derive(Clone, Debug, Default)]
pub struct DoneIds(Vec<u128>);

impl DoneIds {
    pub fn contains(&self, id: &str) -> bool {
        !self.0.is_empty() && self.0.binary_search(&xxh3_128(id.as_bytes())).is_ok()
    }

    /// Distinct ids.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> FromIterator<&'a str> for DoneIds {
    fn from_iter<I: IntoIterator<Item = &'a str>>(ids: I) -> Self {
        let mut builder = Builder::default();
        ids.into_iter().for_each(|id| builder.add(id));
        builder.build()
    }
}

/// Collects ids in any order.
#[derive(Default)]
pub(super) struct Builder(Vec<u128>);

impl Builder {
    pub fn add(&mut self, id: &str) {
        self.0.push(xxh3_128(id.as_bytes()));
    }

    pub fn build(mut self) -> DoneIds {
        self.0.sort_unstable();
        self.0.dedup();
        self.0.shrink_to_fit();
        DoneIds(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_added_ids_are_contained() {
        let ids: Vec<String> = (0..1000).map(|n| format!("episode-{n}")).collect();
        let done: DoneIds = ids
            .iter()
            .map(String::as_str)
            .chain(["episode-7"])
            .collect();
        assert_eq!(done.len(), 1000);
        assert!(ids.iter().all(|id| done.contains(id)));
        assert!(!done.contains("episode-1000"));
        assert!(!DoneIds::default().contains(""));
    }
}
