//! The result line of the contract: verdict, fault and the figures behind them.

use super::bytes::Text;
use super::digest::Digest;
use super::policy::Enforced;
use super::warm::Start;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ok,
    Failed,
    Signaled,
    Timeout,
    CpuLimit,
    MemoryLimit,
    DiskLimit,
    OutputLimit,
    Invalid,
    InfraError,
}

/// Whose doing a result is; `None` stands for `ok`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    Program,
    Limit,
    Spec,
    Infra,
}

impl Status {
    pub const ALL: [Status; 10] = [
        Status::Ok,
        Status::Failed,
        Status::Signaled,
        Status::Timeout,
        Status::CpuLimit,
        Status::MemoryLimit,
        Status::DiskLimit,
        Status::OutputLimit,
        Status::Invalid,
        Status::InfraError,
    ];

    /// The name in results, e.g. `memory_limit`.
    pub fn name(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Failed => "failed",
            Status::Signaled => "signaled",
            Status::Timeout => "timeout",
            Status::CpuLimit => "cpu_limit",
            Status::MemoryLimit => "memory_limit",
            Status::DiskLimit => "disk_limit",
            Status::OutputLimit => "output_limit",
            Status::Invalid => "invalid",
            Status::InfraError => "infra_error",
        }
    }

    pub fn fault(self) -> Option<Fault> {
        match self {
            Status::Ok => None,
            Status::Failed | Status::Signaled => Some(Fault::Program),
            Status::Timeout
            | Status::CpuLimit
            | Status::MemoryLimit
            | Status::DiskLimit
            | Status::OutputLimit => Some(Fault::Limit),
            Status::Invalid => Some(Fault::Spec),
            Status::InfraError => Some(Fault::Infra),
        }
    }
}

/// One result line. Field order is the order in the JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub id: String,
    #[serde(flatten)]
    pub verdict: Verdict,
    pub attempts: u32,
    /// Why each attempt but the last came to nothing, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempt_errors: Vec<String>,
    pub queue_ms: f64,
    pub startup_ms: Option<f64>,
    pub sandbox: Option<Enforced>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<BTreeMap<String, ReturnedFile>>,
    /// What `collect` named and is not among the files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_collected: Vec<NotReturned>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<StepOutcome>>,
    /// Where the episode ran again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audit>,
    /// Of what the line asked for, so that `--resume` can tell whether this is a verdict on what it asks for now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec_digest: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Box<RawValue>>,
    /// Phases of startup, for statistics; not part of the line.
    #[serde(skip)]
    pub phases: Option<Phases>,
}

/// What a second run of an episode came to.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Audit {
    pub status: Status,
    /// Whether that is the status of the first.
    pub agrees: bool,
}

/// The fields that an episode's result and each of its steps share.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    pub status: Status,
    pub exit_code: Option<i32>,
    pub output: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr: Option<Text>,
    pub output_bytes: u64,
    pub truncated: bool,
    pub signal: Option<i32>,
    pub fault: Option<Fault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub wall_ms: f64,
    pub cpu_ms: f64,
    /// For how long, by estimate, the host kept it from running.
    pub stalled_ms: f64,
    pub peak_memory_mb: f64,
    pub start: Option<Start>,
}

#[derive(Clone, Debug, Serialize)]
pub struct StepOutcome {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(flatten)]
    pub verdict: Verdict,
    pub startup_ms: Option<f64>,
}

/// The result of one execution of a session: what an episode's has of it.
#[derive(Clone, Debug, Serialize)]
pub struct ExecOutcome {
    #[serde(flatten)]
    pub verdict: Verdict,
    pub queue_ms: f64,
    pub startup_ms: Option<f64>,
    /// As of an episode.
    #[serde(skip)]
    pub phases: Option<Phases>,
}

/// A file of `collect`: text, or base64 when it is not UTF-8.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ReturnedFile {
    Text(String),
    Base64 { base64: String },
}

/// A file that `collect` named and that is not returned; without a path it stands for all that could not be named.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NotReturned {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    pub reason: String,
}

/// Startup of an episode's first execution by phase, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// From the runner's send until the slot has read the request.
    pub dispatch: u64,
    /// Working directory, files, pipes.
    pub prepare: u64,
    /// From the request to the zygote until it forks.
    pub handoff: u64,
    /// fork, restrict, exec.
    pub launch: u64,
    /// From the end of the program until the slot is proven clean.
    pub clean: u64,
    /// The contract's `startup_ms`.
    pub total: u64,
}
