//! Every limit ends what crosses it, says so with evidence, and leaves alone what stays below it: as root and as
//! an ordinary user, in both tiers. Each test runs the same program with a larger limit too, where it succeeds.

#[path = "../common/mod.rs"]
mod common;

mod bombs;
mod busy;
mod disk;
mod exits;
mod hidden;
mod host;
mod kernel_log;
mod kernel_memory;
mod memory;
mod neighbours;
mod output;
mod processes;
mod quotas;
mod scheduling;
mod stack;
mod time;

use common::{Run, Way};
use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// An ordinary user's slots without namespaces share one count of processes with all that runs as this user. Where the tests
/// run as root, each run has a user of its own.
fn ordinary_user() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Far from those of other test processes (nextest starts one for each test), and below those of root's slots.
    let first = 30_000 + std::process::id() * 64 % 30_000;
    first + NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Elsewhere all runs share it: one that uses it up takes this lock alone, and those that could feel it share it.
fn share_processes(how: FlockArg) -> Option<Flock<File>> {
    if nix::unistd::geteuid().is_root() {
        return None;
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shared-processes.lock");
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .or_else(|_| File::open(&path))
        .expect("a lock file");
    Some(Flock::lock(file, how).expect("lock"))
}

/// Runs these episodes every way, in two slots, and hands each run to `check`.
fn everywhere(episodes: &[Value], check: impl Fn(Way, &Run)) {
    for way in Way::all() {
        check(way, &run_once(way, episodes));
    }
}

/// Runs these episodes where namespaces give them a file tree of their own.
fn in_namespaces(episodes: &[Value], check: impl Fn(Way, &Run)) {
    for way in Way::of_tier("namespaces") {
        check(way, &run_once(way, episodes));
    }
}

fn run_once(way: Way, episodes: &[Value]) -> Run {
    run(way, &lines(episodes), &["--concurrency", "2"])
}

/// A run that may be beside others.
fn run(way: Way, jobs: &str, arguments: &[&str]) -> Run {
    let _lock = share_processes(FlockArg::LockShared);
    run_as_somebody(way, jobs, arguments)
}

/// A run that uses up the processes of its user.
fn run_alone(way: Way, jobs: &str, arguments: &[&str]) -> Run {
    let _lock = share_processes(FlockArg::LockExclusive);
    run_as_somebody(way, jobs, arguments)
}

fn run_as_somebody(way: Way, jobs: &str, arguments: &[&str]) -> Run {
    let uid = if way.root { 0 } else { ordinary_user() };
    common::run_as(uid, way, jobs, arguments)
}

fn lines(episodes: &[Value]) -> String {
    episodes
        .iter()
        .map(|episode| format!("{episode}\n"))
        .collect()
}

/// The result is this limit's verdict, with this in its evidence.
#[track_caller]
fn assert_limit(way: Way, run: &Run, id: &str, status: &str, evidence: &str) {
    let result = run.get(id);
    assert_eq!(result["status"], status, "{way:?}: {result}");
    assert_eq!(result["fault"], "limit", "{way:?}: {result}");
    assert!(
        run.error(id).contains(evidence),
        "{way:?}: {evidence:?} is not in {result}"
    );
}

#[track_caller]
fn assert_ok(way: Way, run: &Run, id: &str) {
    let result = run.get(id);
    assert_eq!(result["status"], "ok", "{way:?}: {result}");
    assert_eq!(result["exit_code"], 0, "{way:?}: {result}");
    assert!(
        result["fault"].is_null() && result.get("error").is_none(),
        "{way:?}: {result}"
    );
}

/// A number of a result.
#[track_caller]
fn number(run: &Run, id: &str, field: &str) -> f64 {
    run.get(id)[field]
        .as_f64()
        .unwrap_or_else(|| panic!("no number {field} in {}", run.get(id)))
}

/// The first number after these words in a sentence.
#[track_caller]
fn number_after(sentence: &str, words: &str) -> f64 {
    let rest = sentence
        .split_once(words)
        .unwrap_or_else(|| panic!("no {words:?} in {sentence:?}"))
        .1
        .trim_start();
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    rest[..end]
        .parse()
        .unwrap_or_else(|e| panic!("{e}: {sentence:?}"))
}
