//! The clock that all processes of the machine share, and that of our own work.

use nix::sys::uio::pread;
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::{Pid, SysconfVar, sysconf};
use std::fs::File;
use std::time::Duration;

/// CPU time of this process, in microseconds.
pub(crate) fn cpu_us() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    now.map_or(0, |time| {
        time.tv_sec() as u64 * 1_000_000 + time.tv_nsec() as u64 / 1000
    })
}

/// How long the calling thread, while it could have run, has waited for a core.
pub(crate) struct RunDelay(Option<File>);

impl RunDelay {
    /// /proc/thread-self/schedstat, which is to be opened where the /proc is that knows the caller. Where there is none
    /// (CONFIG_SCHED_INFO), it seems to have waited for nothing.
    pub(crate) fn open() -> RunDelay {
        RunDelay(File::open("/proc/thread-self/schedstat").ok())
    }

    /// In nanoseconds, since it was started.
    pub(crate) fn ns(&self) -> u64 {
        let mut buffer = [0; 64];
        let file = self.0.as_ref();
        let length = file.map_or(0, |file| pread(file, &mut buffer, 0).unwrap_or(0));
        let text = std::str::from_utf8(&buffer[..length]).unwrap_or_default();
        let waited = text.split_ascii_whitespace().nth(1);
        waited.and_then(|ns| ns.parse().ok()).unwrap_or(0)
    }
}

/// CPU time of a process, of its threads that have ended too, but not of its children, in nanoseconds; `None` when it is gone
/// (clock_getcpuclockid(3)). That of a thread that runs now may be a tick behind.
pub(crate) fn cpu_ns_of(pid: i32) -> Option<u64> {
    let clock = clock_getcpuclockid(Pid::from_raw(pid)).ok()?;
    let time = clock_gettime(clock).ok()?;
    Some(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}

/// How long a clock tick of /proc is, in nanoseconds (sysconf(3)).
pub(crate) fn tick_ns() -> u64 {
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten();
    1_000_000_000 / ticks.map_or(100, |ticks| ticks as u64)
}

/// CLOCK_MONOTONIC in nanoseconds. It is the same in every process and namespace without a time namespace, so
/// that readings taken in runner, init and zygote can be subtracted from each other.
pub(crate) fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("CLOCK_MONOTONIC exists on Linux");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

/// How long it is until then; for ever where there is no such time.
pub(crate) fn left_until(end_ns: Option<u64>) -> Duration {
    end_ns.map_or(Duration::MAX, |end_ns| {
        Duration::from_nanos(end_ns.saturating_sub(monotonic_ns()))
    })
}
