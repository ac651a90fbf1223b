//! One validated episode: a sandbox and its steps, with every default applied and every path checked, ready to run.

use super::digest::Digest;
use super::sandbox::Sandbox;
use super::step::{InputFile, Step, StepDefaults};
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

/// A validated episode.
#[derive(Clone, Debug)]
pub struct Episode {
    /// Unique within the run.
    pub id: String,
    pub origin: Origin,
    pub sandbox: Sandbox,
    /// At least one; `command` and `argv` episodes have exactly one.
    pub steps: Vec<Step>,
    /// Whether the line had `steps`, so that the result lists them too.
    pub multi_step: bool,
    /// Wall clock for all of it, further attempts included, from when it may begin; `None` for no limit.
    pub deadline: Option<Duration>,
    /// Glob patterns of files to return; relative ones are under the sandbox's `workdir`.
    pub collect: Vec<String>,
    pub echo: Echo,
}

impl Episode {
    /// When it has to be over, if it may begin at this time; both CLOCK_MONOTONIC nanoseconds.
    pub fn deadline_ns(&self, begin_ns: u64) -> Option<u64> {
        let deadline = self.deadline?;
        Some(begin_ns.saturating_add(deadline.as_nanos() as u64))
    }
}

/// What a session is started with; its steps come later.
#[derive(Clone, Debug)]
pub struct SessionStart {
    pub sandbox: Sandbox,
    pub defaults: StepDefaults,
    pub files: Vec<InputFile>,
}

/// Where an episode was read, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// As the user wrote it; `stdin` for `-`.
    pub file: Arc<str>,
    /// 1-based line in that file; 0 where it has no lines.
    pub line: u64,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{} line {line}", self.file),
        }
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
