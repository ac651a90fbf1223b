//! Warm interpreters in the sandbox against the same commands without any: alternating rounds, same concurrency.
//!
//! `cargo bench --bench warm [-- --rounds 5 --concurrency 4]`

mod common;

use common::{argument, bare, median, ours};
use serde_json::{Value, json};
use std::fs;

/// What is compared: a name, the episode, the bare command, and how many of each in a round.
fn works() -> Vec<(&'static str, Value, Vec<&'static str>, usize)> {
    let command = |line: &'static str| (json!({"command": line}), vec!["bash", "-lc", line]);
    let python = |code: &'static str| {
        let argv = vec!["python3", "-c", code];
        (json!({"argv": argv}), argv)
    };
    let mut works = Vec::new();
    for (name, (episode, argv), count) in [
        ("bash -lc true", command("true"), 2000),
        ("bash -lc 'ls / | wc -l'", command("ls / | wc -l"), 1000),
        ("python3 -c 'print(1)'", python("print(1)"), 400),
        (
            "python3 -c 'import json, re, typing'",
            python("import json, re, typing, dataclasses"),
            300,
        ),
    ] {
        works.push((name, episode, argv, count));
    }
    works
}

fn main() {
    let rounds = argument("--rounds", 5);
    let cores = std::thread::available_parallelism().map_or(2, |n| n.get());
    let concurrency = argument("--concurrency", 2 * cores);
    let scratch = tempfile::tempdir().expect("a scratch directory");
    println!(
        "concurrency {concurrency}, {cores} cores, medians of {rounds} rounds after one warm-up"
    );
    println!(
        "{:38} {:>8} {:>8} {:>7} {:>16} {:>12} {:>12}",
        "", "bare/s", "ours/s", "ratio", "(min-max)", "p50 ms", "p99 ms"
    );
    for (name, episode, argv, count) in works() {
        let jobs = scratch.path().join("jobs.jsonl");
        fs::write(&jobs, format!("{episode}\n").repeat(count)).expect("jobs are written");
        let (mut bares, mut rates, mut ratios, mut p50, mut p99) =
            (vec![], vec![], vec![], vec![], vec![]);
        for round in 0..=rounds {
            let (b, o) = (
                bare(&argv, count, concurrency),
                ours(&jobs, scratch.path(), concurrency),
            );
            if round > 0 {
                bares.push(b.rate);
                rates.push(o.rate);
                ratios.push(o.rate / b.rate);
                p50.push(o.startup_p50_ms);
                p99.push(o.startup_p99_ms);
            }
        }
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        println!(
            "{name:38} {:8.0} {:8.0} {:7.2} {:>16} {:12.2} {:12.2}",
            median(bares),
            median(rates),
            median(ratios),
            format!("({least:.1}-{most:.1})"),
            median(p50),
            median(p99)
        );
    }
}
