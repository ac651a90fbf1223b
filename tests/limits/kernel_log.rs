//! What programs can write to the host's kernel log, which the documentation names as an exception.

use super::{assert_ok, everywhere};
use serde_json::json;
use std::process::Command;
use std::time::Instant;

/// The kernel lets so many crashes through in an interval, of all processes together: printk_ratelimit(9).
const CRASHES: usize = 10;
const INTERVAL_S: f64 = 5.0;

/// Lines in the kernel log about crashes since this many seconds after the boot; only root may read it.
fn crashes_since(uptime_s: f64) -> usize {
    let log = Command::new("dmesg").output().expect("dmesg runs").stdout;
    let log = String::from_utf8_lossy(&log).into_owned();
    let is_later = |line: &&str| {
        let stamp = line
            .trim_start_matches('[')
            .split(']')
            .next()
            .unwrap_or_default();
        stamp.trim().parse::<f64>().is_ok_and(|at| at >= uptime_s)
    };
    let lines = log.lines().filter(|line| line.contains("segfault at"));
    lines.filter(is_later).count()
}

fn uptime_s() -> f64 {
    let text = std::fs::read_to_string("/proc/uptime").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_storm_of_crashes_reaches_the_kernel_log_at_its_own_rate_only() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let program = include_str!("programs/a_storm_of_crashes.py");
    let episode = json!({"id": "crashes", "argv": ["python3", "-c", program], "timeout_s": 60});
    let (begin_s, begin) = (uptime_s(), Instant::now());
    everywhere(&[episode], |way, run| assert_ok(way, run, "crashes"));
    let intervals = 2.0 + begin.elapsed().as_secs_f64() / INTERVAL_S;
    let found = crashes_since(begin_s);
    assert!(
        found as f64 <= intervals * CRASHES as f64,
        "{found} lines of 400 crashes"
    );
}
