//! Lines that changed since their episodes got a verdict: with `--resume` they run again.

use super::identity::Identities;
use super::{Counters, Jobs, SourceConfig, pipeline};
use crate::spec::digest::{Digest, Fingerprint, fingerprint};
use crate::spec::episode::Origin;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The changed lines that were read so far, in 29 to 57 bytes each.
#[derive(Debug, Default)]
pub struct Changed(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    /// By their ids: what they ask for now.
    digests: HashMap<Fingerprint, Digest>,
    first: Option<String>,
}

impl Changed {
    /// Takes down the line of this id, whose digest is now another one.
    pub(super) fn note(&self, id: &str, digest: Digest, origin: &Origin) {
        let mut lines = self.lines();
        lines.digests.insert(fingerprint(id), digest);
        if lines.first.is_none() {
            lines.first = Some(format!("{origin}, id {id:?}"));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.lines().digests.is_empty()
    }

    /// How many there are, and where the first is, with its id.
    pub fn summary(&self) -> Option<(usize, String)> {
        let lines = self.lines();
        let first = lines.first.clone()?;
        Some((lines.digests.len(), first))
    }

    /// Whether a verdict of this id is on something that its line does not ask for any more.
    pub fn has_outdated(&self, id: &str, digest: Option<Digest>) -> bool {
        let now = self.lines().digests.get(&fingerprint(id)).copied();
        now.is_some_and(|now| digest != Some(now))
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        // Nothing that panics is done while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds the changed lines before anything runs, so that their old verdicts can be removed first, and all ids that lines
/// have. Reads all files once; a stream can be read only once, so its lines turn out to be changed as they come.
///
/// `None` where the ids are not known, because of a stream or because something could not be read.
pub fn find_changed(config: &SourceConfig) -> Option<Identities> {
    if config.jobs.iter().any(Jobs::is_stream) {
        return None;
    }
    let counters = Arc::new(Counters::default());
    let first = SourceConfig {
        counters: counters.clone(),
        ..config.clone()
    };
    // What can't be read, the run itself will say.
    let ids = pipeline::run(&first, |_| ControlFlow::Continue(())).ok();
    let found = std::mem::take(&mut *counters.changed.lines());
    *config.counters.changed.lines() = found;
    ids
}
