//! The ids that an output file already has verdicts for, and what each of them is a verdict on, in 24 bytes each.

use crate::spec::digest::{Asked, Digest, Fingerprint, fingerprint};
use std::collections::HashMap;

/// The verdicts by the fingerprint of their id, sorted: a million of them take 24 MB.
#[derive(Clone, Debug, Default)]
pub struct DoneIds(Vec<Done>);

#[derive(Clone, Copy, Debug)]
struct Done {
    id: Fingerprint,
    digest: Option<Digest>,
}

impl DoneIds {
    pub fn contains(&self, id: &str) -> bool {
        self.asked(id).is_some()
    }

    /// What the verdict of this id is on; `None` when it has no verdict.
    pub fn asked(&self, id: &str) -> Option<Asked> {
        let id = fingerprint(id);
        let at = self.0.binary_search_by_key(&id, |done| done.id).ok()?;
        Some(match self.0[at].digest {
            Some(digest) => Asked::For(digest),
            None => Asked::Unknown,
        })
    }

    /// Whether any verdict says what it is on.
    pub fn has_digests(&self) -> bool {
        self.0.iter().any(|done| done.digest.is_some())
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
        ids.into_iter().for_each(|id| builder.add(id, None));
        builder.build().0
    }
}

/// Ids with more than one line, and how many of those are followed by another one of the same id.
#[derive(Debug, Default)]
pub(super) struct Superseded(HashMap<Fingerprint, u64>);

impl Superseded {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a later line of this id follows. To be asked once for each of its lines, in order.
    pub(super) fn is_followed(&mut self, id: &str) -> bool {
        if self.0.is_empty() {
            return false;
        }
        match self.0.get_mut(&fingerprint(id)) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }
}

/// Collects the verdicts of a file, in its order.
#[derive(Default)]
pub(super) struct Builder(Vec<Done>);

impl Builder {
    pub(super) fn add(&mut self, id: &str, digest: Option<Digest>) {
        let id = fingerprint(id);
        self.0.push(Done { id, digest });
    }

    /// The last verdict of each id counts.
    pub(super) fn build(mut self) -> (DoneIds, Superseded) {
        let mut superseded = Superseded::default();
        // Stable, so that lines of one id stay in the order of the file.
        self.0.sort_by_key(|done| done.id);
        self.0.dedup_by(|later, kept| {
            let same = later.id == kept.id;
            if same {
                *kept = *later;
                *superseded.0.entry(later.id).or_default() += 1;
            }
            same
        });
        self.0.shrink_to_fit();
        (DoneIds(self.0), superseded)
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

    #[test]
    fn the_last_verdict_of_an_id_counts() {
        let digest = |line: &str| Some(Digest::of_bytes(line.as_bytes()));
        let mut builder = Builder::default();
        for (id, digest) in [
            ("a", digest("old")),
            ("b", None),
            ("a", None),
            ("a", digest("new")),
        ] {
            builder.add(id, digest);
        }
        let (done, mut superseded) = builder.build();
        assert_eq!(done.asked("a"), digest("new").map(Asked::For));
        assert_eq!(done.asked("b"), Some(Asked::Unknown));
        assert_eq!(done.asked("c"), None);
        let followed = ["a", "b", "a", "a"].map(|id| superseded.is_followed(id));
        assert_eq!(followed, [true, false, true, false]);
    }

    #[test]
    fn an_id_takes_24_bytes() {
        assert_eq!(size_of::<Done>(), 24);
    }
}
