//! The resource limits of one episode, with the defaults of the contract.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// 1 MB in every field and flag of the contract.
pub const MB: u64 = 1 << 20;
/// 1 KB in every field and flag of the contract.
pub const KB: u64 = 1 << 10;

/// The stack of programs that ask for no other, where the runner's own limit allows it, in bytes.
pub const DEFAULT_STACK_BYTES: u64 = 8 * MB;

/// How far beyond its output cap a program may go on printing before it is ended as `output_limit`:
/// output is drained and discarded up to this many times the cap (1 GB at the default cap of 1 MB).
pub const OUTPUT_DRAIN_FACTOR: u64 = 1024;

/// Smallest share of the disk limit a file takes, for its inode: bounds how many files an episode can make.
const BYTES_PER_INODE: u64 = 2048;
/// What small disks have all the same.
const MIN_INODES: u64 = 1024;

/// Files, directories and links that a disk of this size may hold.
pub fn inodes(disk_bytes: u64) -> u64 {
    (disk_bytes / BYTES_PER_INODE).max(MIN_INODES)
}

/// What an episode may be given of processes.
pub const MAX_PROCESSES: u32 = 65_536;
/// What it is given without being asked, where a program counts few cores.
const PROCESSES: u32 = 64;
/// What programs have beside a thread or a process for each core.
const OTHER_PROCESSES: u32 = 32;

/// The processes and threads of an episode that names no number, where its programs count so many cores. Many programs and
/// libraries start one for each core (OpenBLAS, `multiprocessing.Pool`, `make -j$(nproc)`), and some start as many again.
pub fn default_processes(cores: usize) -> u32 {
    let cores = u32::try_from(cores).unwrap_or(MAX_PROCESSES);
    let wanted = cores.saturating_mul(2).saturating_add(OTHER_PROCESSES);
    wanted.clamp(PROCESSES, MAX_PROCESSES)
}

/// Limits of one episode. All of them hold for the whole process tree unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Resident memory of the tree, files in the private root and memfds included, in bytes.
    pub memory_bytes: u64,
    /// User plus system time of the tree; `None` for no limit.
    pub cpu_time: Option<Duration>,
    /// Processes and threads at one time.
    pub processes: u32,
    /// Bytes of everything the episode may write to the sandbox.
    pub disk_bytes: u64,
    /// File descriptors per process.
    pub open_files: u32,
    /// Output kept per execution and stream, in bytes; what goes beyond is counted and discarded.
    pub output_bytes: u64,
    /// Stack of the first thread of each process, in bytes; `None` for [`DEFAULT_STACK_BYTES`] that a program may raise as far
    /// as the runner's own limit goes.
    pub stack_bytes: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory_bytes: 512 * MB,
            cpu_time: None,
            processes: PROCESSES,
            disk_bytes: 256 * MB,
            open_files: 1024,
            output_bytes: 1024 * KB,
            stack_bytes: None,
        }
    }
}

impl Limits {
    /// Files, directories and links that the episode may have.
    pub fn inodes(&self) -> u64 {
        inodes(self.disk_bytes)
    }

    /// Bytes of output after which an execution is ended as `output_limit`.
    pub fn output_ceiling(&self) -> u64 {
        self.output_bytes
            .max(KB)
            .saturating_mul(OUTPUT_DRAIN_FACTOR)
    }
}

/// A stack that is larger than the runner's own limit lets it give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "asks for a stack of {wanted_mb} MB, and the runner's own hard limit is {most_kb} KB (ulimit -Hs); ask for less, or \
     raise that before the runner starts (sudo prlimit --pid $$ --stack=unlimited, docker run --ulimit stack=-1)"
)]
pub struct StackTooLarge {
    wanted_mb: u64,
    most_kb: u64,
}

/// Whether a program can have a stack of so many bytes where its runner's hard limit is `most`.
pub fn stack_allowed(wanted: u64, most: u64) -> Result<(), StackTooLarge> {
    if wanted <= most {
        Ok(())
    } else {
        Err(StackTooLarge {
            wanted_mb: wanted / MB,
            most_kb: most / KB,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_episode_has_room_for_twice_the_cores_and_never_less_than_on_a_small_machine() {
        let on = |cores: usize| default_processes(cores);
        assert_eq!([1, 2, 16, 17, 96].map(on), [64, 64, 64, 66, 224]);
        assert_eq!(on(usize::MAX), MAX_PROCESSES);
    }
}
