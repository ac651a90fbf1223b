//! What a slot may answer to a request. The slot has run untrusted code: an answer that no honest slot would
//! give is treated like one that does not decode, before anything is made of it.

use super::message::EpisodeRequest;
use super::packet::{MESSAGE_BYTES, PACKET_BYTES};
use crate::spec::episode::{Capture, OutputKeep};
use crate::spec::execution::{Collected, End, Execution, Finish, MAX_NOTE_BYTES, StepExecution};

/// All that `collect` returns, names and content together, in bytes. A file that does not fit is named without its
/// content.
pub const COLLECT_BYTES: u64 = 16 << 20;
/// What of that names may take, as [`collected_name_bytes`] counts them, so that they leave room for content.
pub const COLLECT_NAME_BYTES: u64 = 4 << 20;
/// Files that `collect` returns at most; one more entry counts the others.
pub const COLLECT_FILES: usize = 10_000;

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

/// The longest name of a file, in bytes: a path of 4,096 that is not UTF-8 grows threefold as text.
const NAME_BYTES: usize = 3 * 4096;
/// What an entry takes beside its strings.
const ENTRY_BYTES: usize = 128;

/// The longest honest answer, in bytes as encoded.
pub fn most_bytes(request: &EpisodeRequest) -> usize {
    let kept = usize::try_from(request.limits.output_bytes).unwrap_or(MESSAGE_BYTES);
    let step = kept
        .saturating_add(MAX_NOTE_BYTES)
        .saturating_mul(3)
        .saturating_add(NAME_BYTES + ENTRY_BYTES);
    let collected = match request.collect.is_empty() {
        true => 0,
        false => COLLECT_BYTES as usize + NAME_BYTES + (COLLECT_FILES + 1) * ENTRY_BYTES,
    };
    step.saturating_mul(request.steps.len())
        .saturating_add(collected + PACKET_BYTES)
        .min(MESSAGE_BYTES)
}

/// Whether these can be the facts of that request.
pub fn fits(request: &EpisodeRequest, facts: &Execution) -> bool {
    // An answer to an earlier request, or one sent ahead, has another time.
    facts.handed_ns == request.handed_ns
        && (1..=request.steps.len()).contains(&facts.steps.len())
        && facts.steps.iter().all(|step| step_fits(request, step))
        && (facts.collected.is_empty() || !request.collect.is_empty())
        && collected_fits(&facts.collected)
}

/// Files within the bounds, and one more entry that tells of the others.
fn collected_fits(collected: &[Collected]) -> bool {
    let (rest, files) = match collected {
        [files @ .., last] if last.content.is_none() => (Some(last), files),
        files => (None, files),
    };
    let names: u64 = files.iter().map(|f| collected_name_bytes(&f.path)).sum();
    let contents = files.iter().filter_map(|f| f.content.as_ref());
    let content: u64 = contents.map(|c| c.len() as u64).sum();
    files.len() <= COLLECT_FILES
        && names <= COLLECT_NAME_BYTES
        && names + content <= COLLECT_BYTES
        && rest.is_none_or(|last| last.path.len() <= NAME_BYTES)
}

fn step_fits(request: &EpisodeRequest, step: &StepExecution) -> bool {
    let limit = request.limits.output_bytes;
    // Of one that is longer than the limit, a note says how much was left out.
    let most = |produced: u64| match produced > limit && request.output_keep == OutputKeep::Ends {
        true => limit + MAX_NOTE_BYTES as u64,
        false => limit.min(produced),
    };
    let fits = |kept: &Vec<u8>| kept.len() as u64 <= most(step.output_bytes);
    let streams = match &step.streams {
        None => true,
        Some(s) => request.capture == Capture::Split && fits(&s.stdout) && fits(&s.stderr),
    };
    let end = match step.end {
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
    };
    fits(&step.output) && streams && end
}

/// signal(7): 64 is the last real-time signal.
fn is_signal(signal: i32) -> bool {
    (1..=64).contains(&signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_more_than_collect_returns_do_not_fit() {
        let file = |name: usize, content: usize| Collected {
            path: "x".repeat(name),
            content: Some(vec![0; content]),
            bytes: content as u64,
        };
        let rest = Collected {
            path: "… and 7 more files".into(),
            content: None,
            bytes: 0,
        };
        assert!(collected_fits(&[]));
        assert!(collected_fits(&[file(10, 10), rest.clone()]));
        let names = COLLECT_NAME_BYTES as usize / 4096;
        assert!(collected_fits(&vec![file(4000, 1); names]));
        assert!(!collected_fits(&vec![file(4095, 1); names]));
        let full = COLLECT_BYTES as usize - 100;
        assert!(collected_fits(&[file(36, full), rest.clone()]));
        assert!(!collected_fits(&[file(37, full), rest.clone()]));
        let mut many = vec![file(1, 0); COLLECT_FILES];
        many.push(rest);
        assert!(collected_fits(&many));
        many.insert(0, file(1, 0));
        assert!(!collected_fits(&many));
    }
}
