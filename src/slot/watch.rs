//! When to look at memory, CPU time and disk, and what to conclude. Pure: readings come in, verdicts go out.
//!
//! A limit can't be crossed sooner than its headroom divided by how fast a program can possibly use it up, so a
//! small program is hardly ever looked at: with the default limits first after 50 ms.

use super::disk::Usage;
use crate::spec::execution::{DiskEvidence, End, Finish};
use crate::spec::limits::Limits;

/// Faster than a core faults in fresh pages. More cores than `MAX_CORES` wait for each other in the kernel.
const MEMORY_BYTES_PER_MS: u64 = 5 << 20;
const MAX_CORES: u64 = 8;
/// Faster than a page cache takes writes.
const DISK_BYTES_PER_MS: u64 = 4 << 20;
/// Faster than files are made.
const INODES_PER_MS: u64 = 500;
/// Counting what is on disk takes as long as there are files: it is our work for one part in so many of the time.
const DISK_SHARE: u64 = 5;
const MS: u64 = 1_000_000;
/// Never look more often than the lower one; a look at a few processes takes some 50 µs. The larger the memory
/// limit, the longer it takes to overshoot by a twentieth of it, and a closer look than that is not needed.
const MIN_INTERVAL_NS: (u64, u64) = (3 * MS / 10, 2 * MS);
const TOLERATED: u64 = 20;
/// A look that takes longer is followed by a pause of at least its length, and where memory does not grow fast by one of
/// so many times that: looks must not keep us, who have precedence, busy with nothing else, nor take a core from others.
/// Where a look took that long because the machine is busy, estimates must not age for longer than a second more.
pub(super) const LONG_LOOK_NS: u64 = MS;
const CALM_PAUSE: u64 = 4;
/// Never look less often: estimates age.
const MAX_INTERVAL_NS: u64 = 1000 * MS;

pub(super) struct Watch {
    limits: Limits,
    cores: u64,
    next_ns: u64,
    /// Never where a mount bounds the tree's disk use.
    disk_next_ns: u64,
    disk_allowed: Usage,
    /// Whether what the next look at the disk finds is allowed.
    forgives: bool,
    peak_bytes: u64,
    last_bytes: u64,
}

/// When the next looks are due, CLOCK_MONOTONIC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub memory_ns: u64,
    pub disk_ns: u64,
}

impl Default for Due {
    fn default() -> Self {
        Due {
            memory_ns: u64::MAX,
            disk_ns: u64::MAX,
        }
    }
}

/// What was read at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    pub memory_bytes: u64,
    pub cpu_us: u64,
    /// How long it took to read memory and CPU time.
    pub took_ns: u64,
    /// `None` where it was not due.
    pub disk: Option<DiskReading>,
}

/// What is on disk, and how long it took to count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DiskReading {
    pub used: Usage,
    /// Open files that can't be looked at, where those are too many for their size not to matter.
    pub hidden: u64,
    /// Whether that is all there is; else the next look goes on counting.
    pub whole: bool,
    /// Whether there is more that could not be counted.
    pub lost: bool,
    pub took_ns: u64,
}

impl Watch {
    /// `disk` says whether disk use has to be watched.
    pub(super) fn new(limits: &Limits, cores: u64, disk: bool, now_ns: u64) -> Self {
        let mut watch = Watch {
            limits: limits.clone(),
            cores,
            next_ns: 0,
            disk_next_ns: u64::MAX,
            disk_allowed: Usage {
                bytes: limits.disk_bytes,
                inodes: limits.inodes(),
            },
            forgives: false,
            peak_bytes: 0,
            last_bytes: 0,
        };
        watch.next_ns = now_ns + watch.pause(&Reading::default());
        if disk {
            let nothing = DiskReading {
                whole: true,
                ..DiskReading::default()
            };
            watch.disk_next_ns = now_ns + watch.disk_pause(&nothing);
        }
        watch
    }

    /// For what follows a program that left the disk over its limit: it may make room, but no more may be added to what
    /// the first look finds.
    pub(super) fn forgive_disk(mut self) -> Self {
        self.forgives = true;
        self
    }

    /// For what begins beside programs that run already, to which an earlier watch gave no more time than this.
    pub(super) fn no_later_than(mut self, due: Due) -> Self {
        self.next_ns = self.next_ns.min(due.memory_ns);
        if self.disk_next_ns != u64::MAX {
            self.disk_next_ns = self.disk_next_ns.min(due.disk_ns);
        }
        self
    }

    /// For the watch that follows this one.
    pub(super) fn due(&self) -> Due {
        Due {
            memory_ns: self.next_ns,
            disk_ns: self.disk_next_ns,
        }
    }

