//! The configuration of `runner run`.

use super::{BATCH_STRETCH, ConfigError, STDERR, STDIN, STDOUT, defaults, own_files, tier, warm};
use crate::cli::Run;
use crate::spec::parse::{Defaults, ProgramSpec};
use crate::spec::policy::Tier;
use crate::spec::warm::Warm;
use std::path::PathBuf;
use std::sync::Arc;

/// What `runner run` needs to know.
#[derive(Debug)]
pub(crate) struct RunConfig {
    pub what: WhatToRun,
    /// Whether the program gets what our stdin holds.
    pub stdin: bool,
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

impl TryFrom<Run> for RunConfig {
    type Error = ConfigError;

    fn try_from(flags: Run) -> Result<Self, ConfigError> {
        let jobs: Vec<PathBuf> = flags.jobs.iter().map(PathBuf::from).collect();
        let streams = [STDIN, STDOUT, STDERR].map(PathBuf::from);
        let own_files = own_files(jobs.iter().cloned().chain(streams));
        let what = match flags.id {
            Some(id) => WhatToRun::Listed { jobs, id },
            None => WhatToRun::Program(ProgramSpec {
                argv: flags.program,
                env: variables(flags.env)?,
                workdir: flags.workdir,
                network: flags.network,
            }),
        };
        Ok(RunConfig {
            what,
            stdin: flags.stdin,
            verdict: flags.verdict,
            tier: tier(flags.sandbox.isolation),
            warm: warm(&flags.sandbox, "none")?,
            defaults: Arc::new(defaults(&flags.sandbox, BATCH_STRETCH, own_files)?),
        })
    }
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
