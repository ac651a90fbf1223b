//! The measuring side of `scripts/bench`: loops that ask for programs to be run, and clocks around them.
//!
//! A *list* is a file of programs, one JSON array of arguments per line. Before each, the arguments after `--` are put
//! (`bwrap … --`, `docker exec …`): without any this is the bare loop that every sandbox is measured against. All times
//! are of the system's real-time clock, so that a program can say when it began (`guest.rs`).

mod offered;
mod spawn;
mod summary;
mod talk;

use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    way: Way,
}

#[derive(Subcommand)]
enum Way {
    /// Threads that each take the next program, spawn it, and wait for it and its output.
    Spawn(Loop),
    /// One episode after the other through a runner that reads stdin; the list holds episodes.
    Talk(Loop),
    /// Programs at a steady rate, whatever becomes of those before them.
    Offered(Offered),
    /// Percentiles of numbers on stdin, one per line, in nanoseconds.
    Summarize,
}

#[derive(Args)]
struct Loop {
    #[arg(long)]
    list: PathBuf,
    #[arg(long, default_value_t = 1)]
    concurrency: usize,
    /// How much of the list.
    #[arg(long, default_value_t = usize::MAX)]
    count: usize,
    /// Each prints when it began, first thing.
    #[arg(long)]
    stamped: bool,
    /// Environment of what is spawned, as NAME=value.
    #[arg(long = "env")]
    env: Vec<String>,
    #[arg(last = true)]
    before: Vec<String>,
}

#[derive(Args)]
struct Offered {
    #[command(flatten)]
    way: Loop,
    /// Programs per second.
    #[arg(long)]
    rate: f64,
    /// What comes after `--` is a runner that takes episodes on stdin.
    #[arg(long)]
    runner: bool,
}

fn main() {
    // That is how `cargo bench` starts every benchmark. This one is started by scripts/bench, with a command.
    if std::env::args().len() == 1 || std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let report = match Cli::parse().way {
        Way::Spawn(way) => spawn::run(&way),
        Way::Talk(way) => talk::run(&way),
        Way::Offered(offered) => offered::run(&offered),
        Way::Summarize => {
            let text = std::io::read_to_string(std::io::stdin()).expect("numbers on stdin");
            let numbers = text.split_whitespace().map(|n| n.parse().expect("numbers"));
            summary::of(numbers)
        }
    };
    println!("{report}");
}

/// The first `count` lines, parsed.
fn read_list(list: &Path, count: usize) -> Vec<Value> {
    let text = std::fs::read_to_string(list).unwrap_or_else(|e| panic!("{}: {e}", list.display()));
    let lines = text.lines().take(count);
    lines
        .map(|line| serde_json::from_str(line).expect("JSON lines"))
        .collect()
}

/// Now, in nanoseconds since 1970.
fn now_ns() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("after 1970").as_nanos() as u64
}

/// When a program says that it began: nanoseconds, or seconds with a fraction as bash has them.
fn stamp_ns(output: &str) -> u64 {
    let first = output.split_whitespace().next().unwrap_or_default();
    let parsed = match first.split_once('.') {
        Some((seconds, micros)) => seconds
            .parse::<u64>()
            .ok()
            .zip(micros.parse::<u64>().ok())
            .map(|(s, us)| s * 1_000_000_000 + us * 1_000),
        None => first.parse().ok(),
    };
    parsed.unwrap_or_else(|| panic!("no time in {output:?}"))
}

fn report(count: usize, wall_s: f64, latencies: &[u64], startups: &[u64]) -> Value {
    json!({
        "count": count,
        "wall_s": wall_s,
        "rate": count as f64 / wall_s,
        "latency": summary::of(latencies.iter().copied()),
        "startup": (!startups.is_empty()).then(|| summary::of(startups.iter().copied())),
    })
}
