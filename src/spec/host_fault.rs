//! What the host kept from a program that ended badly, and what shows it. Such an end is no doing of the program's.

use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostFault {
    /// The kernel killed a process of the program because the host had no memory.
    Killed(CountedBy),
    /// The kernel refused processes or threads that the program's own limit allows, while the program ran.
    NoProcesses(RefusedBy),
}

/// Whose limit of processes was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedBy {
    /// The pids cgroup that the runner is in counts a refusal.
    Cgroup,
    /// The user had as many as the limit that the runner was started with.
    User { limit: u32 },
}

/// What counts the processes that the kernel killed for lack of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountedBy {
    /// The memory cgroup of the slot, which nobody else is in.
    SlotCgroup,
    /// The kernel's log, by the uid of the slot, which nobody else has.
    KernelLog,
    /// The memory cgroup of the runner, which all slots are in, and maybe others.
    RunnerCgroup,
}

impl HostFault {
    /// Whether the evidence may be of another slot's process. It counts once for an episode: a program that kills itself beside
    /// programs that the kernel kills, or fails beside some that are refused processes, is repeated at most once for it.
    pub fn may_be_anothers(self) -> bool {
        match self {
            HostFault::Killed(counted_by) => counted_by == CountedBy::RunnerCgroup,
            HostFault::NoProcesses(_) => true,
        }
    }
}

impl fmt::Display for HostFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostFault::Killed(counted_by) => write!(
                f,
                "the host ran out of memory and killed the program: {counted_by}; give the runner more memory, or lower \
                 --concurrency"
            ),
            HostFault::NoProcesses(refused_by) => write!(
                f,
                "the host refused a process or thread that the program's own limit allows: {refused_by}, or lower --concurrency"
            ),
        }
    }
}

impl fmt::Display for RefusedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RefusedBy::Cgroup => f.write_str(
                "the pids cgroup of the runner was at its limit (pids.max); raise that (docker run --pids-limit)",
            ),
            RefusedBy::User { limit } => write!(
                f,
                "the runner's user had the {limit} that are allowed meanwhile (ulimit -u); raise that"
            ),
        }
    }
}

impl fmt::Display for CountedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CountedBy::SlotCgroup => "the memory cgroup of its slot counts a kill below its limit",
            CountedBy::KernelLog => "the kernel's log names the uid of its slot",
            CountedBy::RunnerCgroup => {
                "the memory cgroup of the runner counts a kill at that moment"
            }
        })
    }
}
