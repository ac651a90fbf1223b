//! Results are what the contract says, in its shape, once each, however the episodes came in.

#[path = "../common/mod.rs"]
mod common;

mod collect;
mod files;
mod input;
mod order;
mod resume;
mod shape;
mod stdin;
mod steps;
mod surroundings;

use common::{Run, Way, run};
use serde_json::Value;

/// Runs these episodes every way and hands each run to `check`.
fn everywhere(episodes: &[Value], check: impl Fn(Way, &Run)) {
    for way in Way::all() {
        check(way, &run(way, &lines(episodes), &[]));
    }
}

fn lines(episodes: &[Value]) -> String {
    episodes
        .iter()
        .map(|episode| format!("{episode}\n"))
        .collect()
}

#[track_caller]
fn assert_ok(way: Way, run: &Run, id: &str) {
    let result = run.get(id);
    assert_eq!(result["status"], "ok", "{way:?}: {result}");
}
