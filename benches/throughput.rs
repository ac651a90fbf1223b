//! The runner against a bare spawn-wait-and-capture loop: same program, same concurrency, alternating rounds.
//!
//! `cargo bench --bench throughput [-- --episodes 20000 --rounds 5 --concurrency 4]`
//!
//! The bare loop is what isolation is measured against: threads that each take the next number, run
//! `/bin/true` with `std::process::Command::output` and record how long that took.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

struct Bare {
    rate: f64,
    spawn_to_exit_ms: f64,
}

struct Ours {
    rate: f64,
    startup_p50_ms: f64,
    startup_p99_ms: f64,
    cpu_us: f64,
    peak_mb: f64,
}

fn bare(episodes: usize, concurrency: usize) -> Bare {
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
                    let output = Command::new("/bin/true")
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

fn ours(jobs: &Path, scratch: &Path, concurrency: usize) -> Ours {
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
        .stderr(Stdio::null())
        .status()
        .expect("runner starts");
    assert!(status.success(), "runner: {status}");
    let text = fs::read_to_string(&stats).expect("stats are written");
    let report: serde_json::Value = serde_json::from_str(&text).expect("stats are JSON");
    let number = |pointer: &str| {
        report
            .pointer(pointer)
            .and_then(|v| v.as_f64())
            .unwrap_or_else(|| panic!("{pointer} in {text}"))
    };
    Ours {
        rate: number("/episodes_per_s"),
        startup_p50_ms: number("/startup_ms/p50"),
        startup_p99_ms: number("/startup_ms/p99"),
        cpu_us: number("/runner_cpu_us_per_episode"),
        peak_mb: number("/runner/peak_memory_mb"),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn argument(name: &str, default: usize) -> usize {
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

fn main() {
    let episodes = argument("--episodes", 20_000);
    let rounds = argument("--rounds", 5);
    let cores = std::thread::available_parallelism().map_or(2, |n| n.get());
    let concurrency = argument("--concurrency", 2 * cores);
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let jobs = scratch.path().join("true.jsonl");
    let line = |i| format!("{{\"id\":\"e{i}\",\"argv\":[\"/bin/true\"]}}\n");
    fs::write(&jobs, (0..episodes).map(line).collect::<String>()).expect("jobs are written");

    println!(
        "{episodes} x /bin/true, concurrency {concurrency}, {cores} cores, {rounds} rounds after one warm-up"
    );
    println!(
        "round   bare/s   ours/s  rate ratio   bare p50 ms   startup p50 ms  ratio   startup p99 ms"
    );
    let (mut rates, mut startups, mut p99s, mut cpu, mut peak) =
        (vec![], vec![], vec![], vec![], vec![]);
    for round in 0..=rounds {
        let (b, o) = (
            bare(episodes, concurrency),
            ours(&jobs, scratch.path(), concurrency),
        );
        if round == 0 {
            continue;
        }
        let (rate, startup) = (o.rate / b.rate, o.startup_p50_ms / b.spawn_to_exit_ms);
        println!(
            "{round:5} {:8.0} {:8.0} {rate:11.2} {:13.3} {:16.3} {startup:6.2} {:16.2}",
            b.rate, o.rate, b.spawn_to_exit_ms, o.startup_p50_ms, o.startup_p99_ms
        );
        rates.push(rate);
        startups.push(startup);
        p99s.push(o.startup_p99_ms);
        cpu.push(o.cpu_us);
        peak.push(o.peak_mb);
    }
    println!(
        "medians: rate {:.2} x bare (target 0.80 or more)",
        median(rates)
    );
    println!(
        "         startup p50 {:.2} x bare spawn-to-exit (target 0.60 or less)",
        median(startups)
    );
    println!(
        "         startup p99 {:.2} ms (target under 5)",
        median(p99s)
    );
    println!(
        "         runner CPU {:.0} us per episode (target under 150), peak memory {:.1} MB",
        median(cpu),
        median(peak)
    );
}
