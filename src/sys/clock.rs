//! The clock that all processes of the machine share, and that of our own work.

use nix::time::{ClockId, clock_gettime};

/// CPU time of this process, in microseconds.
pub fn cpu_us() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    now.map_or(0, |time| {
        time.tv_sec() as u64 * 1_000_000 + time.tv_nsec() as u64 / 1000
    })
}

/// CLOCK_MONOTONIC in nanoseconds. It is the same in every process and namespace without a time namespace, so
/// that readings taken in runner, init and zygote can be subtracted from each other.
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("CLOCK_MONOTONIC exists on Linux");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}
