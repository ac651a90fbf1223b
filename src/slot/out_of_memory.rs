//! Whom the kernel killed for lack of memory, and whose memory it was that lacked: what the slot's own cgroup tells. Without
//! one, nothing that a slot can see does (`pool::host`).

use super::cgroup::Cgroup;

pub(super) struct OutOfMemory {
    cgroup: Option<Cgroup>,
    /// Kills that are known of.
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
    pub(super) fn new(cgroup: Option<Cgroup>) -> OutOfMemory {
        OutOfMemory {
            noticed: cgroup.as_ref().map_or(0, Cgroup::killed),
            cgroup,
            begun: 0,
            hits: 0,
            is_fresh: true,
            host_killed: false,
        }
    }

    /// For an episode or a session whose programs may use so much. To be called while none runs.
    pub(super) fn begin(&mut self, memory_bytes: u64) {
        if let Some(cgroup) = &mut self.cgroup {
            cgroup.allow(memory_bytes);
        }
        // Nobody was there to be killed since the last episode ended.
        self.begun = self.noticed;
        (self.is_fresh, self.host_killed) = (true, false);
    }

    /// What the slot had in use if the kernel has killed for that since this was last asked, in bytes.
    pub(super) fn at_limit(&mut self) -> Option<u64> {
        let cgroup = self.cgroup.as_ref()?;
        let killed = cgroup.killed();
        if killed <= self.noticed {
            if std::mem::take(&mut self.is_fresh) {
                self.hits = cgroup.hits();
            }
            return None;
        }
        self.noticed = killed;
        let limited = cgroup.hits() > self.hits;
        self.host_killed |= !limited;
        limited.then_some(cgroup.limit_bytes)
    }

    /// Whether the kernel has killed a process of the slot's cgroup since the episode began. It may have been a zygote.
    pub(super) fn has_killed(&mut self) -> bool {
        if let Some(cgroup) = &self.cgroup {
            self.noticed = cgroup.killed();
        }
        self.noticed > self.begun
    }

    /// Whether a kill that was noticed since this was last asked was not for the slot's own limit: the host had no memory.
    pub(super) fn host_has_killed(&mut self) -> bool {
        std::mem::take(&mut self.host_killed)
    }

    /// The limit of the slot's cgroup, in bytes; 0 without one.
    pub(super) fn limit_bytes(&self) -> u64 {
        self.cgroup.as_ref().map_or(0, |cgroup| cgroup.limit_bytes)
    }
}
