//! Whole runs of the binary, with one thing growing from row to row.

use crate::common::{Ours, ours_with};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

const MB: usize = 1 << 20;

/// A jobs file with so many of the same.
fn jobs(scratch: &Path, count: usize, episode: &Value) -> PathBuf {
    let path = scratch.join("jobs.jsonl");
    let line = format!("{episode}\n");
    fs::write(&path, line.repeat(count)).expect("jobs are written");
    path
}

pub fn slots(scratch: &Path) {
    println!("slots: `true`, 3,000 episodes, at growing concurrency\n");
    println!(
        "| slots | cold per s | startup p50 / p99 ms | warm bash per s | startup p50 / p99 ms | first 3,000 in s |"
    );
    println!("|---:|---:|---:|---:|---:|---:|");
    for slots in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512] {
        let mut row = format!("| {slots} |");
        let begin = Instant::now();
        for (warm, episode) in [
            ("none", json!({"argv": ["/bin/true"]})),
            ("bash", json!({"command": "true"})),
        ] {
            let options = ["--warm".to_owned(), warm.to_owned()];
            let jobs = jobs(scratch, 3_000, &episode);
            let run = ours_with(&options, &jobs, scratch, slots);
            row += &format!(
                " {:.0} | {:.2} / {:.1} |",
                run.rate, run.startup_p50_ms, run.startup_p99_ms
            );
        }
        println!("{row} {:.1} |", begin.elapsed().as_secs_f64());
    }
    println!();
}

pub fn output(scratch: &Path) {
    println!("output: a program that prints so much, all of it kept\n");
    println!(
        "| printed | per s | MB per s | peak memory of the runner MB |\n|---:|---:|---:|---:|"
    );
    for (bytes, count) in [
        (0, 2000),
        (1 << 10, 2000),
        (32 << 10, 2000),
        (MB, 400),
        (8 * MB, 60),
        (64 * MB, 12),
    ] {
        let episode = json!({
            "argv": ["sh", "-c", format!("yes 'a line of text' | head -c {bytes}")],
            "resources": {"output_kb": 262_144, "memory_mb": 1024},
        });
        row(bytes, &run(scratch, count, &episode));
    }
    println!();
}

pub fn files(scratch: &Path) {
    println!("files: one that is put in as text, and one that `collect` brings back\n");
    println!("| bytes | per s | MB per s | peak memory of the runner MB |\n|---:|---:|---:|---:|");
    for (bytes, count) in [(1 << 10, 2000), (32 << 10, 2000), (MB, 400), (8 * MB, 60)] {
        let episode = json!({
            "argv": ["true"], "files": {"f": "x".repeat(bytes)}, "collect": ["f"],
            "resources": {"disk_mb": 100},
        });
        row(bytes, &run(scratch, count, &episode));
    }
    println!("\nfiles: so many empty ones put in\n");
    println!(
        "| files | per s | files per s | peak memory of the runner MB |\n|---:|---:|---:|---:|"
    );
    for (many, count) in [
        (1, 2000),
        (10, 2000),
        (100, 1000),
        (1000, 200),
        (10_000, 20),
    ] {
        let files: serde_json::Map<String, Value> = (0..many)
            .map(|i| (format!("d{}/f{i}", i % 10), "".into()))
            .collect();
        let run = run(scratch, count, &json!({"argv": ["true"], "files": files}));
        println!(
            "| {many} | {:.0} | {:.0} | {:.0} |",
            run.rate,
            run.rate * f64::from(many),
            run.peak_mb
        );
    }
    println!();
}

fn run(scratch: &Path, count: usize, episode: &Value) -> Ours {
    let jobs = jobs(scratch, count, episode);
    let options = ["--warm".to_owned(), "none".to_owned()];
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    ours_with(&options, &jobs, scratch, 2 * cores)
}

fn row(bytes: usize, run: &Ours) {
    let mb = run.rate * bytes as f64 / MB as f64;
    println!(
        "| {bytes} | {:.0} | {mb:.0} | {:.0} |",
        run.rate, run.peak_mb
    );
}
