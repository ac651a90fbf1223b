//! One episode until it has a verdict: infrastructure failures are retried, nothing else is.

use super::executor::{Executor, NotRun};
use crate::spec::episode::Episode;
use crate::spec::outcome::Outcome;
use crate::sys::clock::monotonic_ns;
use std::time::Duration;

/// How long to wait after the first failure of our side; longer after each further one.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs an episode, at most `retries` times more after failures of our side.
pub async fn until_verdict(executor: &impl Executor, episode: &Episode, retries: u32) -> Outcome {
    let accepted_ns = monotonic_ns();
    let mut earlier = Vec::new();
    loop {
        match executor.execute(episode).await {
            Ok(execution) => return Outcome::of(episode, execution, earlier, accepted_ns),
            Err(NotRun::Spec(error)) => {
                let (id, echo) = (episode.id.clone(), episode.echo.clone());
                return Outcome::invalid(id, echo, error);
            }
            Err(NotRun::Here(error)) => return Outcome::infra(episode, error, earlier),
            Err(NotRun::Infra(error)) if earlier.len() as u64 >= u64::from(retries) => {
                return Outcome::infra(episode, error, earlier);
            }
            Err(NotRun::Infra(error)) => earlier.push(error),
        }
        // What the host is short of now it may have again in a moment.
        tokio::time::sleep(PAUSE * earlier.len() as u32).await;
    }
}
