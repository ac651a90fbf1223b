//! Whom the kernel killed for lack of memory, and whose memory it was that lacked.

use super::cgroup::{Cgroup, Kills};

pub struct OutOfMemory {
    kills: Kills,
    /// Those that are known of.
    noticed: u64,
    /// Those that were known of when the episode began.
    begun: u64,
    /// How often the slot was at its limit, when the episode was first looked at or before. Read once, because the kernel
    /// counts a hit some time before it kills for it.
    hits: u64,
    /// Whether that is still to be read for this episode.
    is_fresh: bool,
    /// Whether one of the kills was not for the slot's own limit.
    host_killed: bool,
}

impl OutOfMemory {
    pub fn new(kills: Kills) -> OutOfMemory {
        let mut new = OutOfMemory {
            kills,
            noticed: 0,
            begun: 0,
            hits: 0,
            is_fresh: true,
            host_killed: false,
        };
        new.noticed = new.count();
        new
    }

    /// For an episode or a session whose programs may use so much. To be called while none runs.
    pub fn begin(&mut self, memory_bytes: u64) {
        if let Kills::Slot(cgroup) = &mut self.kills {
            cgroup.allow(memory_bytes);
        }
        // Nobody was there to be killed since the last episode ended.
        self.begun = self.noticed;
        (self.is_fresh, self.host_killed) = (true, false);
    }

    /// What the slot had in use if the kernel has killed for that since this was last asked, in bytes.
    pub fn at_limit(&mut self) -> Option<u64> {
        let Kills::Slot(cgroup) = &self.kills else {
            return None;
        };
        let kills = cgroup.killed.count();
        if kills <= self.noticed {
            if std::mem::take(&mut self.is_fresh) {
                self.hits = cgroup.hits();
            }
            return None;
        }
        self.noticed = kills;
        let limited = cgroup.hits() > self.hits;
        self.host_killed |= !limited;
        limited.then_some(cgroup.limit_bytes)
    }

    /// Whether the kernel has killed a process of the slot's cgroup since the episode began. It may have been a zygote.
    pub fn has_killed(&mut self) -> bool {
        if let Kills::Slot(cgroup) = &self.kills {
            self.noticed = cgroup.killed.count();
        }
        self.noticed > self.begun
    }

    /// Whether the host had no memory, and the kernel may have killed for that since this was last asked. Without a
    /// cgroup of its own nothing tells whether it was a process of this slot.
    pub fn of_host(&mut self) -> bool {
        if let Kills::Slot(_) = self.kills {
            return std::mem::take(&mut self.host_killed);
        }
        let now = self.count();
        now > std::mem::replace(&mut self.noticed, now)
    }

    /// The limit of the slot's cgroup, in bytes; 0 without one.
    pub fn limit_bytes(&self) -> u64 {
        match &self.kills {
            Kills::Slot(cgroup) => cgroup.limit_bytes,
            Kills::Runner(_) | Kills::Machine => 0,
        }
    }

    fn count(&self) -> u64 {
        match &self.kills {
            Kills::Slot(Cgroup { killed, .. }) | Kills::Runner(killed) => killed.count(),
            Kills::Machine => on_machine(),
        }
    }
}

/// Since boot (proc_vmstat(5), Linux 4.13).
fn on_machine() -> u64 {
    let text = std::fs::read_to_string("/proc/vmstat").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|n| n.trim().parse().ok())
        .unwrap_or(0)
}
