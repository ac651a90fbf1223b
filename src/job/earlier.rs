//! `--resume`: which verdicts of an earlier run still count.
//!
//! A verdict counts while its line asks for what it asked for then (`spec_digest`). The others are removed from the output
//! before anything runs, in one step that a crash leaves done or undone. A stream can be read only once: there they turn
//! out as lines come, stand beside the new ones until the run is over, and are removed then, or when the output is opened
//! again. Of several verdicts of an id the last one counts.

use crate::sink::{Counts, OpenError, Opened, hold_output};
use crate::source::{self, Changed, SourceConfig};
use std::path::Path;
use std::sync::Arc;

/// Opens the output. With `resume`, `input` leaves out what has a verdict that counts.
pub fn open(path: &Path, resume: bool, input: &mut SourceConfig) -> Result<Opened, OpenError> {
    let mut held = hold_output(path, resume)?;
    if !resume {
        return held.open(None);
    }
    let done = held.take_done();
    let has_digests = done.has_digests();
    input.done = Some(Arc::new(move |id: &str| done.asked(id)));
    if has_digests {
        source::find_changed(input);
    }
    let changed = &input.counters.changed;
    match changed.is_empty() {
        true => held.open(None),
        false => held.open(Some(&|id, asked| changed.has_outdated(id, asked))),
    }
}

/// What people are told of changed lines.
pub fn note(changed: &Changed) -> Option<String> {
    let (count, first) = changed.summary()?;
    Some(match count {
        1 => format!("1 line changed since its verdict and runs again: {first}"),
        _ => format!(
            "{count} lines changed since their verdicts and run again; the first is {first}"
        ),
    })
}

/// Removes the verdicts of lines that turned out to be changed while the run went on, and counts them.
pub fn drop_outdated(path: &Path, changed: &Changed) -> Result<Counts, OpenError> {
    hold_output(path, true)?.drop_outdated(&|id, asked| changed.has_outdated(id, asked))
}
