//! The runner against a bare spawn-wait-and-capture loop: same program, same concurrency, alternating rounds.
//!
//! `cargo bench --bench throughput [-- --episodes 20000 --rounds 5 --concurrency 4]`
//!
//! The bare loop is what isolation is measured against: threads that each take the next number, run
//! `/bin/true` with `std::process::Command::output` and record how long that took.

mod common;

use common::{argument, bare, median, ours};
use std::fs;

fn main() {
    let episodes = argument("--episodes", 20_000);
    let rounds = argument("--rounds", 5);
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
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
            bare(&["/bin/true"], episodes, concurrency),
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
