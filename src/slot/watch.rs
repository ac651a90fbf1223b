//! When to look at memory, CPU time and disk, and what to conclude. Pure: readings come in, verdicts go out.
//!
//! A limit can't be crossed sooner than its headroom divided by how fast a program can possibly use it up, so a
//! small program is hardly ever looked at: with the default limits first after 50 ms.

use crate::spec::execution::{DiskEvidence, End, Finish};
use crate::spec::limits::Limits;

/// Faster than two cores fault in fresh pages.
const MEMORY_BYTES_PER_MS: u64 = 10 << 20;
/// Faster than a page cache takes writes.
const DISK_BYTES_PER_MS: u64 = 4 << 20;
const MS: u64 = 1_000_000;
/// Never look more often than this; a look at a few processes takes some 50 µs.
const SHORTEST_NS: u64 = 2 * MS;
/// Never look less often: estimates age.
const LONGEST_NS: u64 = 1000 * MS;

pub struct Watch {
    limits: Limits,
    cores: u64,
    /// Whether the tree's disk use has to be watched, because no mount bounds it.
    disk: bool,
    next_ns: u64,
    peak_bytes: u64,
}

/// What was read at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    pub memory_bytes: u64,
    pub cpu_us: u64,
    pub disk_bytes: u64,
}

impl Watch {
    pub fn new(limits: &Limits, cores: u64, disk: bool, now_ns: u64) -> Self {
        let mut watch = Watch {
            limits: limits.clone(),
            cores,
            disk,
            next_ns: 0,
            peak_bytes: 0,
        };
        watch.next_ns = now_ns + watch.pause(&Reading::default());
        watch
    }

    /// When the next reading is due, CLOCK_MONOTONIC.
    pub fn next_ns(&self) -> u64 {
        self.next_ns
    }

    pub fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }

    pub fn needs_cpu(&self) -> bool {
        self.limits.cpu_time.is_some()
    }

    /// Whether this much CPU time is over the limit.
    pub fn is_over_cpu(&self, used_us: u64) -> bool {
        self.limits
            .cpu_time
            .is_some_and(|limit| u128::from(used_us) > limit.as_micros())
    }

    pub fn needs_disk(&self) -> bool {
        self.disk
    }

    /// Takes a reading; the limit that was crossed, if one was.
    pub fn take(&mut self, reading: &Reading, now_ns: u64) -> Option<End> {
        self.peak_bytes = self.peak_bytes.max(reading.memory_bytes);
        self.next_ns = now_ns + self.pause(reading);
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
        if self.disk && reading.disk_bytes > self.limits.disk_bytes {
            return Some(End::DiskLimit(
                DiskEvidence::Bytes(reading.disk_bytes),
                Finish::Signaled(libc::SIGKILL),
            ));
        }
        None
    }

    fn pause(&self, reading: &Reading) -> u64 {
        let headroom = self
            .limits
            .memory_bytes
            .saturating_sub(reading.memory_bytes);
        let mut pause = (headroom / MEMORY_BYTES_PER_MS).saturating_mul(MS);
        if let Some(limit) = self.limits.cpu_time {
            let left = (limit.as_micros() as u64).saturating_sub(reading.cpu_us);
            // Clock ticks are 10 ms: a closer look would see nothing new.
            pause = pause.min((left * 1000 / self.cores).max(10 * MS));
        }
        if self.disk {
            let headroom = self.limits.disk_bytes.saturating_sub(reading.disk_bytes);
            pause = pause.min((headroom / DISK_BYTES_PER_MS).saturating_mul(MS));
        }
        pause.clamp(SHORTEST_NS, LONGEST_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::limits::MB;
    use std::time::Duration;

    #[test]
    fn a_small_program_is_first_looked_at_after_the_time_it_would_take_to_fill_its_memory() {
        let watch = Watch::new(&Limits::default(), 2, false, 0);
        assert_eq!(watch.next_ns(), 51 * MS);
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
        assert_eq!(watch.next_ns(), SHORTEST_NS);
        assert_eq!(watch.peak_bytes(), 500 * MB);
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
            disk_bytes: 257 * MB,
            ..Reading::default()
        };
        assert_eq!(
            watch.take(&disk, 0),
            Some(End::DiskLimit(
                DiskEvidence::Bytes(257 * MB),
                Finish::Signaled(libc::SIGKILL)
            ))
        );
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
