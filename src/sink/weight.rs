//! What a result holds of memory.

use crate::spec::bytes::Text;
use crate::spec::outcome::{NotReturned, Outcome, ReturnedFile, StepOutcome, Verdict};

/// Bytes of the parts of an outcome that can be large: what a program printed, what it made `collect` find, and what the
/// line gave to be returned.
pub fn weight(outcome: &Outcome) -> usize {
    let steps = outcome.steps.iter().flatten().map(of_step);
    let files = outcome.files.iter().flatten().map(of_file);
    let not_collected = outcome.not_collected.iter().map(of_not_returned);
    let attempts = outcome.attempt_errors.iter().map(String::len);
    let meta = outcome.meta.as_ref().map_or(0, |meta| meta.get().len());
    outcome.id.len()
        + of_verdict(&outcome.verdict)
        + steps.sum::<usize>()
        + files.sum::<usize>()
        + not_collected.sum::<usize>()
        + attempts.sum::<usize>()
        + outcome.group.as_ref().map_or(0, String::len)
        + meta
}

fn of_verdict(verdict: &Verdict) -> usize {
    let stream = |text: &Option<Text>| text.as_ref().map_or(0, |text| text.0.len());
    let error = verdict.error.as_ref().map_or(0, String::len);
    verdict.output.0.len() + stream(&verdict.stdout) + stream(&verdict.stderr) + error
}

fn of_step(step: &StepOutcome) -> usize {
    let name = step.name.as_ref().map_or(0, String::len);
    size_of::<StepOutcome>() + name + of_verdict(&step.verdict)
}

/// There may be many of them, and all empty, so what keeps one counts too.
fn of_file((path, file): (&String, &ReturnedFile)) -> usize {
    let (ReturnedFile::Text(content) | ReturnedFile::Base64 { base64: content }) = file;
    size_of::<(String, ReturnedFile)>() + path.len() + content.len()
}

fn of_not_returned(not: &NotReturned) -> usize {
    let path = not.path.as_ref().map_or(0, String::len);
    size_of::<NotReturned>() + path + not.reason.len()
}

#[cfg(test)]
mod tests {
    use super::super::testing::outcome;
    use super::*;
    use crate::spec::outcome::{NotReturned, Status, StepOutcome};
    use std::collections::BTreeMap;

    #[test]
    fn all_that_a_program_can_make_long_is_weighed() {
        let plain = weight(&outcome("a", Status::Ok));
        let long = || "x".repeat(5000);
        let weighs = |change: &dyn Fn(&mut Outcome)| {
            let mut outcome = outcome("a", Status::Ok);
            change(&mut outcome);
            weight(&outcome) - plain
        };
        let file = || ReturnedFile::Text(String::new());
        let not = |path, reason| {
            let not = NotReturned { path, reason };
            weighs(&|o| o.not_collected = vec![not.clone()])
        };
        assert!(not(Some(long()), String::new()) >= 5000);
        assert!(not(None, long()) >= 5000);
        assert!(weighs(&|o| o.files = Some(BTreeMap::from([(long(), file())]))) >= 5000);
        assert!(weighs(&|o| o.verdict.error = Some(long())) >= 5000);
        assert!(weighs(&|o| o.attempt_errors = vec![long(), long()]) >= 10_000);
        assert!(weighs(&|o| o.group = Some(long())) >= 5000);
        let step = |outcome: &Outcome| StepOutcome {
            name: Some(long()),
            verdict: Verdict {
                error: Some(long()),
                ..outcome.verdict.clone()
            },
            startup_ms: None,
        };
        assert!(weighs(&|o| o.steps = Some(vec![step(o)])) >= 10_000);
    }

    #[test]
    fn many_short_names_weigh_more_than_their_text() {
        let mut many = outcome("a", Status::Ok);
        let not = NotReturned {
            path: Some("a".into()),
            reason: "b".into(),
        };
        many.not_collected = vec![not; 1000];
        assert!(weight(&many) >= 1000 * size_of::<NotReturned>());
    }
}
