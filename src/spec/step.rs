//! One execution in a sandbox: of an episode, which has a list of them, or of a session, to which they come one by one.

use super::sandbox::DEFAULT_WORKDIR;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub name: Option<String>,
    pub program: Program,
    pub stdin: Bytes,
    /// Added to the clean base environment: what all steps have, then the step's own.
    pub env: BTreeMap<String, String>,
    /// Absolute, normalised, inside the sandbox.
    pub workdir: String,
    /// Wall clock, less what the host kept from it.
    pub timeout: Duration,
    /// Written before this step; those of an episode belong to its first step.
    pub files: Vec<InputFile>,
    pub on_failure: OnFailure,
}

impl Step {
    /// A program in the usual working directory, without input.
    pub fn new(program: Program, timeout: Duration) -> Step {
        Step {
            name: None,
            program,
            stdin: Bytes::new(),
            env: BTreeMap::new(),
            workdir: DEFAULT_WORKDIR.into(),
            timeout,
            files: Vec::new(),
            on_failure: OnFailure::Stop,
        }
    }

    /// The longest it may take, where the host kept it from running.
    pub fn longest(&self, stretch: f64) -> Duration {
        self.timeout.mul_f64(stretch)
    }
}

/// What steps have unless they say otherwise.
#[derive(Clone, Debug)]
pub struct StepDefaults {
    pub env: BTreeMap<String, String>,
    pub workdir: String,
    pub timeout: Duration,
}

/// What a variable takes of memory beside its text, in bytes.
const VARIABLE_BYTES: usize = 64;

/// What variables take of memory, in bytes.
pub fn env_bytes(env: &BTreeMap<String, String>) -> usize {
    env.iter()
        .map(|(name, value)| name.len() + value.len() + VARIABLE_BYTES)
        .sum()
}

/// What an execution runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// A line for `bash -lc`.
    Command(String),
    /// Program and arguments, at least one; `argv[0]` is found through PATH.
    Argv(Vec<String>),
}

impl Program {
    /// The program and its arguments, as execve(2) takes them.
    pub fn argv(&self) -> Vec<String> {
        match self {
            Program::Command(line) => vec!["bash".into(), "-lc".into(), line.clone()],
            Program::Argv(argv) => argv.clone(),
        }
    }
}

/// The permission bits of a file that is given none.
pub const DEFAULT_MODE: u32 = 0o644;

/// A file or directory put into the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// Absolute, normalised, inside the sandbox.
    pub path: String,
    pub content: Content,
    /// Permission bits; `None` for [`DEFAULT_MODE`], or what the host file has. Without meaning for a link.
    pub mode: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    Bytes(Bytes),
    /// A canonical path on the host, already checked against the allowed directories. The runner reads it before the step
    /// goes to a slot: a slot never sees one.
    HostPath(PathBuf),
    Directory,
    /// A symbolic link, and where it leads.
    Link(String),
}

/// What follows when a step does not end with exit code 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    #[default]
    Stop,
    Continue,
}
