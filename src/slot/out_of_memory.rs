//! Whom the kernel killed for lack of memory, and whose memory it was that lacked.

use super::cgroup::{Cgroup, Counts};

pub struct OutOfMemory {
    cgroup: Option<Cgroup>,
    /// What the cgroup counted when it was last looked at.
    seen: Counts,
    /// Kills on the whole machine, when they were last looked at.
    machine: u64,
    /// Whether the cgroup has lost processes that were not at its limit.
    host_killed: bool,
}

impl OutOfMemory {
    pub fn new(cgroup: Option<Cgroup>) -> OutOfMemory {
        OutOfMemory {
            cgroup,
            seen: Counts::default(),
            machine: machine_kills(),
            host_killed: false,
        }
    }

    /// Sets the limit for programs that may use so much. To be called while none runs.
    pub fn allow(&mut self, memory_bytes: u64) {
        if let Some(cgroup) = &mut self.cgroup {
            cgroup.allow(memory_bytes);
        }
    }

    /// What the slot had in use if the kernel has killed for that since this was last asked, in bytes.
    pub fn at_limit(&mut self) -> Option<u64> {
        let cgroup = self.cgroup.as_ref()?;
        let now = cgroup.counts();
        let before = std::mem::replace(&mut self.seen, now);
        let killed = now.kills > before.kills;
        let limited = now.hits > before.hits;
        self.host_killed |= killed && !limited;
        (killed && limited).then_some(cgroup.limit_bytes)
    }

    /// Whether the host had no memory, and the kernel may have killed for that since this was last asked. Without a
    /// cgroup nothing tells whose process it was.
    pub fn of_host(&mut self) -> bool {
        if self.cgroup.is_some() {
            return std::mem::take(&mut self.host_killed);
        }
        let now = machine_kills();
        now > std::mem::replace(&mut self.machine, now)
    }
}

/// Since boot (proc_vmstat(5), Linux 4.13).
fn machine_kills() -> u64 {
    let text = std::fs::read_to_string("/proc/vmstat").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|n| n.trim().parse().ok())
        .unwrap_or(0)
}
