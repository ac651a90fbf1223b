//! What a slot may answer to a request. The slot has run untrusted code: an answer that no honest slot would
//! give is treated like one that does not decode, before anything is made of it.

use super::message::EpisodeRequest;
use super::packet::{MESSAGE_BYTES, PACKET_BYTES};
use crate::spec::episode::Capture;
use crate::spec::execution::{End, Execution, Finish, StepExecution};

/// All content that `collect` returns together, in bytes. A file that does not fit is named without its content.
pub const COLLECT_BYTES: u64 = 16 << 20;
/// Files that `collect` returns at most; one more entry counts the others.
pub const COLLECT_FILES: usize = 10_000;

/// The longest name of a file, in bytes: a path of 4,096 that is not UTF-8 grows threefold as text.
const NAME_BYTES: usize = 3 * 4096;
/// What an entry takes beside its strings.
const ENTRY_BYTES: usize = 128;

/// The longest honest answer, in bytes as encoded.
pub fn most_bytes(request: &EpisodeRequest) -> usize {
    let kept = usize::try_from(request.limits.output_bytes).unwrap_or(MESSAGE_BYTES);
    let step = kept
        .saturating_mul(3)
        .saturating_add(NAME_BYTES + ENTRY_BYTES);
    let collected = match request.collect.is_empty() {
        true => 0,
        false => COLLECT_BYTES as usize + (COLLECT_FILES + 1) * (NAME_BYTES + ENTRY_BYTES),
    };
    step.saturating_mul(request.steps.len())
        .saturating_add(collected + PACKET_BYTES)
        .min(MESSAGE_BYTES)
}

/// Whether these can be the facts of that request.
pub fn fits(request: &EpisodeRequest, facts: &Execution) -> bool {
    let contents = facts.collected.iter().filter_map(|f| f.content.as_ref());
    // An answer to an earlier request, or one sent ahead, has another time.
    facts.handed_ns == request.handed_ns
        && (1..=request.steps.len()).contains(&facts.steps.len())
        && facts.steps.iter().all(|step| step_fits(request, step))
        && (facts.collected.is_empty() || !request.collect.is_empty())
        && facts.collected.len() <= COLLECT_FILES + 1
        && contents.map(|c| c.len() as u64).sum::<u64>() <= COLLECT_BYTES
}

fn step_fits(request: &EpisodeRequest, step: &StepExecution) -> bool {
    let fits = |kept: &Vec<u8>| kept.len() as u64 <= request.limits.output_bytes;
    let streams = match &step.streams {
        None => true,
        Some(s) => request.capture == Capture::Split && fits(&s.stdout) && fits(&s.stderr),
    };
    let end = match step.end {
        End::Exited(code) => (0..=255).contains(&code),
        // A program that ends well has met no limit.
        End::DiskLimit(_, Finish::Exited(code)) => (1..=255).contains(&code),
        End::Signaled(signal) | End::DiskLimit(_, Finish::Signaled(signal)) => is_signal(signal),
        _ => true,
    };
    fits(&step.output) && step.output_bytes >= step.output.len() as u64 && streams && end
}

/// signal(7): 64 is the last real-time signal.
fn is_signal(signal: i32) -> bool {
    (1..=64).contains(&signal)
}
