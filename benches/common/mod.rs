//! The two sides of every comparison, and what they share.
#![allow(dead_code)] // each benchmark uses its own part of this

pub mod answer;
pub mod humaneval;
pub mod works;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A home without start-up files, as an episode's is.
pub const ENVIRONMENT: [(&str, &str); 4] = [
    (
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ),
    ("HOME", "/nonexistent"),
    ("LANG", "C.UTF-8"),
    ("TMPDIR", "/tmp"),
];

pub struct Bare {
    pub rate: f64,
    pub spawn_to_exit_ms: f64,
}

pub struct Ours {
    pub rate: f64,
    pub startup_p50_ms: f64,
    pub startup_p99_ms: f64,
    pub cpu_us: f64,
    pub peak_mb: f64,
    /// Of all episodes those that a warm interpreter started, from 0 to 1.
    pub warm_share: f64,
}

/// The bare loop: threads that each take the next number and run the program with `Command::output`, in the environment
/// that episodes have.
pub fn bare(argv: &[&str], episodes: usize, concurrency: usize) -> Bare {
    let (next, times) = (
        AtomicUsize::new(0),
        Mutex::new(Vec::with_capacity(episodes)),
    );
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..concurrency {
            scope.spawn(|| {
                let mut own = Vec::new();
                while next.fetch_add(1, Ordering::Relaxed) < episodes {
                    let began = Instant::now();
                    let output = Command::new(argv[0])
                        .args(&argv[1..])
                        .env_clear()
                        .envs(ENVIRONMENT)
                        .stdin(Stdio::null())
                        .output()
                        .expect("spawn");
                    assert!(output.status.success());
                    own.push(began.elapsed());
                }
                times.lock().unwrap().extend(own);
            });
        }
    });
    let wall = started.elapsed();
    let times: Vec<Duration> = times.into_inner().unwrap();
    let milliseconds = times.iter().map(|t| t.as_secs_f64() * 1e3).collect();
    Bare {
        rate: episodes as f64 / wall.as_secs_f64(),
        spawn_to_exit_ms: median(milliseconds),
    }
}

/// The runner, with everything on.
pub fn ours(jobs: &Path, scratch: &Path, concurrency: usize) -> Ours {
    ours_with(&[], jobs, scratch, concurrency)
}

/// The runner with further options. Every episode must be `ok`: a rate of wrong results is none.
pub fn ours_with(options: &[String], jobs: &Path, scratch: &Path, concurrency: usize) -> Ours {
    let stats = scratch.join("stats.json");
    let _ = fs::remove_file(&stats);
    let status = Command::new(env!("CARGO_BIN_EXE_runner"))
        .arg("--jobs")
        .arg(jobs)
        .args([
            "--output",
            "/dev/null",
            "--concurrency",
            &concurrency.to_string(),
            "--stats",
        ])
        .arg(&stats)
        .args(options)
        .stderr(Stdio::null())
        .status()
        .expect("runner starts");
    assert!(status.success(), "runner: {status}");
    let text = fs::read_to_string(&stats).expect("stats are written");
    let report: serde_json::Value = serde_json::from_str(&text).expect("stats are JSON");
    let number = |pointer: &str| {
        report
            .pointer(pointer)
            .and_then(serde_json::Value::as_f64)
            .unwrap_or_else(|| panic!("{pointer} in {text}"))
    };
    assert_eq!(number("/status/ok"), number("/episodes"), "{text}");
    let started = |how: &str| {
        let pointer = format!("/by_start/{how}/startup_ms/count");
        report.pointer(&pointer).and_then(serde_json::Value::as_f64)
    };
    let warm = ["warm-bash", "warm-python"].into_iter().filter_map(started);
    Ours {
        warm_share: warm.sum::<f64>() / number("/episodes"),
        rate: number("/episodes_per_s"),
        startup_p50_ms: number("/startup_ms/p50"),
        startup_p99_ms: number("/startup_ms/p99"),
        cpu_us: number("/runner_cpu_us_per_episode"),
        peak_mb: number("/runner/peak_memory_mb"),
    }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Whether something is to be measured: it is when its name contains what `--only` names.
pub fn is_wanted(name: &str) -> bool {
    let mut args = std::env::args().skip_while(|arg| arg != "--only");
    args.nth(1).is_none_or(|part| name.contains(&part))
}

/// A number given on the command line.
pub fn argument(name: &str, default: usize) -> usize {
    let args: Vec<String> = std::env::args().collect();
    let given = args
        .iter()
        .position(|arg| arg == name)
        .and_then(|at| args.get(at + 1));
    given.map_or(default, |value| {
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} takes a number"))
    })
}
