//! One validated episode: every default applied, every path checked, ready to run.

use super::digest::Digest;
use super::limits::Limits;
use super::policy::Grants;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where relative paths of an episode start when it names no `workdir`.
pub const DEFAULT_WORKDIR: &str = "/workspace";

/// A validated episode.
#[derive(Clone, Debug)]
pub struct Episode {
    /// Unique within the run.
    pub id: String,
    pub origin: Origin,
    /// At least one; `command` and `argv` episodes have exactly one.
    pub steps: Vec<Step>,
    /// Whether the line had `steps`, so that the result lists them too.
    pub multi_step: bool,
    /// Whether programs have run in its sandbox before, as in a session: then what is missing there may be their doing.
    pub goes_on: bool,
    /// Up to so many times its timeout an execution may take, where the host kept it from running; at least 1.
    pub stretch: f64,
    /// Wall clock for all of it, further attempts included, from when it may begin; `None` for no limit.
    pub deadline: Option<Duration>,
    pub limits: Limits,
    /// Shared by the many episodes that ask for the same.
    pub grants: Arc<Grants>,
    pub capture: Capture,
    pub output_keep: OutputKeep,
    /// Glob patterns of files to return; relative ones are under the episode's `workdir`.
    pub collect: Vec<String>,
    /// The episode's own `workdir`; a step may have another.
    pub workdir: String,
    pub echo: Echo,
}

/// Where an episode was read, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// As the user wrote it; `stdin` for `-`.
    pub file: Arc<str>,
    /// 1-based line in that file.
    pub line: u64,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} line {}", self.file, self.line)
    }
}

/// What passes through to the result.
#[derive(Clone, Debug, Default)]
pub struct Echo {
    pub group: Option<String>,
    pub meta: Option<Box<RawValue>>,
    /// Of the line, where it stands in a jobs file.
    pub spec_digest: Option<Digest>,
}

/// One execution of an episode.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub name: Option<String>,
    pub program: Program,
    pub stdin: Vec<u8>,
    /// Added to the clean base environment: the episode's, then the step's own.
    pub env: BTreeMap<String, String>,
    /// Absolute, normalised, inside the sandbox.
    pub workdir: String,
    /// Wall clock, less what the host kept from it.
    pub timeout: Duration,
    /// Written before this step; those of the episode itself belong to its first step.
    pub files: Vec<InputFile>,
    pub on_failure: OnFailure,
}

impl Step {
    /// The longest it may take, where the host kept it from running.
    pub fn longest(&self, stretch: f64) -> Duration {
        self.timeout.mul_f64(stretch)
    }
}

/// What an execution runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A line for `bash -lc`.
    Command(String),
    /// Program and arguments, at least one; `argv[0]` is found through PATH.
    Argv(Vec<String>),
}

/// A file or directory put into the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Absolute, normalised, inside the sandbox.
    pub path: String,
    pub content: Content,
    /// Permission bits; `None` for 0644, or what the host file has.
    pub mode: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Bytes(Vec<u8>),
    /// A canonical path on the host, already checked against the allowed directories.
    HostPath(PathBuf),
}

/// What follows when a step does not end with exit code 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    #[default]
    Stop,
    Continue,
}

/// Whether stdout and stderr are also returned apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capture {
    #[default]
    Merged,
    Split,
}

/// What is kept of more output than `output_kb`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKeep {
    /// The first quarter and the last three, with a line between that says how much was left out.
    #[default]
    Ends,
    Head,
    Tail,
}
