//! Warm interpreters in the sandbox against the same work without any: alternating rounds, same concurrency.
//!
//! `cargo bench --bench warm [-- --rounds 5 --concurrency 4 --repeat 20 --only humaneval]`
//!
//! The runner runs each HumanEval program `--repeat` times in a round. A contestant that is many times slower runs
//! each fewer times; rates are compared. What needs the network the first time (`scripts/humaneval`,
//! `scripts/bench-env`) is skipped without it.

mod common;

use common::works::{Work, works};
use common::{argument, median, ours_with};
use std::path::Path;

fn main() {
    let rounds = argument("--rounds", 5);
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let concurrency = argument("--concurrency", 2 * cores);
    let scratch = tempfile::tempdir().expect("a scratch directory");
    println!(
        "concurrency {concurrency}, {cores} cores, medians of {rounds} rounds after one warm-up"
    );
    println!(
        "{:38} {:>8} {:>8} {:>7} {:>16} {:>8} {:>8} {:>6}",
        "", "bare/s", "ours/s", "ratio", "(min-max)", "p50 ms", "p99 ms", "warm"
    );
    for work in works(scratch.path(), concurrency) {
        match work {
            Ok(work) => compare(&work, rounds, scratch.path(), concurrency),
            Err((name, why)) => println!("{name:38} skipped: {why}"),
        }
    }
}

/// Measures one row and prints it.
fn compare(work: &Work, rounds: usize, scratch: &Path, concurrency: usize) {
    let (mut bares, mut rates, mut ratios) = (vec![], vec![], vec![]);
    let (mut p50, mut p99, mut warm) = (vec![], vec![], vec![]);
    for round in 0..=rounds {
        let bare = (work.contestant)();
        let ours = ours_with(&work.options, &work.jobs, scratch, concurrency);
        if round > 0 {
            bares.push(bare);
            rates.push(ours.rate);
            ratios.push(ours.rate / bare);
            p50.push(ours.startup_p50_ms);
            p99.push(ours.startup_p99_ms);
            warm.push(100.0 * ours.warm_share);
        }
    }
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ratios.iter().copied().fold(0.0, f64::max);
    println!(
        "{:38} {:8.1} {:8.0} {:7.2} {:>16} {:8.2} {:8.2} {:5.1}%",
        work.name,
        median(bares),
        median(rates),
        median(ratios),
        format!("({least:.1}-{most:.1})"),
        median(p50),
        median(p99),
        median(warm)
    );
}
