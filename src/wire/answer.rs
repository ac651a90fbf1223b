//! What a slot may answer to a request. The slot has run untrusted code: an answer that no honest slot would
//! give is treated like one that does not decode, before anything is made of it.

use super::message::EpisodeRequest;
use super::packet::{MESSAGE_BYTES, PACKET_BYTES};
use crate::spec::collect::{COLLECT_BYTES, COLLECT_FILES, COLLECT_NAME_BYTES};
use crate::spec::execution::{
    Collected, End, Execution, Finish, MAX_NOTE_BYTES, StepExecution, Unclean, WhyNot,
};
use crate::spec::sandbox::{Capture, OutputKeep, Sandbox};

/// What a returned file takes besides its content: its name, as long as JSON makes it, and what stands around it.
pub fn collected_name_bytes(name: &str) -> u64 {
    const AROUND_BYTES: u64 = 64;
    let escaped = name.bytes().map(|byte| match byte {
        0..=0x1f => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    });
    AROUND_BYTES + escaped.sum::<u64>()
}

/// What it takes to say why a file is not returned.
pub fn reason_bytes(why: &WhyNot) -> u64 {
    const SENTENCE_BYTES: u64 = 200;
    let target = match why {
        WhyNot::LinkOut(target)
        | WhyNot::LinkToDirectory(target)
        | WhyNot::LinkBroken(target, _) => collected_name_bytes(target),
        _ => 0,
    };
    SENTENCE_BYTES + target
}

/// The longest path of the spec or of a failure, in bytes.
const NAME_BYTES: usize = 3 * 4096;
/// What an entry takes beside its strings.
const ENTRY_BYTES: usize = 128;

/// What is known of the facts before they come.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// When the request was sent: an answer to an earlier one, or one sent ahead, has another time.
    pub handed_ns: u64,
    /// The most executions.
    pub steps: usize,
    /// Whether files were asked for.
    pub collects: bool,
    output_bytes: u64,
    output_keep: OutputKeep,
    capture: Capture,
}

impl Expected {
    /// Of one execution in this sandbox.
    pub fn of_step(handed_ns: u64, sandbox: &Sandbox) -> Expected {
        Expected {
            handed_ns,
            steps: 1,
            collects: false,
            output_bytes: sandbox.limits.output_bytes,
            output_keep: sandbox.output_keep,
            capture: sandbox.capture,
        }
    }

    pub fn of_episode(request: &EpisodeRequest<'_>) -> Expected {
        Expected {
            steps: request.steps.len(),
            collects: !request.collect.is_empty(),
            ..Expected::of_step(request.handed_ns, &request.sandbox)
        }
    }

    /// The longest honest answer, in bytes as encoded.
    pub fn most_bytes(&self) -> usize {
        let kept = usize::try_from(self.output_bytes).unwrap_or(MESSAGE_BYTES);
        let step = kept
            .saturating_add(MAX_NOTE_BYTES)
            .saturating_mul(3)
            .saturating_add(NAME_BYTES + ENTRY_BYTES);
        let collected = if self.collects {
            COLLECT_BYTES as usize + (COLLECT_FILES + 1) * ENTRY_BYTES
        } else {
            0
        };
        step.saturating_mul(self.steps)
            .saturating_add(collected + PACKET_BYTES)
            .min(MESSAGE_BYTES)
    }

    /// Whether these can be the facts.
    pub fn fits(&self, facts: &Execution) -> bool {
        facts.handed_ns == self.handed_ns
            && (1..=self.steps).contains(&facts.steps.len())
            && facts.steps.iter().all(|step| self.step_fits(step))
            && (facts.collected == Collected::default() || self.collects)
            && collected_fits(&facts.collected)
            && unclean_fits(facts.unclean.as_ref())
    }

    fn step_fits(&self, step: &StepExecution) -> bool {
        let limit = self.output_bytes;
        // Of one that is longer than the limit, a note says how much was left out.
        let most = |produced: u64| {
            if produced > limit && self.output_keep == OutputKeep::Ends {
                limit + MAX_NOTE_BYTES as u64
            } else {
                limit.min(produced)
            }
        };
        let fits = |kept: &Vec<u8>| kept.len() as u64 <= most(step.output_bytes);
        let streams = match &step.streams {
            None => true,
            Some(s) => self.capture == Capture::Split && fits(&s.stdout) && fits(&s.stderr),
        };
        fits(&step.output) && streams && end_fits(&step.end)
    }
}

/// It names a path of ours, if any.
fn unclean_fits(unclean: Option<&Unclean>) -> bool {
    match unclean {
        Some(Unclean::Path { path, .. }) => path.len() <= NAME_BYTES,
        _ => true,
    }
}

fn end_fits(end: &End) -> bool {
    match *end {
        End::Exited(code) => (0..=255).contains(&code),
        // A program that ends well has met no limit, and the host kept nothing from it.
        End::DiskLimit(_, finish) | End::ProcessLimit { finish, .. } | End::Host(_, finish) => {
            match finish {
                Finish::Exited(code) => (1..=255).contains(&code),
                Finish::Signaled(signal) => is_signal(signal),
            }
        }
        End::Signaled(signal) => is_signal(signal),
        _ => true,
    }
}

fn collected_fits(collected: &Collected) -> bool {
    let (files, not) = (&collected.files, &collected.not);
    let paths = files.iter().map(|f| &f.path);
    let paths = paths.chain(not.iter().map(|n| &n.path));
    let names: u64 = paths.map(|path| collected_name_bytes(path)).sum();
    let content: u64 = files.iter().map(|f| f.content.len() as u64).sum();
    let reasons: u64 = not.iter().map(|n| reason_bytes(&n.why)).sum();
    files.len() + not.len() <= COLLECT_FILES
        && names <= COLLECT_NAME_BYTES
        && names + content + reasons <= COLLECT_BYTES
}

/// signal(7): 64 is the last real-time signal.
fn is_signal(signal: i32) -> bool {
    (1..=64).contains(&signal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::execution::{CollectedFile, NotCollected};

    #[test]
    fn files_that_are_more_than_collect_returns_do_not_fit() {
        let file = |name: usize, content: usize| CollectedFile {
            path: "x".repeat(name),
            content: vec![0; content],
        };
        let fits = |files: &[CollectedFile], not: &[NotCollected]| {
            collected_fits(&Collected {
                files: files.to_vec(),
                not: not.to_vec(),
                ..Collected::default()
            })
        };
        let not = |name: usize, why: WhyNot| NotCollected {
            path: "x".repeat(name),
            why,
        };
        assert!(fits(&[], &[]));
        let names = COLLECT_NAME_BYTES as usize / 4096;
        let named = not(4032, WhyNot::Missing);
        assert!(fits(&vec![file(4032, 1); names], &[]));
        assert!(!fits(&vec![file(4033, 1); names], &[]));
        assert!(!fits(&vec![file(4032, 1); names], &[named]));
        let full = COLLECT_BYTES as usize - 100;
        assert!(fits(&[file(36, full)], &[]));
        assert!(!fits(&[file(37, full)], &[]));
        assert!(!fits(&[file(36, full)], &[not(1, WhyNot::Late)]));
        let links = vec![not(1, WhyNot::LinkOut("\u{1}".repeat(4096))); 800];
        assert!(!fits(&[], &links), "what they lead to counts");
        let mut many = vec![file(1, 0); COLLECT_FILES];
        assert!(fits(&many, &[]));
        assert!(!fits(&many, &[not(1, WhyNot::Missing)]));
        many.insert(0, file(1, 0));
        assert!(!fits(&many, &[]));
    }
}
