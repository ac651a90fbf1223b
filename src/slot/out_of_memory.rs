//! Whom the kernel killed for lack of memory, and whose memory it was that lacked.

use super::cgroup::{Cgroup, Counts};

pub struct OutOfMemory {
    cgroup: Option<Cgroup>,
    /// What the cgroup had counted when the episode began.
    begun: Counts,
    /// Kills that were noticed since.
    noticed: u64,
    /// Whether one of them was not for the slot's own limit.
    host_killed: bool,
    /// Kills on the whole machine, when they were last looked at.
    machine: u64,
}

impl OutOfMemory {
    pub fn new(cgroup: Option<Cgroup>) -> OutOfMemory {
        OutOfMemory {
            cgroup,
            begun: Counts::default(),
            noticed: 0,
            host_killed: false,
            machine: machine_kills(),
        }
    }

    /// For an episode or a session whose programs may use so much. To be called while none runs.
    pub fn begin(&mut self, memory_bytes: u64) {
        if let Some(cgroup) = &mut self.cgroup {
            cgroup.allow(memory_bytes);
            self.begun = Counts {
                kills: cgroup.kills(),
                hits: cgroup.hits(),
            };
            self.noticed = self.begun.kills;
            self.host_killed = false;
        }
    }

    /// What the slot had in use if the kernel has killed for that since this was last asked, in bytes.
    pub fn at_limit(&mut self) -> Option<u64> {
        let cgroup = self.cgroup.as_ref()?;
        let kills = cgroup.kills();
        if kills <= self.noticed {
            return None;
        }
        self.noticed = kills;
        // Before it kills at the limit, the kernel counts that it is met. Afterwards it may not be met again.
        let limited = cgroup.hits() > self.begun.hits;
        self.host_killed |= !limited;
        limited.then_some(cgroup.limit_bytes)
    }

    /// Whether the kernel has killed any process of the slot since the episode began. It may have been a zygote.
    pub fn has_killed(&self) -> bool {
        let now = |cgroup: &Cgroup| cgroup.kills() > self.begun.kills;
        self.cgroup.as_ref().is_some_and(now)
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

    /// The limit of the slot's cgroup, in bytes; 0 without one.
    pub fn limit_bytes(&self) -> u64 {
        self.cgroup.as_ref().map_or(0, |cgroup| cgroup.limit_bytes)
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
