//! The resource limits of one episode, with the defaults of the contract.

use super::field::{Field, Shape};
use serde::{Deserialize, Serialize};
use std::fmt;
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

/// A limit as users give it: a field of `resources`, and the flag of the same name.
pub struct Limit {
    pub field: Field,
    /// What its flag's value counts: `MB`.
    pub unit: &'static str,
    /// Puts a value in that is within the field's range.
    pub set: fn(&mut Limits, f64),
}

const fn whole(
    name: &'static str,
    range: (u64, u64),
    default: &'static str,
    doc: &'static str,
) -> Field {
    Field {
        name,
        shape: Shape::Whole(range.0, range.1),
        default,
        doc,
    }
}

impl Limit {
    /// The name of its flag, without the dashes before it.
    pub fn flag(&self) -> String {
        self.field.name.replace('_', "-")
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field.name)
    }
}

/// All of them, in the order of the reference and of `--help`.
pub const LIMITS: &[Limit] = &[
    Limit {
        field: whole(
            "memory_mb",
            (1, 1 << 20),
            "512",
            "Memory of the whole process tree, in MB",
        ),
        unit: "MB",
        set: |limits, mb| limits.memory_bytes = mb as u64 * MB,
    },
    Limit {
        field: Field {
            name: "cpu_time_s",
            // The kernel accounts no finer.
            shape: Shape::Number(0.01, 604_800.0, "seconds"),
            default: "no limit",
            doc: "CPU time of the whole process tree, in seconds",
        },
        unit: "S",
        set: |limits, seconds| limits.cpu_time = Some(Duration::from_secs_f64(seconds)),
    },
    Limit {
        field: whole(
            "processes",
            (1, MAX_PROCESSES as u64),
            "64, or 2 × the cores + 32 where that is more",
            "Processes and threads at one time",
        ),
        unit: "N",
        set: |limits, count| limits.processes = count as u32,
    },
    Limit {
        field: whole(
            "disk_mb",
            (1, 1 << 20),
            "256",
            "Files the episode may write, in MB",
        ),
        unit: "MB",
        set: |limits, mb| limits.disk_bytes = mb as u64 * MB,
    },
    Limit {
        field: whole(
            "open_files",
            (8, 1 << 20),
            "1024",
            "File descriptors per process",
        ),
        unit: "N",
        set: |limits, count| limits.open_files = count as u32,
    },
    Limit {
        field: whole(
            "output_kb",
            (0, 1 << 18),
            "1024",
            "Output kept per execution, in KB",
        ),
        unit: "KB",
        set: |limits, kb| limits.output_bytes = kb as u64 * KB,
    },
    Limit {
        field: whole(
            "stack_mb",
            (1, 1 << 20),
            "8, which programs may raise themselves",
            "Stack of the first thread of each process, in MB",
        ),
        unit: "MB",
        set: |limits, mb| limits.stack_bytes = Some(mb as u64 * MB),
    },
];

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

    /// Whether programs can have such a stack where their runner's hard limit is so many bytes.
    pub fn check_stack(&self, most_bytes: u64) -> Result<(), StackTooLarge> {
        match self.stack_bytes {
            Some(wanted) if wanted > most_bytes => Err(StackTooLarge {
                wanted_mb: wanted / MB,
                most_kb: most_bytes / KB,
            }),
            _ => Ok(()),
        }
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
