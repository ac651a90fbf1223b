//! One episode until it has a verdict: infrastructure failures are retried, nothing else is.

use super::executor::{Executor, NotRun};
use super::load::Load;
use super::quiet::Quiet;
use crate::spec::episode::Episode;
use crate::spec::execution::Execution;
use crate::spec::host_fault::HostFault;
use crate::spec::outcome::Outcome;
use crate::spec::verdict::starved;
use crate::sys::clock::monotonic_ns;
use std::cell::RefCell;
use std::time::Duration;
use tracing::debug;

/// How long to wait after the first failure of our side; longer after each further one.
const PAUSE: Duration = Duration::from_millis(50);

/// What the attempts of a sweep know of each other.
pub(crate) struct Others {
    pub quiet: Quiet,
    pub load: RefCell<Load>,
}

/// Runs an episode, at most `retries` times more after failures of our side or the host's, and no more after its deadline.
/// One that the machine had no time for is run once more, in quiet.
pub(crate) async fn until_verdict(
    executor: &impl Executor,
    others: &Others,
    episode: &Episode,
    retries: u32,
) -> Outcome {
    let accepted_ns = monotonic_ns();
    let deadline_ns = episode.deadline_ns(accepted_ns);
    let mut earlier = Vec::new();
    let mut trust = Trust::default();
    loop {
        let attempt = executor.execute(episode, deadline_ns);
        let done = if trust.was_starved {
            match others.quiet.alone(deadline_ns, attempt).await {
                Some(done) => done,
                None => {
                    let error = earlier.pop().unwrap_or_default();
                    return Outcome::infra(episode, error, earlier);
                }
            }
        } else {
            others.quiet.beside_others(attempt).await
        };
        if let Ok(execution) = &done {
            others.load.borrow_mut().record(execution);
        }
        let is_last = earlier.len() as u64 >= u64::from(retries)
            || deadline_ns.is_some_and(|deadline_ns| monotonic_ns() >= deadline_ns);
        match done {
            Ok(mut execution) => match trust.fault_of_host(episode, &mut execution) {
                Some(fault) if !is_last => earlier.push(fault),
                _ => return Outcome::of(episode, execution, earlier, accepted_ns),
            },
            Err(NotRun::Spec(error)) => {
                let (id, echo) = (episode.id.clone(), episode.echo.clone());
                return Outcome::invalid(id, echo, error);
            }
            Err(NotRun::Here(error)) => return Outcome::infra(episode, error, earlier),
            Err(NotRun::Infra(error)) if is_last => {
                return Outcome::infra(episode, error, earlier);
            }
            Err(NotRun::Infra(error)) => earlier.push(error),
        }
        let attempts = earlier.len();
        debug!(
            id = &*episode.id,
            attempts,
            why = earlier.last(),
            "is tried again"
        );
        // What the host is short of now it may have again in a moment.
        tokio::time::sleep(PAUSE * earlier.len() as u32).await;
    }
}

/// Which evidence against the host is still taken for this episode.
#[derive(Default)]
struct Trust {
    is_used_up: bool,
    /// Whether the machine had no time for it once.
    was_starved: bool,
}

impl Trust {
    /// What the host kept from the programs, where another attempt may fare better. Evidence that may be of another's process
    /// is taken once; then what happened is the programs' own doing.
    fn fault_of_host(&mut self, episode: &Episode, execution: &mut Execution) -> Option<String> {
        if let Some(error) = starved(episode, execution) {
            let first = !std::mem::replace(&mut self.was_starved, true);
            return first.then_some(error);
        }
        let is_doubtful = execution.host_faults().any(HostFault::may_be_anothers);
        if is_doubtful && std::mem::replace(&mut self.is_used_up, true) {
            execution.drop_doubtful_evidence();
        }
        let fault = execution.host_faults().next();
        fault.map(|fault| fault.to_string())
    }
}
