//! The configuration of `runner run` and `runner shell`.

use super::{
    BATCH_TIMES, ConfigError, SHELL_TIMES, STDERR, STDIN, STDOUT, Times, defaults, own_files, tier,
    warm,
};
use crate::cli::{One, Run, Shell};
use crate::spec::parse::{Defaults, ProgramSpec};
use crate::spec::policy::Tier;
use crate::spec::warm::Warm;
use std::path::PathBuf;
use std::sync::Arc;

/// What sits at the terminal of `runner shell` where nothing else is asked for.
const SHELL: [&str; 2] = ["bash", "-l"];

/// What `runner run` and `runner shell` need to know.
#[derive(Debug)]
pub(crate) struct RunConfig {
    pub what: WhatToRun,
    pub interaction: Interaction,
    /// Whether the result is written to stderr.
    pub verdict: bool,
    /// `None` for the best this machine grants.
    pub tier: Option<Tier>,
    pub warm: Warm,
    pub defaults: Arc<Defaults>,
}

#[derive(Debug)]
pub(crate) enum WhatToRun {
    Program(ProgramSpec),
    /// The episode of this id in these jobs files.
    Listed {
        jobs: Vec<PathBuf>,
        id: String,
    },
}

/// How the user takes part.
#[derive(Debug)]
pub(crate) enum Interaction {
    /// Is shown what the program prints.
    Output {
        /// Whether the program gets what our stdin holds.
        stdin: bool,
    },
    /// Sits at a terminal.
    Terminal {
        /// What sits there with the user.
        program: Vec<String>,
    },
}

impl TryFrom<Run> for RunConfig {
    type Error = ConfigError;

    fn try_from(flags: Run) -> Result<Self, ConfigError> {
        let interaction = Interaction::Output { stdin: flags.stdin };
        config(flags.one, flags.program, interaction, BATCH_TIMES)
    }
}

impl TryFrom<Shell> for RunConfig {
    type Error = ConfigError;

    fn try_from(flags: Shell) -> Result<Self, ConfigError> {
        let program = match flags.program {
            none if none.is_empty() => SHELL.map(String::from).to_vec(),
            program => program,
        };
        let interaction = Interaction::Terminal {
            program: program.clone(),
        };
        config(flags.one, program, interaction, SHELL_TIMES)
    }
}

/// `program` is what runs where no episode of a jobs file is named.
fn config(
    flags: One,
    program: Vec<String>,
    interaction: Interaction,
    times: Times,
) -> Result<RunConfig, ConfigError> {
    let jobs: Vec<PathBuf> = flags.jobs.iter().map(PathBuf::from).collect();
    let streams = [STDIN, STDOUT, STDERR].map(PathBuf::from);
    let own_files = own_files(jobs.iter().cloned().chain(streams));
    let what = match flags.id {
        Some(id) => WhatToRun::Listed { jobs, id },
        None => WhatToRun::Program(ProgramSpec {
            argv: program,
            env: variables(flags.env)?,
            workdir: flags.workdir,
            network: flags.network,
        }),
    };
    Ok(RunConfig {
        what,
        interaction,
        verdict: flags.verdict,
        tier: tier(flags.sandbox.isolation),
        warm: warm(&flags.sandbox, "none")?,
        defaults: Arc::new(defaults(&flags.sandbox, times, own_files)?),
    })
}

/// `NAME=VALUE`, apart.
fn variables(given: Vec<String>) -> Result<Vec<(String, String)>, ConfigError> {
    let split = given.into_iter().map(|variable| {
        let apart = variable
            .split_once('=')
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        apart.ok_or(ConfigError::Variable(variable))
    });
    split.collect()
}
