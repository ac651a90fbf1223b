//! What a result holds of memory.

use crate::spec::bytes::Text;
use crate::spec::outcome::{Outcome, ReturnedFile, Verdict};

/// Bytes of the parts of an outcome that can be large.
pub(super) fn weight(outcome: &Outcome) -> usize {
    fn of(verdict: &Verdict) -> usize {
        let stream = |text: &Option<Text>| text.as_ref().map_or(0, |text| text.0.len());
        verdict.output.0.len() + stream(&verdict.stdout) + stream(&verdict.stderr)
    }
    let steps = outcome.steps.iter().flatten().map(|step| of(&step.verdict));
    let files = outcome
        .files
        .iter()
        .flat_map(|files| files.values())
        .map(|file| match file {
            ReturnedFile::Text(text) | ReturnedFile::Base64 { base64: text } => text.len(),
        });
    let meta = outcome.meta.as_ref().map_or(0, |meta| meta.get().len());
    of(&outcome.verdict) + steps.sum::<usize>() + files.sum::<usize>() + meta
}
