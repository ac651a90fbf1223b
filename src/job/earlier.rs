//! `--resume`: which verdicts of an earlier run still count.
//!
//! A verdict counts while its line asks for what it asked for then (`spec_digest`), and one that says that a line is not valid
//! while a line has its id. The others are removed from the output before anything runs, in one step that a crash leaves
//! done or undone. A stream can be read only once: there changed lines turn out as they come, their old verdicts stand
//! beside the new ones until the run is over, and are removed then, or when the output is opened again. Of several
//! verdicts of an id the last one counts.

use crate::sink::{Counts, Earlier, Held, OpenError, Opened, hold_output};
use crate::source::{self, Changed, Identities, SourceConfig};
use crate::spec::outcome::Status;
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

/// An output that is this run's alone, and in which nothing was changed yet.
pub(super) struct Before {
    held: Held,
    /// All ids that lines have, where verdicts may have to go for it.
    ids: Option<Identities>,
}

/// Locks and reads the output. With `resume`, `input` leaves out what has a verdict that counts.
pub(super) fn hold(
    path: &Path,
    resume: bool,
    input: &mut SourceConfig,
) -> Result<Before, OpenError> {
    let mut held = hold_output(path, resume)?;
    if !resume {
        return Ok(Before { held, ids: None });
    }
    let done = held.take_done();
    let has_digests = done.has_digests();
    input.done = Some(Arc::new(move |id: &str| done.asked(id)));
    let ids = if has_digests || held.has_invalid() {
        source::find_changed(input)
    } else {
        None
    };
    let ids = ids.filter(|_| held.has_invalid());
    Ok(Before { held, ids })
}

impl Before {
    /// Removes what does not count any more; also returns how many verdicts of lines that are gone those were.
    pub(super) fn open(self, changed: &Changed) -> Result<(Opened, u64), OpenError> {
        let Before { held, ids } = self;
        if changed.is_empty() && ids.is_none() {
            return Ok((held.open(None)?, 0));
        }
        let gone = Cell::new(0);
        let is_outdated = |verdict: &Earlier<'_>| {
            let is_gone = verdict.status == Status::Invalid
                && ids.as_ref().is_some_and(|ids| !ids.has(verdict.id));
            gone.set(gone.get() + u64::from(is_gone));
            is_gone || changed.has_outdated(verdict.id, verdict.digest)
        };
        Ok((held.open(Some(&is_outdated))?, gone.get()))
    }
}

/// What people are told of changed lines.
pub(super) fn note(changed: &Changed) -> Option<String> {
    let (count, first) = changed.summary()?;
    Some(match count {
        1 => format!("1 line changed since its verdict and runs again: {first}"),
        _ => format!(
            "{count} lines changed since their verdicts and run again; the first is {first}"
        ),
    })
}

/// What people are told of `invalid` results that were removed.
pub(super) fn note_gone(count: u64) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 invalid result was removed, because no line has its id any more".into()),
        _ => Some(format!(
            "{count} invalid results were removed, because no lines have their ids any more"
        )),
    }
}

/// Removes the verdicts of lines that turned out to be changed while the run went on, and counts them.
pub(super) fn drop_outdated(path: &Path, changed: &Changed) -> Result<Counts, OpenError> {
    let held = hold_output(path, true)?;
    held.drop_outdated(&|verdict| changed.has_outdated(verdict.id, verdict.digest))
}

#[cfg(test)]
mod tests;