    /// When the next reading is due, CLOCK_MONOTONIC.
    pub(super) fn next_ns(&self) -> u64 {
        self.next_ns.min(self.disk_next_ns)
    }

    pub(super) fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }

    pub(super) fn needs_cpu(&self) -> bool {
        self.limits.cpu_time.is_some()
    }

    /// Whether this much CPU time is over the limit.
    pub(super) fn is_over_cpu(&self, used_us: u64) -> bool {
        self.limits
            .cpu_time
            .is_some_and(|limit| u128::from(used_us) > limit.as_micros())
    }

    /// Whether it is time to look at the disk.
    pub(super) fn needs_disk(&self, now_ns: u64) -> bool {
        now_ns >= self.disk_next_ns
    }

    /// Takes a reading; the limit that was crossed, if one was.
    pub(super) fn take(&mut self, reading: &Reading, now_ns: u64) -> Option<End> {
        self.peak_bytes = self.peak_bytes.max(reading.memory_bytes);
        self.next_ns = now_ns + self.pause(reading);
        self.last_bytes = reading.memory_bytes;
        if reading.memory_bytes > self.limits.memory_bytes {
            return Some(End::MemoryLimit {
                used_bytes: reading.memory_bytes,
            });
        }
        if self.is_over_cpu(reading.cpu_us) {
            return Some(End::CpuLimit {
                used_us: reading.cpu_us,
            });
        }
        let disk = reading.disk?;
        self.disk_next_ns = now_ns + self.disk_pause(&disk);
        let allowed = &mut self.disk_allowed;
        if self.forgives {
            self.forgives = !disk.whole;
            allowed.bytes = allowed.bytes.max(disk.used.bytes);
            allowed.inodes = allowed.inodes.max(disk.used.inodes);
        }
        let Usage { bytes, inodes } = disk.used;
        let evidence = if disk.hidden > 0 {
            DiskEvidence::Hidden(disk.hidden)
        } else if bytes > allowed.bytes {
            DiskEvidence::Bytes(bytes)
        } else if inodes > allowed.inodes {
            DiskEvidence::Inodes(inodes)
        } else if disk.lost {
            DiskEvidence::Uncounted
        } else {
            return None;
        };
        Some(End::DiskLimit(evidence, Finish::Signaled(libc::SIGKILL)))
    }

    fn pause(&self, reading: &Reading) -> u64 {
        let headroom = self
            .limits
            .memory_bytes
            .saturating_sub(reading.memory_bytes);
        let speed = MEMORY_BYTES_PER_MS * self.cores.clamp(1, MAX_CORES);
        let time_for = |bytes: u64| (u128::from(bytes) * u128::from(MS) / u128::from(speed)) as u64;
        let mut pause = time_for(headroom);
        if let Some(limit) = self.limits.cpu_time {
            let left = (limit.as_micros() as u64).saturating_sub(reading.cpu_us);
            // Clock ticks are 10 ms: a closer look would see nothing new.
            pause = pause.min((left * 1000 / self.cores).max(10 * MS));
        }
        let (least, most) = MIN_INTERVAL_NS;
        let shortest = time_for(self.limits.memory_bytes / TOLERATED).clamp(least, most);
        let grown = reading.memory_bytes.saturating_sub(self.last_bytes);
        let is_calm = grown * CALM_PAUSE <= headroom.max(self.limits.memory_bytes / TOLERATED);
        let rest_ns = match (reading.took_ns > LONG_LOOK_NS, is_calm) {
            (false, _) => 0,
            (true, false) => reading.took_ns,
            (true, true) => {
                (reading.took_ns * CALM_PAUSE).min(MAX_INTERVAL_NS.max(reading.took_ns))
            }
        };
        pause.clamp(shortest, MAX_INTERVAL_NS).max(rest_ns)
    }

    fn disk_pause(&self, reading: &DiskReading) -> u64 {
        let bytes = self.limits.disk_bytes.saturating_sub(reading.used.bytes);
        let inodes = self.limits.inodes().saturating_sub(reading.used.inodes);
        let soonest_ms = if reading.whole {
            (bytes / DISK_BYTES_PER_MS).min(inodes / INODES_PER_MS)
        } else {
            0
        };
        let rest_ns = reading.took_ns.saturating_mul(DISK_SHARE - 1);
        let pause = soonest_ms.saturating_mul(MS).max(rest_ns);
        pause.clamp(MIN_INTERVAL_NS.1, MAX_INTERVAL_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::limits::MB;
    use std::time::Duration;

    fn on_disk(bytes: u64, inodes: u64) -> DiskReading {
        DiskReading {
            used: Usage { bytes, inodes },
            whole: true,
            ..DiskReading::default()
        }
    }

    #[test]
    fn a_small_program_is_first_looked_at_after_the_time_it_would_take_to_fill_its_memory() {
        let watch = Watch::new(&Limits::default(), 2, false, 0);
        assert_eq!(watch.next_ns() / MS, 51);
    }

    #[test]
    fn a_watch_that_follows_another_looks_when_that_one_would_have() {
        let first = Watch::new(&Limits::default(), 2, true, 0);
        let due = first.due();
        let second = Watch::new(&Limits::default(), 2, true, 40 * MS).no_later_than(due);
        assert_eq!(second.next_ns(), first.next_ns());
        assert_eq!(second.due().disk_ns, due.disk_ns);
    }

    #[test]
    fn the_closer_to_the_limit_the_sooner_the_next_look() {
        let mut watch = Watch::new(&Limits::default(), 2, false, 0);
        assert_eq!(
            watch.take(
                &Reading {
                    memory_bytes: 500 * MB,
                    ..Reading::default()
                },
                0
            ),
            None
        );
        assert_eq!(watch.next_ns(), MIN_INTERVAL_NS.1);
        assert_eq!(watch.peak_bytes(), 500 * MB);
    }

    #[test]
    fn a_tree_that_takes_long_to_look_at_is_looked_at_for_a_part_of_the_time_only() {
        let mut watch = Watch::new(&Limits::default(), 2, false, 0);
        let mut pause_after = |megabytes: u64, took_ms: u64| {
            let reading = Reading {
                memory_bytes: megabytes * MB,
                took_ns: took_ms * MS,
                ..Reading::default()
            };
            assert_eq!(watch.take(&reading, 0), None);
            watch.next_ns() / MS
        };
        let looks = [(400, 30), (500, 30), (500, 30), (500, 300), (500, 3000)];
        let pauses = looks.map(|(megabytes, took_ms)| pause_after(megabytes, took_ms));
        assert_eq!(pauses, [30, 30, 120, 1000, 3000]);
    }

    #[test]
    fn crossing_a_limit_names_it_with_the_evidence() {
        let limits = Limits {
            cpu_time: Some(Duration::from_secs(1)),
            ..Limits::default()
        };
        let mut watch = Watch::new(&limits, 2, true, 0);
        let memory = Reading {
            memory_bytes: 513 * MB,
            ..Reading::default()
        };
        assert_eq!(
            watch.take(&memory, 0),
            Some(End::MemoryLimit {
                used_bytes: 513 * MB
            })
        );
        let cpu = Reading {
            cpu_us: 1_000_001,
            ..Reading::default()
        };
        assert_eq!(
            watch.take(&cpu, 0),
            Some(End::CpuLimit { used_us: 1_000_001 })
        );
        let disk = Reading {
            disk: Some(on_disk(257 * MB, 1)),
            ..Reading::default()
        };
        assert_eq!(
            watch.take(&disk, 0),
            Some(End::DiskLimit(
                DiskEvidence::Bytes(257 * MB),
                Finish::Signaled(libc::SIGKILL)
            ))
        );
        let files = Reading {
            disk: Some(on_disk(MB, 131_073)),
            ..Reading::default()
        };
        assert_eq!(
            watch.take(&files, 0),
            Some(End::DiskLimit(
                DiskEvidence::Inodes(131_073),
                Finish::Signaled(libc::SIGKILL)
            ))
        );
    }

    #[test]
    fn a_disk_that_was_left_full_may_be_tidied_but_not_filled_further() {
        let mut watch = Watch::new(&Limits::default(), 2, true, 0).forgive_disk();
        let mut look = |megabytes: u64| {
            let reading = Reading {
                disk: Some(on_disk(megabytes * MB, 1)),
                ..Reading::default()
            };
            watch.take(&reading, 0).is_some()
        };
        assert_eq!(
            [300, 300, 280, 301].map(&mut look),
            [false, false, false, true]
        );
    }

    #[test]
    fn the_longer_the_disk_takes_to_count_the_later_it_is_counted_again() {
        let mut watch = Watch::new(&Limits::default(), 2, true, 0);
        let disk = DiskReading {
            took_ns: 100 * MS,
            ..on_disk(255 * MB, 100_000)
        };
        let reading = Reading {
            disk: Some(disk),
            ..Reading::default()
        };
        assert_eq!(watch.take(&reading, 0), None);
        assert!(!watch.needs_disk(399 * MS));
        assert!(watch.needs_disk(400 * MS));
    }

    #[test]
    fn cpu_time_is_looked_at_no_later_than_all_cores_could_use_it_up() {
        let limits = Limits {
            cpu_time: Some(Duration::from_millis(60)),
            ..Limits::default()
        };
        assert_eq!(Watch::new(&limits, 2, false, 0).next_ns(), 30 * MS);
    }
}
