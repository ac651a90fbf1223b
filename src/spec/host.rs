//! What the host kept from a program that ended badly, and what shows it. Such an end is no doing of the program's.

use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostFault {
    /// The kernel killed a process of the program because the host had no memory.
    Killed(CountedBy),
    /// The kernel refused processes or threads that the program's own limit allows: the pids cgroup that the runner is in
    /// was at its limit while the program ran.
    NoProcesses,
}

/// What counts the processes that the kernel killed for lack of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CountedBy {
    /// The memory cgroup of the slot, which nobody else is in.
    SlotCgroup,
    /// The kernel's log, by the uid of the slot, which nobody else has.
    KernelLog,
    /// The memory cgroup of the runner, which all slots are in, and maybe others.
    RunnerCgroup,
}

impl HostFault {
    /// Whether the evidence may be of another process. It counts once for an episode: a program that kills itself beside
    /// programs that the kernel kills is repeated at most once for it.
    pub fn may_be_anothers(self) -> bool {
        self == HostFault::Killed(CountedBy::RunnerCgroup)
    }
}

impl fmt::Display for HostFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HostFault::Killed(counted_by) = self else {
            return f.write_str(
                "the host refused a process or thread that the program's own limit allows: the pids cgroup of the runner was \
                 at its limit (pids.max); raise that (docker run --pids-limit), or lower --concurrency",
            );
        };
        let evidence = match counted_by {
            CountedBy::SlotCgroup => "the memory cgroup of its slot counts a kill below its limit",
            CountedBy::KernelLog => "the kernel's log names the uid of its slot",
            CountedBy::RunnerCgroup => {
                "the memory cgroup of the runner counts a kill at that moment"
            }
        };
        write!(
            f,
            "the host ran out of memory and killed the program: {evidence}; give the runner more memory, or lower --concurrency"
        )
    }
}
