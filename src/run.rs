//! `runner run` and `runner shell`: one episode in which the user takes part, and whose exit code is the runner's.

mod output;
mod relay;
mod terminal;
mod which;

use crate::config::{Interaction, RunConfig};
use crate::exit_status::ExitStatus;
use crate::pool::{self, Pool};
use crate::provision::{self, ProvisionError, Wanted};
use crate::schedule::NotRun;
use crate::schedule::stop::StopSignals;
use crate::source::{self, SourceError};
use crate::spec::episode::Episode;
use crate::spec::outcome::{Outcome, Status};
use crate::sys::clock::monotonic_ns;
use std::io;
use std::process::ExitCode;
use tokio::task::LocalSet;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
enum NotShown {
    #[error("{0}")]
    Invalid(String),
    #[error(transparent)]
    Jobs(#[from] source::OpenError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(
        "the jobs files have no episode {0:?}; an episode that names no id is called line-<n>, by its line"
    )]
    NoSuchId(String),
    #[error("--stdin: {0}")]
    Stdin(io::Error),
    #[error("--stdin: there are more than {} MB; put them into `files` of a jobs file", which::MAX_STDIN_BYTES >> 20)]
    LongStdin,
    #[error("stdin and stdout have to be a terminal; `runner run` needs none")]
    NoTerminal,
    #[error("what the program prints can't be written: {0}")]
    Output(io::Error),
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    #[error("{0}")]
    System(#[from] io::Error),
}

impl NotShown {
    /// Whether its reader has simply had enough, as `head` has.
    fn is_silent(&self) -> bool {
        matches!(self, NotShown::Output(why) if why.kind() == io::ErrorKind::BrokenPipe)
    }

    fn exit_status(&self) -> ExitStatus {
        match self {
            NotShown::Provision(error) => error.exit_status(),
            NotShown::System(_) => ExitStatus::CantEnforce,
            NotShown::Output(_) => ExitStatus::Interrupted,
            _ => ExitStatus::Usage,
        }
    }
}

/// Runs it to its end.
pub(crate) fn run(config: RunConfig) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let done = runtime
        .map_err(NotShown::from)
        .and_then(|runtime| LocalSet::new().block_on(&runtime, run_one(&config)));
    done.unwrap_or_else(|error| {
        if !error.is_silent() {
            eprintln!("runner: {error}");
        }
        error.exit_status().into()
    })
}

async fn run_one(config: &RunConfig) -> Result<ExitCode, NotShown> {
    if let Interaction::Terminal { .. } = config.interaction {
        terminal::check()?;
    }
    let episode = which::episode(config).await?;
    let mut stop = StopSignals::listen()?;
    pool::adopt_orphans().map_err(io::Error::from)?;
    let wanted = Wanted {
        tier: config.tier,
        warm: &config.warm,
        warm_episodes: u32::MAX,
        slots: 1,
        spare: 1,
        open_root: false,
        defaults: &config.defaults,
    };
    let (pool, _) = provision::build(&wanted, |note| eprintln!("{note}")).await?;
    let ran = tokio::select! {
        ran = outcome(config, &pool, &episode) => Some(ran),
        () = stop.next() => None,
    };
    pool.shut_down().await;
    Ok(match ran {
        Some(outcome) => told(config, &outcome?),
        None => ExitStatus::Interrupted.into(),
    })
}

/// Runs the episode while the user takes part.
async fn outcome(config: &RunConfig, pool: &Pool, episode: &Episode) -> Result<Outcome, NotShown> {
    let accepted_ns = monotonic_ns();
    let deadline_ns = episode.deadline_ns(accepted_ns);
    let ran = match config.interaction {
        Interaction::Output { .. } => output::run(pool, episode, deadline_ns).await?,
        Interaction::Terminal { .. } => terminal::run(pool, episode, deadline_ns).await?,
    };
    let ran = ran.map_err(|error| NotRun::of(episode, error));
    Ok(match ran {
        Ok(execution) => Outcome::of(episode, execution, Vec::new(), accepted_ns),
        Err(NotRun::Spec(error)) => {
            Outcome::invalid(episode.id.clone(), episode.echo.clone(), error)
        }
        Err(NotRun::Infra(error) | NotRun::Here(error)) => {
            Outcome::infra(episode, error, Vec::new())
        }
    })
}

/// Says what the exit code can't, and gives that on.
fn told(config: &RunConfig, outcome: &Outcome) -> ExitCode {
    let verdict = &outcome.verdict;
    if config.verdict {
        let line = serde_json::to_string(outcome).expect("results are JSON");
        eprintln!("{line}");
    } else if verdict.error.is_some() || verdict.status == Status::Timeout {
        let error = verdict.error.as_deref().unwrap_or("its time was over");
        eprintln!("runner: {}: {error}", verdict.status.name());
    }
    match (verdict.exit_code, verdict.status) {
        (Some(code), _) => ExitCode::from(code as u8),
        (None, Status::Invalid) => ExitStatus::Usage.into(),
        (None, _) => ExitStatus::Incomplete.into(),
    }
}
