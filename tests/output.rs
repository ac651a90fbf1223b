//! Results are what the contract says, in its shape, once each, however the episodes came in.

mod common;

#[path = "output/collect.rs"]
mod collect;
#[path = "output/files.rs"]
mod files;
#[path = "output/input.rs"]
mod input;
#[path = "output/order.rs"]
mod order;
#[path = "output/resume.rs"]
mod resume;
#[path = "output/shape.rs"]
mod shape;
#[path = "output/stdin.rs"]
mod stdin;
#[path = "output/steps.rs"]
mod steps;
#[path = "output/surroundings.rs"]
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
