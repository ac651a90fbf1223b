//! The messages. The order in which they may come is in the parent module.

use super::failure::Failure;
use crate::spec::episode::{Capture, OnFailure};
use crate::spec::execution::Execution;
use crate::spec::limits::Limits;
use crate::spec::policy::{Enforced, Grants, Tier};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// Version of all messages; init refuses a runner that speaks another.
pub const VERSION: u16 = 1;

/// The sandbox a slot is to build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    pub version: u16,
    /// The slot's number in its pool, for process names.
    pub slot: u32,
    pub tier: Tier,
    pub ids: Ids,
    /// Landlock tier only: the slot's own directory on the host, to be created and removed by init.
    pub scratch: Option<PathBuf>,
    pub grants: Grants,
    /// Processes that other slots of the same uid may have at once, where RLIMIT_NPROC can't tell them apart.
    pub headroom: u32,
}

/// Who an episode is, on the host and inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ids {
    /// Never the host's root.
    pub uid: u32,
    pub gid: u32,
    /// Whether the runner is root and the slot has to change to `uid`.
    pub change: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    Ready(Enforced),
    /// The sandbox could not be built, or the episode could not be run in it; the slot ends itself.
    Refused(Failure),
    Ended(Box<Execution>),
}

/// One whole episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeRequest {
    /// CLOCK_MONOTONIC nanoseconds at which the runner sent this.
    pub handed_ns: u64,
    pub limits: Limits,
    pub capture: Capture,
    pub collect: Vec<String>,
    pub workdir: String,
    pub steps: Vec<StepRequest>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRequest {
    /// At least one; the program is found through PATH.
    pub argv: Vec<String>,
    /// Added to the base environment.
    pub env: Vec<(String, String)>,
    pub workdir: String,
    #[serde(with = "serde_bytes")]
    pub stdin: Vec<u8>,
    pub files: Vec<FileRequest>,
    pub timeout: Duration,
    pub on_failure: OnFailure,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileRequest {
    /// Absolute, inside the sandbox.
    pub path: String,
    pub mode: u32,
    /// `None` for a directory.
    #[serde(with = "serde_bytes")]
    pub content: Option<Vec<u8>>,
}

/// What a zygote is to run; stdin, stdout and stderr travel with it as file descriptors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Launch {
    pub argv: Vec<String>,
    /// The whole environment, as `NAME=value`.
    pub env: Vec<String>,
    pub workdir: String,
    pub rlimits: Vec<Rlimit>,
    /// Directories beyond the slot's own writable ones that this episode's files or workdir made.
    pub writable: Vec<String>,
}

/// One `setrlimit`; soft and hard are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// `RLIMIT_…`, getrlimit(2).
    pub resource: u32,
    pub value: u64,
}

/// How a launched program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    pub ended: ExitKind,
    pub forked_ns: u64,
    /// 0 when the program never ran.
    pub running_ns: u64,
    pub ended_ns: u64,
    pub cpu_us: u64,
    /// Highest resident set of any single process of the program, in bytes (`ru_maxrss`).
    pub max_rss_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitKind {
    Exited(i32),
    Signaled(i32),
    /// No candidate on PATH could be executed; the errno that execvp(3) would report.
    NotExecutable(i32),
    /// Our own work before exec failed.
    Failed(Failure),
}
