//! What the runner's own process has used.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::Serialize;

/// Memory and CPU time of the runner itself: its threads, not its slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Usage {
    /// The highest resident memory so far, in MB; 0 when /proc is not readable.
    pub peak_memory_mb: f64,
    /// User plus system time so far, in seconds.
    pub cpu_s: f64,
}

impl Usage {
    /// The figures of this process, now.
    pub fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Usage {
            peak_memory_mb: peak_kb(&status).unwrap_or(0) as f64 / 1024.0,
            cpu_s: cpu_s(),
        }
    }
}

/// User plus system time of this process so far, in seconds.
pub(super) fn cpu_s() -> f64 {
    let cpu_us = getrusage(UsageWho::RUSAGE_SELF).map_or(0, |u| {
        u.user_time().num_microseconds() + u.system_time().num_microseconds()
    });
    cpu_us as f64 / 1e6
}

fn peak_kb(status: &str) -> Option<u64> {
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    value.trim().strip_suffix("kB")?.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_memory_and_time() {
        let usage = Usage::now();
        assert!(
            usage.peak_memory_mb > 0.5 && usage.peak_memory_mb < 1e6,
            "{usage:?}"
        );
        assert!(usage.cpu_s >= 0.0 && usage.cpu_s < 1e6, "{usage:?}");
    }

    #[test]
    fn the_peak_is_found_among_the_other_lines() {
        assert_eq!(
            peak_kb("Name:\trunner\nVmHWM:\t   18432 kB\nVmRSS:\t 1 kB\n"),
            Some(18432)
        );
        assert_eq!(peak_kb("Name:\trunner\n"), None);
    }
}
