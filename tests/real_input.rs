//! Promise: real programs get the verdicts they deserve, and the sets in `jobs/` do what they say.

mod common;

use common::equivalence::{assert_same, without_chance};
use common::{Run, Way, run};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn root_of_project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// HumanEval as episodes; needs pip and its registry the first time.
fn humaneval(args: &[&str]) -> String {
    let output = Command::new(root_of_project().join("scripts/humaneval"))
        .args(args)
        .output()
        .expect("scripts/humaneval starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/humaneval: {stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn count(run: &Run, status: &str) -> usize {
    let is = |result: &&Value| result["status"] == status;
    run.results.values().filter(is).count()
}

#[test]
fn all_canonical_humaneval_programs_are_ok() {
    let jobs = humaneval(&[]);
    assert_eq!(jobs.lines().count(), 164);
    for way in Way::all() {
        let run = run(way, &jobs, &[]);
        assert_eq!(count(&run, "ok"), 164, "{way:?}: {}", run.stderr);
        assert_eq!(run.code, Some(0));
    }
}

#[test]
fn no_broken_humaneval_program_is_ok() {
    let jobs = humaneval(&["--break"]);
    for way in Way::all() {
        let run = run(way, &jobs, &[]);
        assert_eq!(count(&run, "failed"), 164, "{way:?}: {}", run.stderr);
        assert_eq!(run.code, Some(0));
    }
}

#[test]
fn humaneval_programs_get_the_same_verdicts_warm_and_cold() {
    for kind in [&[][..], &["--break"]] {
        let jobs = humaneval(kind);
        for way in Way::of_tier("namespaces") {
            let cold = run(way, &jobs, &["--warm", "none"]);
            let warm = common::run_when_warm(way, &jobs, 2, &[]);
            assert_same(way, &cold, &warm, without_chance);
            for id in cold.results.keys() {
                assert_eq!(cold.get(id)["start"], "exec", "{way:?}: {id}");
                assert_eq!(warm.get(id)["start"], "warm-python", "{way:?}: {id}");
            }
            assert_eq!(cold.results.len(), 164, "{way:?}");
        }
    }
}

/// Episodes that need what a way does not have; its table of programs says so.
fn is_beyond(way: Way, id: &str) -> bool {
    let no_pathname_sockets = !way.namespaces() && id == "background-server";
    let shared_process_limit = !way.namespaces() && !way.root && id == "failed-too-many-processes";
    no_pathname_sockets || shared_process_limit
}

fn set_meets_its_expectations(name: &str) {
    let jobs = fs::read_to_string(root_of_project().join("jobs").join(name)).expect("a set");
    for way in Way::all() {
        let run = run(way, &jobs, &[]);
        assert_eq!(
            run.lines.len(),
            jobs.lines().count(),
            "{way:?}: one result per line"
        );
        let mut checked = 0;
        for result in run.results.values() {
            let (id, expected) = (result["id"].as_str().unwrap(), &result["meta"]["expect"]);
            if expected.is_string() && !is_beyond(way, id) {
                assert_eq!(&result["status"], expected, "{way:?}: {result}");
                checked += 1;
            }
        }
        assert!(checked > 5, "{name} says what it expects");
    }
}

#[test]
fn the_quickstart_set_meets_its_expectations() {
    set_meets_its_expectations("quickstart.jsonl");
}

#[test]
fn the_verdicts_set_meets_every_status_on_purpose() {
    set_meets_its_expectations("verdicts.jsonl");
}

#[test]
fn the_steps_set_meets_its_expectations() {
    set_meets_its_expectations("steps.jsonl");
}
