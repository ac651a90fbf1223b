//! Executions that the machine had no time for.

use crate::spec::episode::Episode;
use crate::spec::execution::{End, Execution, StepExecution};
use crate::spec::step::Step;
use std::time::Duration;

/// Why this execution came to its end without a verdict, if the host kept it from running for most of its time: what a
/// program that had its timeout's worth of CPU time can't say.
pub(super) fn starvation(step: &Step, stretch: f64, facts: &StepExecution) -> Option<String> {
    let stalled = Duration::from_nanos(facts.stalled_ns);
    let (timeout, longest) = (step.timeout, step.longest(stretch));
    // Not from the fork on: to be forked late is part of what a busy machine does to it.
    let took = Duration::from_nanos(facts.ended_ns.saturating_sub(facts.prepared_ns));
    // A deadline or a client that has had enough comes before.
    let is_starved = facts.end == End::Timeout
        && took >= longest
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
pub(crate) fn starved(episode: &Episode, execution: &Execution) -> Option<String> {
    let mut steps = episode.steps.iter().zip(&execution.steps);
    steps.find_map(|(step, facts)| starvation(step, episode.sandbox.stretch, facts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::step::Program;
    use crate::spec::warm::Start;

    const S: u64 = 1_000_000_000;

    fn step() -> Step {
        Step::new(Program::Command(String::new()), Duration::from_secs(10))
    }

    /// Forked late, and ended after so many seconds, in which it could hardly run.
    fn ended_after(seconds: u64) -> StepExecution {
        StepExecution {
            start: Start::Exec,
            end: End::Timeout,
            prepared_ns: 7 * S,
            forked_ns: 8 * S,
            running_ns: 8 * S,
            ended_ns: (7 + seconds) * S,
            cpu_us: 1_500_000,
            stalled_ns: 15 * S,
            peak_memory_bytes: 0,
            output: Vec::new(),
            streams: None,
            output_bytes: 0,
            truncated: false,
        }
    }

    #[test]
    fn who_was_kept_from_running_until_the_longest_time_was_over_has_starved() {
        let told = starvation(&step(), 2.0, &ended_after(20)).expect("starved");
        assert!(told.contains("it had 1.50 s of CPU time"), "{told}");
    }

    #[test]
    fn who_was_ended_before_by_a_deadline_or_a_client_has_not_starved() {
        assert_eq!(starvation(&step(), 2.0, &ended_after(19)), None);
    }
}
