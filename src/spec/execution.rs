//! What a slot reports of an episode it ran: facts only, no verdicts.
//!
//! Times are CLOCK_MONOTONIC nanoseconds, which all processes of a machine share.

use super::policy::Enforced;
use serde::{Deserialize, Serialize};

/// Facts of one episode, as the slot that ran it saw them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    pub enforced: Enforced,
    /// Whether the sandbox has proven itself clean; if not, the slot ends itself and must not be used again.
    pub clean: bool,
    /// One per step that was started, in order; at least one.
    pub steps: Vec<StepExecution>,
    /// Files that matched `collect`, by name.
    pub collected: Vec<Collected>,
    /// When the runner handed the episode to the slot.
    pub handed_ns: u64,
    /// When the slot read the request.
    pub received_ns: u64,
    /// When the sandbox was proven clean again (or found not to be).
    pub cleaned_ns: u64,
}

/// Facts of one execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepExecution {
    pub start: Start,
    pub end: End,
    /// When working directory, files and pipes were ready.
    pub prepared_ns: u64,
    /// When the zygote began to fork.
    pub forked_ns: u64,
    /// When the program was running (exec done).
    pub running_ns: u64,
    /// When the program had ended.
    pub ended_ns: u64,
    /// User plus system time of the program and the descendants it waited for, in microseconds.
    pub cpu_us: u64,
    /// Highest memory seen of the whole tree, in bytes.
    pub peak_memory_bytes: u64,
    /// stdout and stderr as they came, up to the cap.
    #[serde(with = "serde_bytes")]
    pub output: Vec<u8>,
    /// Only with `Capture::Split`.
    pub streams: Option<Streams>,
    /// All bytes that were produced, kept or not.
    pub output_bytes: u64,
    pub truncated: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streams {
    #[serde(with = "serde_bytes")]
    pub stdout: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub stderr: Vec<u8>,
}

/// How the program was brought to life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    Exec,
    WarmBash,
    WarmPython,
}

/// How an execution ended. The evidence of a limit travels with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    Exited(i32),
    /// A signal that was not ours.
    Signaled(i32),
    Timeout,
    /// Microseconds the tree had used.
    CpuLimit {
        used_us: u64,
    },
    /// Bytes the tree held.
    MemoryLimit {
        used_bytes: u64,
    },
    DiskLimit(DiskEvidence, Finish),
    /// Bytes the execution had printed.
    OutputLimit {
        produced_bytes: u64,
    },
    /// The program could not be executed: the errno of the best candidate on PATH.
    NotExecutable {
        errno: i32,
    },
    /// A file or directory of the spec could not be put in place inside the sandbox.
    NotPrepared {
        path: String,
        errno: i32,
    },
}

/// How a program ended that a limit let end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finish {
    Exited(i32),
    Signaled(i32),
}

/// What showed that the disk limit ended a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskEvidence {
    /// No free block was left; bytes in use.
    Bytes(u64),
    /// No free inode was left; inodes in use.
    Inodes(u64),
    /// SIGXFSZ: one file outgrew the limit.
    FileSize,
    /// Files may be open that have no name and that nobody can look at; descriptors of processes that forbid inspection.
    Hidden(u64),
}

/// A file returned by `collect`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// Relative to the episode's `workdir` when the pattern was, else absolute.
    pub path: String,
    /// `None` when the file did not fit under the cap.
    #[serde(with = "serde_bytes")]
    pub content: Option<Vec<u8>>,
    /// The file's size.
    pub bytes: u64,
}
