//! How much shared anonymous memory an episode can have at most.
//!
//! Of a mapping of it the size alone can be seen (`memory`), and programs map far more than they ever touch. But what they
//! have touched is among what their memory cgroup is charged with, and among what the whole machine has of such memory: in
//! files of tmpfs and System V segments as well as in mappings. No page of it can be missing there.

use super::cgroup::Stat;
use crate::sys::cores;
use crate::sys::procfs::text;

/// By how much the kernel's own counts can be behind, for each core: it adds them up from time to time.
const BEHIND_BYTES: u64 = 512 << 10;

/// What tells.
#[derive(Clone)]
pub(super) struct SharedMemory {
    /// Of the cgroup that the programs are in, where it is known.
    cgroup: Option<Stat>,
    behind_bytes: u64,
}

impl SharedMemory {
    pub(super) fn new(cgroup: Option<Stat>) -> SharedMemory {
        let cores = cores::available() as u64;
        SharedMemory {
            cgroup,
            behind_bytes: cores * BEHIND_BYTES,
        }
    }

    /// The most bytes that shared mappings can hold now, where files and segments of the same slot hold `counted` already.
    pub(super) fn most(&self, counted: u64) -> u64 {
        let machine = text("/proc/meminfo")
            .ok()
            .and_then(|text| Machine::of(&text));
        // Then everything that is mapped may be there.
        let Some(machine) = machine else {
            return u64::MAX;
        };
        let charged = self.cgroup.as_ref().and_then(|stat| stat.shared_bytes());
        machine.most(counted, charged) + self.behind_bytes
    }
}

/// What /proc/meminfo says of the machine (proc_meminfo(5)), in bytes.
struct Machine {
    shared: u64,
    swapped: u64,
}

impl Machine {
    /// The most that mappings can hold where files and segments hold `counted`, and their cgroup is charged with so much.
    fn most(&self, counted: u64, charged: Option<u64>) -> u64 {
        let here = self.shared.saturating_sub(counted);
        let least = here.min(charged.unwrap_or(u64::MAX));
        // What is swapped out is in neither, and may be anybody's.
        least.saturating_add(self.swapped)
    }

    fn of(text: &str) -> Option<Machine> {
        let bytes = |name| {
            let value = text.lines().find_map(|line| line.strip_prefix(name))?;
            let kilobytes: u64 = value.split_whitespace().next()?.parse().ok()?;
            Some(kilobytes * 1024)
        };
        let swap = bytes("SwapTotal:")?;
        Some(Machine {
            shared: bytes("Shmem:")?,
            swapped: swap.saturating_sub(bytes("SwapFree:")?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_has_of_shared_memory_and_has_swapped_out_is_read() {
        let text = "MemTotal: 9 kB\nSwapTotal:  100 kB\nSwapFree:  40 kB\nShmem:   7 kB\nShmemHugePages: 3 kB\n";
        let machine = Machine::of(text).expect("all three lines");
        assert_eq!((machine.shared, machine.swapped), (7 << 10, 60 << 10));
        assert!(Machine::of("Shmem: 7 kB\n").is_none());
    }

    #[test]
    fn what_is_counted_already_is_no_part_of_what_mappings_can_hold() {
        let machine = Machine {
            shared: 100,
            swapped: 5,
        };
        assert_eq!(
            [0, 30, 200].map(|counted| machine.most(counted, None)),
            [105, 75, 5]
        );
    }

    #[test]
    fn mappings_hold_no_more_than_their_cgroup_is_charged_with_and_what_is_swapped_out() {
        let machine = Machine {
            shared: 100,
            swapped: 5,
        };
        let of_charged = |charged| machine.most(30, Some(charged));
        assert_eq!([20, 70, 90].map(of_charged), [25, 75, 75]);
    }
}
