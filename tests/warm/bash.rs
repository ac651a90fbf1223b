//! bash: `command` episodes and steps.

use crate::common::equivalence::{assert_same, without_scratch};
use crate::common::{Way, run};
use serde_json::{Value, json};

/// The cases, numbered by line, with all the files they leave collected.
fn cases() -> Vec<String> {
    let lines = include_str!("bash.jsonl").lines();
    let numbered = lines.enumerate().map(|(i, line)| {
        let mut case: Value = serde_json::from_str(line).expect("a case is JSON");
        case["id"] = json!(format!("line {}", i + 1));
        case["collect"] = json!(["**"]);
        case.to_string()
    });
    numbered.collect()
}

fn is_warm(result: &Value) -> bool {
    let warm = |r: &Value| {
        r["start"]
            .as_str()
            .is_some_and(|start| start.starts_with("warm"))
    };
    warm(result)
        || result["steps"]
            .as_array()
            .is_some_and(|steps| steps.iter().any(warm))
}

#[test]
fn a_command_runs_warm_as_it_runs_cold() {
    let cases = cases();
    for way in Way::all() {
        let cold = run(way, &cases.join("\n"), &["--warm", "none"]);
        let warm = run(way, &cases.join("\n"), &[]);
        assert_same(way, &cold, &warm, without_scratch);
        let served = warm.results.values().filter(|r| is_warm(r)).count();
        assert!(
            served * 10 > cases.len() * 7,
            "{way:?}: only {served} of {} ran warm",
            cases.len()
        );
    }
}

#[test]
fn random_numbers_differ_from_command_to_command() {
    let command = |n| json!({"id": format!("n{n}"), "command": "echo $RANDOM$RANDOM $SRANDOM"});
    let jobs: Vec<String> = (0..40).map(|n| command(n).to_string()).collect();
    for way in Way::all() {
        let run = run(way, &jobs.join("\n"), &["--concurrency", "2"]);
        let warm = run.results.values().filter(|r| r["start"] == "warm-bash");
        assert_eq!(warm.count(), 40, "{way:?}");
        let words = run
            .results
            .values()
            .flat_map(|r| r["output"].as_str().unwrap().split_whitespace());
        let distinct: std::collections::BTreeSet<&str> = words.collect();
        assert!(distinct.len() >= 79, "{way:?}: {distinct:?}");
    }
}

/// Each is a descriptor of the slot's before it becomes a bash, so that the bash's own have other numbers.
#[test]
fn however_many_directories_are_granted_it_is_kept_warm() {
    let directories = ["/usr/share", "/usr/lib", "/usr/bin", "/usr/sbin"];
    let jobs = json!({"id": "a", "command": "echo $0"}).to_string();
    for way in Way::all() {
        for count in 0..=directories.len() {
            let granted = directories[..count].iter();
            let arguments: Vec<&str> = granted.flat_map(|path| ["--fs-readable", path]).collect();
            let run = run(way, &jobs, &arguments);
            assert_eq!(run.output("a"), "bash\n", "{way:?} {arguments:?}");
            assert_eq!(run.get("a")["start"], "warm-bash", "{way:?} {arguments:?}");
        }
    }
}
