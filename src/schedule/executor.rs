//! What the scheduler needs of the world: somebody who runs an episode. The pool is one; tests have another.

use crate::pool::{BuildError, HostFileError, Pool, RunError, SlotLost};
use crate::spec::episode::Episode;
use crate::spec::execution::Execution;
use crate::wire::failure::Stage;

/// Why an episode was not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotRun {
    /// Our side failed; another attempt may succeed.
    Infra(String),
    /// This machine can't run it, though another may.
    Here(String),
    /// The episode asks for something that can't be done; another attempt would not help.
    Spec(String),
}

impl NotRun {
    /// What the pool's reason means for this episode.
    pub fn of(episode: &Episode, error: RunError) -> NotRun {
        match error {
            RunError::HostFile(ref reason) if !matches!(reason, HostFileError::Read { .. }) => {
                NotRun::Spec(format!("{}: `files`: {error}", episode.origin))
            }
            RunError::Build(BuildError::Lost(SlotLost::Refused(failure)))
                if failure.stage == Stage::GrantedPath =>
            {
                NotRun::Spec(format!("{}: {failure}", episode.origin))
            }
            RunError::NoLoopback | RunError::Build(BuildError::ScratchGranted(_)) => {
                NotRun::Here(error.to_string())
            }
            other => NotRun::Infra(other.to_string()),
        }
    }
}

pub trait Executor {
    /// Runs an episode to its end, or until `deadline_ns` (CLOCK_MONOTONIC). Dropping the future ends the episode.
    fn execute(
        &self,
        episode: &Episode,
        deadline_ns: Option<u64>,
    ) -> impl Future<Output = Result<Execution, NotRun>>;

    /// How many it can run at one time now.
    fn slots(&self) -> usize {
        usize::MAX
    }
}

impl Executor for Pool {
    async fn execute(
        &self,
        episode: &Episode,
        deadline_ns: Option<u64>,
    ) -> Result<Execution, NotRun> {
        self.run(episode, deadline_ns)
            .await
            .map_err(|error| NotRun::of(episode, error))
    }

    fn slots(&self) -> usize {
        self.size()
    }
}
