//! Executions that the machine had no time for.

use crate::spec::episode::{Episode, Step};
use crate::spec::execution::{End, Execution, StepExecution};
use std::time::Duration;

/// Why this execution came to its end without a verdict, if the host kept it from running for most of its time: what a
/// program that had its timeout's worth of CPU time can't say.
pub(super) fn starvation(step: &Step, stretch: f64, facts: &StepExecution) -> Option<String> {
    let stalled = Duration::from_nanos(facts.stalled_ns);
    let (timeout, longest) = (step.timeout, step.longest(stretch));
    let is_starved = facts.end == End::Timeout
        && longest > timeout
        && stalled >= longest - timeout
        && stalled >= longest / 2
        && Duration::from_micros(facts.cpu_us) < timeout;
    is_starved.then(|| {
        format!(
            "the machine was too busy: in {:.2} s (timeout_s {} × stretch {stretch}) the program could have run and was kept from \
             it for {:.2} s; it had {:.2} s of CPU time. Run fewer at a time (--concurrency), or raise --stretch",
            longest.as_secs_f64(),
            timeout.as_secs_f64(),
            stalled.as_secs_f64(),
            facts.cpu_us as f64 / 1e6,
        )
    })
}

/// The first reason of that kind in an episode's execution.
pub fn starved(episode: &Episode, execution: &Execution) -> Option<String> {
    let mut steps = episode.steps.iter().zip(&execution.steps);
    steps.find_map(|(step, facts)| starvation(step, episode.stretch, facts))
}
