//! What a slot reports of an episode it ran: facts only, no verdicts.
//!
//! Times are CLOCK_MONOTONIC nanoseconds, which all processes of a machine share.

use super::host_fault::HostFault;
use super::limits::Limits;
use super::policy::Enforced;
use super::warm::Start;
use serde::{Deserialize, Serialize};

/// Facts of one episode, as the slot that ran it saw them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    pub enforced: Enforced,
    /// What was found that is not as it was before; then the slot ends itself and must not be used again. None where the
    /// sandbox has proven itself clean.
    pub unclean: Option<Unclean>,
    /// One per step that was started, in order; at least one.
    pub steps: Vec<StepExecution>,
    /// What became of `collect`.
    pub collected: Collected,
    /// When the runner handed the episode to the slot.
    pub handed_ns: u64,
    /// When the slot read the request.
    pub received_ns: u64,
    /// When the sandbox was proven clean again (or found not to be).
    pub cleaned_ns: u64,
}

/// The longest line that stands for output that was left out, in bytes.
pub const MAX_NOTE_BYTES: usize = 64;

/// What keeps a sandbox from being as it was before the episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unclean {
    /// Processes that could not be ended in time.
    Processes,
    /// Processes that became more faster than they could be listed.
    ProcessesFork,
    /// The kernel has killed at the slot's limit of memory, and may have killed more than a program.
    KernelKilled,
    /// System V objects that could not be removed.
    SystemV,
    /// Inodes and blocks of its file system that are in use, beyond those that were before.
    InUse { inodes: i64, blocks: i64 },
    /// Sockets that are still in use.
    Sockets,
    /// One of its own directories or links could not be put back. A path of ours.
    Path { path: String, errno: i32 },
    /// Its file system could not be asked.
    Unknown { errno: i32 },
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
    /// User plus system time of the program and its descendants, and of what earlier ones left running and ended meanwhile, in
    /// microseconds.
    pub cpu_us: u64,
    /// For how long, by estimate, the host kept it from running, in nanoseconds.
    pub stalled_ns: u64,
    /// Highest memory seen of the whole tree, in bytes.
    pub peak_memory_bytes: u64,
    /// stdout and stderr as they came, up to the cap and a note of at most [`MAX_NOTE_BYTES`].
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

impl Execution {
    /// For how long its programs ran, in nanoseconds.
    pub fn wall_ns(&self) -> u64 {
        self.steps.iter().map(StepExecution::wall_ns).sum()
    }

    /// For how long the host kept them from it.
    pub fn stalled_ns(&self) -> u64 {
        self.steps.iter().map(|step| step.stalled_ns).sum()
    }

    /// What the host kept from programs that ended for it.
    pub fn host_faults(&self) -> impl Iterator<Item = HostFault> {
        self.steps.iter().filter_map(|step| match step.end {
            End::Host(fault, _) => Some(fault),
            _ => None,
        })
    }

    /// Takes what happened for the programs' own doing after all, where the evidence against the host may be another's.
    pub fn drop_doubtful_evidence(&mut self) {
        for step in &mut self.steps {
            match step.end {
                End::Host(fault, finish) if fault.may_be_anothers() => step.end = finish.into(),
                _ => {}
            }
        }
    }
}

impl StepExecution {
    /// For how long the program ran, in nanoseconds; 0 where it never did.
    pub fn wall_ns(&self) -> u64 {
        match self.running_ns {
            0 => 0,
            running_ns => self.ended_ns.saturating_sub(running_ns),
        }
    }

    /// How the program ended, if it ended badly by itself, as far as anybody knows.
    pub fn failure(&self) -> Option<Finish> {
        match self.end {
            End::Exited(code) if code != 0 => Some(Finish::Exited(code)),
            End::Signaled(signal) => Some(Finish::Signaled(signal)),
            _ => None,
        }
    }

    /// Whether it ended by SIGKILL, as it says or as a shell says for it, and nobody knows who sent that.
    pub fn was_killed(&self) -> bool {
        matches!(
            self.end,
            End::Signaled(libc::SIGKILL) | End::Exited(SHELL_SAYS_KILLED)
        )
    }

    /// There is evidence that the host is why the program failed. A program that held more memory than it may was to end
    /// anyway.
    pub fn blame_host(&mut self, fault: HostFault, limits: &Limits) {
        let used_bytes = self.peak_memory_bytes;
        self.end = match (fault, self.failure()) {
            (_, None) => return,
            (HostFault::Killed(_), _) if used_bytes > limits.memory_bytes => {
                End::MemoryLimit { used_bytes }
            }
            (fault, Some(finish)) => End::Host(fault, finish),
        };
    }
}

impl From<Finish> for End {
    fn from(finish: Finish) -> End {
        match finish {
            Finish::Exited(code) => End::Exited(code),
            Finish::Signaled(signal) => End::Signaled(signal),
        }
    }
}

/// The exit code of a shell whose last command was killed.
pub const SHELL_SAYS_KILLED: i32 = 128 + libc::SIGKILL;

/// How an execution ended. The evidence of a limit travels with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// The program could not be executed: the errno of the best candidate on PATH, as `sys::exec` gives it.
    NotExecutable {
        errno: i32,
    },
    NotPrepared(NotPrepared),
    /// So many processes and threads were there, as many as may be, shortly before the program ended, or were left behind by it; it
    /// failed like this, and may have been refused more.
    ProcessLimit {
        count: u32,
        finish: Finish,
    },
    /// The host kept something from the program, which ended like this.
    Host(HostFault, Finish),
}

/// A file or directory of the spec that could not be put in place inside the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotPrepared {
    pub path: String,
    pub errno: i32,
}

/// How a program ended by itself, though for want of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    Exited(i32),
    Signaled(i32),
}

/// What showed that the disk limit ended a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskEvidence {
    /// No free block was left; bytes in use.
    Bytes(u64),
    /// No free inode was left; inodes in use.
    Inodes(u64),
    /// SIGXFSZ: one file outgrew the limit.
    FileSize,
    /// Files may be open that have no name and that nobody can look at; descriptors of processes that forbid inspection.
    Hidden(u64),
    /// Directories that lie very deep were moved or closed while they were counted, or one could not be read to its end;
    /// they may hold anything.
    Uncounted,
}

/// The files that `collect` named, or why they could not be returned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    pub files: Vec<CollectedFile>,
    pub not: Vec<NotCollected>,
    /// How many there was no room to name.
    pub more: u64,
    /// Whether there are directories that were not searched.
    pub unsearched: bool,
}

/// A file returned by `collect`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectedFile {
    /// Relative to the episode's `workdir` when the pattern was, else absolute; [escaped](super::names::escaped).
    pub path: String,
    #[serde(with = "serde_bytes")]
    pub content: Vec<u8>,
}

/// What `collect` names and does not return.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCollected {
    /// As of a file.
    pub path: String,
    pub why: WhyNot,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WhyNot {
    /// A name without wildcards that nothing has.
    Missing,
    /// It lies where the landlock tier has no place.
    NoPlace,
    /// It lies in a mount of the host, and not among the sandbox's own files.
    Outside,
    Directory,
    /// Neither file nor directory nor link.
    Special,
    /// A file of so many bytes, for which there was no room.
    OverCap(u64),
    /// A link to a place where the episode could not write; where it leads.
    LinkOut(String),
    LinkToDirectory(String),
    /// A link to what can't be read, and the errno.
    LinkBroken(String, i32),
    /// The errno.
    Unreadable(i32),
    /// There was no time to read it.
    Late,
}
