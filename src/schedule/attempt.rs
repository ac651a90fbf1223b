//! One episode until it has a verdict: infrastructure failures are retried, nothing else is.

use super::executor::{Executor, NotRun};
use crate::spec::episode::Episode;
use crate::spec::outcome::Outcome;
use crate::sys::clock::monotonic_ns;

/// Runs an episode, at most `retries` times more after failures of our side.
pub async fn until_verdict(executor: &impl Executor, episode: &Episode, retries: u32) -> Outcome {
    let accepted_ns = monotonic_ns();
    let mut attempts = 0;
    loop {
        attempts += 1;
        match executor.execute(episode).await {
            Ok(execution) => return Outcome::of(episode, execution, attempts, accepted_ns),
            Err(NotRun::Spec(error)) => {
                let (id, echo) = (episode.id.clone(), episode.echo.clone());
                return Outcome::invalid(id, echo, error);
            }
            Err(NotRun::Infra(error)) if attempts > retries => {
                return Outcome::infra(episode, error, attempts);
            }
            Err(NotRun::Infra(_)) => {}
        }
    }
}
