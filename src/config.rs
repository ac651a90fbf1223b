//! From the command line to a validated configuration; the only reader of `cli::Cli`.

mod run;
mod serve;

pub(crate) use run::{Interaction, RunConfig, WhatToRun};
pub(crate) use serve::ServeConfig;

use crate::cli::{Cli, Command, Isolation, Progress, Sandbox};
use crate::sink::{ProgressMode, log_path};
use crate::source::Shard;
use crate::spec::fields;
use crate::spec::limits::{self, Limit, Limits, StackTooLarge};
use crate::spec::parse::{Defaults, PathNotGranted, check_own_files, grantable};
use crate::spec::policy::{Grants, Tier};
use crate::spec::warm::{Warm, WarmError};
use crate::sys::cores::{self, Cores};

use nix::sys::resource::{Resource, getrlimit};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Slots are processes with namespaces; more than this is a typo.
const MAX_SLOTS: usize = 4096;
/// What `--timeout-s` and `--stretch` are where they are not given.
struct Times {
    timeout_s: f64,
    stretch: f64,
}

const BATCH_TIMES: Times = Times {
    timeout_s: 60.0,
    stretch: 2.0,
};
/// A session's timeout is an agent's budget of time.
const SESSION_TIMES: Times = Times {
    timeout_s: 60.0,
    stretch: 1.0,
};
/// A person takes as long as a person takes.
const SHELL_TIMES: Times = Times {
    timeout_s: MAX_SECONDS,
    stretch: 1.0,
};
/// A week.
const MAX_SECONDS: f64 = 604_800.0;

