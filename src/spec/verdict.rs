//! From the facts of an execution to the verdict of the contract.
//!
//! The verdict of an episode with several steps is that of the last step that ran: with `on_failure: stop` the
//! one that failed, with `continue` the last of the list. Times add up over the steps.

mod evidence;
mod ruling;
mod starved;

pub(crate) use starved::starved;

use super::bytes::Text;
use super::episode::Episode;
use super::execution::{Execution, NotPrepared, StepExecution};
use super::outcome::{ExecOutcome, Outcome, Phases, Status, StepOutcome, Verdict};
use super::policy::Tier;
use super::returned::returned;
use super::sandbox::Sandbox;
use super::step::Step;
use ruling::Context;

impl Outcome {
    /// The result of an episode that a slot ran. `earlier`: why each attempt before this one came to nothing; `accepted_ns`:
    /// when it began to wait for a slot.
    pub fn of(
        episode: &Episode,
        execution: Execution,
        earlier: Vec<String>,
        accepted_ns: u64,
    ) -> Outcome {
        let phases = phases(&execution);
        let enforced = execution.enforced;
        let mut steps: Vec<StepOutcome> = Vec::with_capacity(execution.steps.len());
        for (i, (step, facts)) in episode.steps.iter().zip(execution.steps).enumerate() {
            let from_ns = if i == 0 {
                execution.handed_ns
            } else {
                facts.prepared_ns
            };
            let context = Context {
                sandbox: &episode.sandbox,
                step,
                origin: Some(&episode.origin),
                index: episode.multi_step.then_some(i),
                is_first: i == 0,
                tier: enforced.tier,
            };
            steps.push(StepOutcome {
                name: step.name.clone(),
                startup_ms: startup_ms(&facts, from_ns),
                verdict: context.verdict(facts),
            });
        }
        let first_startup = steps.first().and_then(|s| s.startup_ms);
        let mut verdict = if episode.multi_step {
            deciding(&steps).map(|s| s.verdict.clone())
        } else {
            steps.pop().map(|s| s.verdict)
        }
        .expect("an execution has at least one step");
        if episode.multi_step {
            verdict.wall_ms = round(steps.iter().map(|s| s.verdict.wall_ms).sum());
            verdict.cpu_ms = round(steps.iter().map(|s| s.verdict.cpu_ms).sum());
            verdict.stalled_ms = round(steps.iter().map(|s| s.verdict.stalled_ms).sum());
            verdict.peak_memory_mb = steps
                .iter()
                .map(|s| s.verdict.peak_memory_mb)
                .fold(0.0, f64::max);
        }
        let (files, not_collected) = returned(execution.collected);
        Outcome {
            id: episode.id.clone(),
            verdict,
            attempts: attempts(&earlier),
            attempt_errors: earlier,
            queue_ms: ms(execution.handed_ns.saturating_sub(accepted_ns)),
            startup_ms: first_startup,
            sandbox: Some(enforced),
            files: (!episode.collect.is_empty()).then_some(files),
            not_collected,
            steps: episode.multi_step.then_some(steps),
            audit: None,
            group: episode.echo.group.clone(),
            meta: episode.echo.meta.clone(),
            spec_digest: episode.echo.spec_digest,
            phases,
        }
    }

    /// The result of an episode that our side could not run; `earlier` as in [`Outcome::of`].
    pub fn infra(episode: &Episode, error: String, earlier: Vec<String>) -> Outcome {
        let mut outcome = Outcome::nothing(
            episode.id.clone(),
            episode.echo.clone(),
            Status::InfraError,
            error,
        );
        outcome.attempts = attempts(&earlier);
        outcome.attempt_errors = earlier;
        outcome
    }

    /// The result of a line that is not a valid episode.
    pub fn invalid(id: String, echo: super::episode::Echo, error: String) -> Outcome {
        Outcome::nothing(id, echo, Status::Invalid, error)
    }

    fn nothing(id: String, echo: super::episode::Echo, status: Status, error: String) -> Outcome {
        Outcome {
            id,
            verdict: Verdict {
                status,
                exit_code: None,
                output: Text::default(),
                stdout: None,
                stderr: None,
                output_bytes: 0,
                truncated: false,
                signal: None,
                fault: status.fault(),
                error: Some(error),
                wall_ms: 0.0,
                cpu_ms: 0.0,
                stalled_ms: 0.0,
                peak_memory_mb: 0.0,
                start: None,
            },
            attempts: 0,
            attempt_errors: Vec::new(),
            queue_ms: 0.0,
            startup_ms: None,
            sandbox: None,
            files: None,
            not_collected: Vec::new(),
            steps: None,
            audit: None,
            group: echo.group,
            meta: echo.meta,
            spec_digest: echo.spec_digest,
            phases: None,
        }
    }
}

impl ExecOutcome {
    /// The result of one execution in a session. `is_first`: whether no program has run in
    /// it before, so that what is missing there is nobody's doing but the client's. `accepted_ns`: when the request came.
    pub fn of(
        sandbox: &Sandbox,
        step: &Step,
        mut execution: Execution,
        is_first: bool,
        accepted_ns: u64,
    ) -> ExecOutcome {
        let phases = phases(&execution);
        let facts = execution.steps.pop();
        let facts = facts.expect("an execution has at least one step");
        let context = Context {
            sandbox,
            step,
            origin: None,
            index: None,
            is_first,
            tier: execution.enforced.tier,
        };
        ExecOutcome {
            queue_ms: ms(execution.handed_ns.saturating_sub(accepted_ns)),
            startup_ms: startup_ms(&facts, execution.handed_ns),
            verdict: context.verdict(facts),
            phases,
        }
    }
}

/// Why a session's files could not be put in place.
pub(crate) fn not_opened(sandbox: &Sandbox, missing: &NotPrepared, tier: Tier) -> String {
    let why = evidence::not_prepared(sandbox, tier, missing.errno);
    format!("`files`: {:?} {why}", missing.path)
}

/// The step whose verdict is the episode's: the last one, unless the host kept something from an earlier one. What a later step
/// made of that is no doing of the program's, however it ended.
fn deciding(steps: &[StepOutcome]) -> Option<&StepOutcome> {
    let is_infra = |step: &&StepOutcome| step.verdict.status == Status::InfraError;
    steps.iter().find(is_infra).or(steps.last())
}

/// How many there were, if these came before the last.
fn attempts(earlier: &[String]) -> u32 {
    earlier.len() as u32 + 1
}

fn startup_ms(facts: &StepExecution, from_ns: u64) -> Option<f64> {
    (facts.running_ns != 0).then(|| ms(facts.running_ns.saturating_sub(from_ns)))
}

fn phases(execution: &Execution) -> Option<Phases> {
    let first = execution.steps.first()?;
    let last = execution.steps.last()?;
    if first.running_ns == 0 {
        return None;
    }
    Some(Phases {
        dispatch: execution.received_ns.saturating_sub(execution.handed_ns),
        prepare: first.prepared_ns.saturating_sub(execution.received_ns),
        handoff: first.forked_ns.saturating_sub(first.prepared_ns),
        launch: first.running_ns.saturating_sub(first.forked_ns),
        clean: execution.cleaned_ns.saturating_sub(last.ended_ns),
        total: first.running_ns.saturating_sub(execution.handed_ns),
    })
}

fn ms(ns: u64) -> f64 {
    round(ns as f64 / 1e6)
}

/// Microseconds are enough for people and keep result lines short.
fn round(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}
