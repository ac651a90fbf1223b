//! `runner run`: one episode, whose output is shown while it comes, and whose exit code is the runner's.

mod relay;

use self::relay::Relay;
use crate::config::{RunConfig, WhatToRun};
use crate::exit_status::ExitStatus;
use crate::pool::{self, LivePipes, Pool};
use crate::provision::{self, ProvisionError, Wanted};
use crate::schedule::NotRun;
use crate::schedule::stop::StopSignals;
use crate::source::{self, Counters, SourceConfig, SourceError};
use crate::spec::episode::Episode;
use crate::spec::outcome::{Outcome, Status};
use crate::spec::parse::{FileContext, ProgramSpec, parse_program};
use crate::sys::clock::monotonic_ns;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// The most that a program gets of our stdin, which is held in memory.
const MAX_STDIN_BYTES: u64 = 256 << 20;

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
    #[error("--stdin: there are more than {} MB; put them into `files` of a jobs file", MAX_STDIN_BYTES >> 20)]
    LongStdin,
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
    let episode = match &config.what {
        WhatToRun::Program(program) => of_program(config, program)?,
        WhatToRun::Listed { jobs, id } => {
            let id = id.clone();
            let jobs = source::open_all(jobs)?;
            find(config, jobs, id).await?
        }
    };
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
    let shown = shown(&pool, &episode);
    let outcome = tokio::select! {
        outcome = shown => Some(outcome),
        () = stop.next() => None,
    };
    pool.shut_down().await;
    Ok(match outcome {
        Some(outcome) => told(config, &outcome?),
        None => ExitStatus::Interrupted.into(),
    })
}

/// The episode that the command line asks for.
fn of_program(config: &RunConfig, program: &ProgramSpec) -> Result<Episode, NotShown> {
    let context = FileContext::new(
        "the command line".into(),
        Path::new("."),
        config.defaults.clone(),
    );
    let mut episode = parse_program(program.clone(), &context).map_err(NotShown::Invalid)?;
    if config.stdin {
        episode.steps[0].stdin = all_of_stdin()?.into();
    }
    Ok(episode)
}

fn all_of_stdin() -> Result<Vec<u8>, NotShown> {
    let mut all = Vec::new();
    let mut limited = io::stdin().lock().take(MAX_STDIN_BYTES + 1);
    limited.read_to_end(&mut all).map_err(NotShown::Stdin)?;
    if all.len() as u64 > MAX_STDIN_BYTES {
        return Err(NotShown::LongStdin);
    }
    Ok(all)
}

/// The episode of a jobs file that has this id.
async fn find(
    config: &RunConfig,
    jobs: Vec<source::Jobs>,
    id: String,
) -> Result<Episode, NotShown> {
    let mut batches = source::start(SourceConfig {
        jobs,
        defaults: config.defaults.clone(),
        shard: None,
        done: None,
        counters: Arc::new(Counters::default()),
    });
    while let Some(batch) = batches.recv().await {
        for item in batch? {
            match item.work {
                Ok(episode) if episode.id == id => return Ok(*episode),
                Err(invalid) if invalid.id == id => {
                    return Err(NotShown::Invalid(invalid.verdict.error.unwrap_or_default()));
                }
                _ => {}
            }
        }
    }
    Err(NotShown::NoSuchId(id))
}

/// Runs the episode, and shows what its programs print until they have ended.
async fn shown(pool: &Pool, episode: &Episode) -> Result<Outcome, NotShown> {
    let accepted_ns = monotonic_ns();
    let deadline_ns = episode.deadline_ns(accepted_ns);
    let (stdout, stdout_end) = pipe2(OFlag::O_CLOEXEC).map_err(io::Error::from)?;
    let (stderr, stderr_end) = pipe2(OFlag::O_CLOEXEC).map_err(io::Error::from)?;
    let (closed, mut is_closed) = mpsc::unbounded_channel();
    let relays = [
        Relay::start(stdout, io::stdout(), closed.clone())?,
        Relay::start(stderr, io::stderr(), closed)?,
    ];
    let live = LivePipes {
        stdout: stdout_end,
        stderr: stderr_end,
    };
    let ran = tokio::select! {
        ran = pool.run_live(episode, deadline_ns, Some(&live)) => ran,
        Some(why) = is_closed.recv() => return Err(NotShown::Output(why)),
    };
    drop(live);
    while !relays.iter().all(Relay::has_ended) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    if let Ok(why) = is_closed.try_recv() {
        return Err(NotShown::Output(why));
    }
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