/// A flag whose value can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("{flag} is {value}; give a value from {from} to {to}")]
    Range {
        flag: String,
        value: String,
        from: String,
        to: String,
    },
    #[error("--warm: {0}")]
    Warm(#[from] WarmError),
    #[error("{flag} {error}")]
    Grant {
        flag: &'static str,
        error: PathNotGranted,
    },
    #[error("--env {0:?} sets no variable; write NAME=VALUE")]
    Variable(String),
    #[error("--stack-mb {0}")]
    Stack(#[from] StackTooLarge),
    #[error("--allow-path {path:?} can't be used ({error}); name a directory that exists")]
    AllowPath {
        path: PathBuf,
        error: std::io::Error,
    },
}

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Task {
    Job(Config),
    Doctor(DoctorConfig),
    Serve(ServeConfig),
    Run(RunConfig),
    Help(Option<String>),
}

impl TryFrom<Cli> for Task {
    type Error = ConfigError;

    fn try_from(cli: Cli) -> Result<Self, ConfigError> {
        match cli.command {
            Some(Command::Doctor(flags)) => Ok(Task::Doctor(DoctorConfig {
                json: flags.json,
                tier: tier(flags.isolation),
                concurrency: default_concurrency(),
                processes: default_processes(),
            })),
            Some(Command::Help { topic }) => Ok(Task::Help(topic)),
            Some(Command::Run(flags)) => RunConfig::try_from(*flags).map(Task::Run),
            Some(Command::Shell(flags)) => RunConfig::try_from(*flags).map(Task::Run),
            Some(Command::Serve(flags)) => ServeConfig::try_from(*flags).map(Task::Serve),
            None => Config::try_from(cli).map(Task::Job),
        }
    }
}

/// What `runner doctor` needs to know.
#[derive(Debug)]
pub(crate) struct DoctorConfig {
    pub json: bool,
    /// `None` for the best this machine grants.
    pub tier: Option<Tier>,
    /// Slots of a run without `--concurrency`.
    pub concurrency: usize,
    /// What an episode may have without `--processes`.
    pub processes: u32,
}

/// Everything a run needs to know, checked.
#[derive(Debug)]
pub(crate) struct Config {
    pub jobs: Vec<PathBuf>,
    pub output: Option<PathBuf>,
    /// What the run reads and writes beside its trace.
    pub files: Vec<PathBuf>,
    pub resume: bool,
    pub concurrency: usize,
    pub ordered: bool,
    pub shard: Option<Shard>,
    pub strict: bool,
    /// `None` for the best this machine grants.
    pub tier: Option<Tier>,
    pub warm: Warm,
    pub warm_wait: bool,
    pub warm_episodes: u32,
    pub retries: u32,
    /// Of the episodes, the share that runs again, from 0 to 1.
    pub audit: Option<f64>,
    pub defaults: Arc<Defaults>,
    pub startup_target: Duration,
    pub stats: Option<PathBuf>,
    pub trace: Option<PathBuf>,
    pub progress: ProgressMode,
}

impl TryFrom<Cli> for Config {
    type Error = ConfigError;

    fn try_from(cli: Cli) -> Result<Self, ConfigError> {
        let sandbox = &cli.sandbox;
        let warm = warm(sandbox, "auto")?;
        in_range("--warm-episodes", cli.warm_episodes, 1..=1_000_000_000)?;
        let concurrency = cli.concurrency.unwrap_or_else(default_concurrency);
        in_range("--concurrency", concurrency, 1..=MAX_SLOTS)?;
        in_range(
            "--startup-target-ms",
            cli.startup_target_ms,
            0.001..=60_000.0,
        )?;
        if let Some(percent) = cli.audit {
            in_range("--audit", percent, 0.0..=100.0)?;
        }
        Ok(Config {
            defaults: Arc::new(defaults(
                sandbox,
                BATCH_TIMES,
                own_files(files_of(&cli).chain(cli.trace.clone())),
            )?),
            files: files_of(&cli).collect(),
            jobs: cli.jobs.iter().map(PathBuf::from).collect(),
            output: cli.output,
            resume: cli.resume,
            concurrency,
            ordered: cli.ordered,
            shard: cli.shard,
            strict: cli.strict,
            tier: tier(sandbox.isolation),
            warm,
            warm_wait: cli.warm_wait,
            warm_episodes: cli.warm_episodes,
            retries: cli.retries,
            audit: cli.audit.map(|percent| percent / 100.0),
            startup_target: Duration::from_secs_f64(cli.startup_target_ms / 1e3),
            stats: cli.stats,
            trace: cli.trace,
            progress: match cli.progress {
                Progress::Auto => ProgressMode::Auto,
                Progress::Always => ProgressMode::Always,
                Progress::Never => ProgressMode::Never,
            },
        })
    }
}

fn warm(sandbox: &Sandbox, default: &str) -> Result<Warm, ConfigError> {
    let given = sandbox.warm.iter().map(String::as_str);
    Ok(match sandbox.warm.as_slice() {
        [] => Warm::parse([default]),
        _ => Warm::parse(given),
    }?)
}

fn default_concurrency() -> usize {
    2 * cores::available()
}

/// By the cores that a program counts: those that it may run on, whatever share of them a cgroup leaves it.
fn default_processes() -> u32 {
    let cores = Cores::of(0).map(|cores| cores.count());
    // There may be more cores than such a set can hold.
    limits::default_processes(cores.unwrap_or_else(cores::available))
}

fn tier(isolation: Isolation) -> Option<Tier> {
    match isolation {
        Isolation::Auto => None,
        Isolation::Namespaces => Some(Tier::Namespaces),
        Isolation::Landlock => Some(Tier::Landlock),
    }
}

fn defaults(
    sandbox: &Sandbox,
    times: Times,
    own_files: Vec<PathBuf>,
) -> Result<Defaults, ConfigError> {
    let timeout_s = sandbox.timeout_s.unwrap_or(times.timeout_s);
    in_range("--timeout-s", timeout_s, fields::TIMEOUT_S.range())?;
    let stretch = sandbox.stretch.unwrap_or(times.stretch);
    in_range("--stretch", stretch, fields::STRETCH.range())?;
    let most_stack_bytes = getrlimit(Resource::RLIMIT_STACK).map_or(u64::MAX, |(_, most)| most);
    let limits = limits(&sandbox.limits.0)?;
    limits.check_stack(most_stack_bytes)?;
    Ok(Defaults {
        timeout: Duration::from_secs_f64(timeout_s),
        stretch,
        limits,
        grants: Arc::new(Grants {
            readable: grants("--fs-readable", &sandbox.fs_readable)?,
            writable: writable_grants("--fs-writable", &sandbox.fs_writable, &own_files)?,
            ..Grants::default()
        }),
        own_files,
        allow_paths: match sandbox.allow_path.as_slice() {
            [] => None,
            paths => Some(paths.iter().map(|p| allowed(p)).collect::<Result<_, _>>()?),
        },
        allow_host_network: sandbox.allow_host_network,
        most_stack_bytes,
    })
}

fn limits(given: &[(&'static Limit, f64)]) -> Result<Limits, ConfigError> {
    let mut limits = Limits {
        processes: default_processes(),
        ..Limits::default()
    };
    for (limit, value) in given {
        let flag = format!("--{}", limit.flag());
        in_range(&flag, *value, limit.field.range())?;
        (limit.set)(&mut limits, *value);
    }
    Ok(limits)
}

fn grants(flag: &'static str, paths: &[PathBuf]) -> Result<Vec<PathBuf>, ConfigError> {
    let here = std::env::current_dir().unwrap_or_default();
    let canonical = paths.iter().map(|path| grantable(&here.join(path)));
    let mut list: Vec<PathBuf> = canonical
        .collect::<Result<_, _>>()
        .map_err(|error| ConfigError::Grant { flag, error })?;
    list.sort();
    list.dedup();
    Ok(list)
}

fn writable_grants(
    flag: &'static str,
    paths: &[PathBuf],
    own_files: &[PathBuf],
) -> Result<Vec<PathBuf>, ConfigError> {
    let granted = grants(flag, paths)?;
    let checked = granted
        .iter()
        .try_for_each(|path| check_own_files(path, own_files));
    checked.map_err(|error| ConfigError::Grant { flag, error })?;
    Ok(granted)
}

/// What a run reads and writes.
fn files_of(cli: &Cli) -> impl Iterator<Item = PathBuf> {
    let read = cli.jobs.iter().map(|jobs| match jobs.as_str() {
        "-" => STDIN.into(),
        path => PathBuf::from(path),
    });
    let statistics = cli
        .stats
        .iter()
        .flat_map(|path| [path.clone(), log_path(path)]);
    let output = cli.output.clone().unwrap_or(STDOUT.into());
    read.chain(statistics).chain([output])
}

/// What a shell has opened for us.
const STDIN: &str = "/proc/self/fd/0";
const STDOUT: &str = "/proc/self/fd/1";
const STDERR: &str = "/proc/self/fd/2";

/// Where these files are, or will be, and where a link is that leads to one. What is no file is nowhere.
fn own_files(paths: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut files = BTreeSet::new();
    for path in paths {
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let named = directory.canonicalize().ok().zip(path.file_name());
        files.extend(named.map(|(directory, name)| directory.join(name)));
        // Of a link that leads nowhere yet, what it is to lead to.
        let target = path.read_link().ok().map(|target| directory.join(target));
        files.extend(target);
        files.extend(path.canonicalize().ok());
    }
    files.into_iter().collect()
}

fn allowed(path: &Path) -> Result<PathBuf, ConfigError> {
    path.canonicalize().map_err(|error| ConfigError::AllowPath {
        path: path.to_owned(),
        error,
    })
}

fn in_range<T: PartialOrd + std::fmt::Display>(
    flag: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(ConfigError::Range {
        flag: flag.to_owned(),
        value: value.to_string(),
        from: range.start().to_string(),
        to: range.end().to_string(),
    })
}
