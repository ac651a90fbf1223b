//! What `--trace` writes.

use super::common::{run_args, scratch};
use serde_json::{Value, json};
use std::fs;

/// Runs these episodes one after the other in one tier; the lines of the trace.
fn traced(tier: &str, jobs: &[Value], args: &[&str]) -> Vec<Value> {
    let directory = scratch();
    let lines: Vec<String> = jobs.iter().map(Value::to_string).collect();
    fs::write(directory.path().join("jobs.jsonl"), lines.join("\n")).unwrap();
    let mut all = vec![
        "--isolation",
        tier,
        "--jobs",
        "jobs.jsonl",
        "--trace",
        "trace.jsonl",
    ];
    all.extend(["--concurrency", "1"].iter().chain(args));
    run_args(directory.path(), &all, b"");
    let text = fs::read_to_string(directory.path().join("trace.jsonl")).expect("a trace");
    let read = |line| serde_json::from_str(line).expect("a line of JSON");
    text.lines().map(read).collect()
}

#[test]
fn each_attempt_has_its_slot_its_phases_in_order_and_what_ended_it() {
    let jobs = [
        json!({"id": "a", "argv": ["true"]}),
        json!({"id": "b", "steps": [{"argv": ["sh", "-c", "exit 3"], "on_failure": "continue"}, {"argv": ["sleep", "9"], "timeout_s": 0.1}]}),
        json!({"id": "c", "argv": ["nosuch"]}),
    ];
    for tier in ["namespaces", "landlock"] {
        let lines = traced(tier, &jobs, &["--warm", "none", "--stretch", "1"]);
        let ids: Vec<&Value> = lines.iter().map(|line| &line["id"]).collect();
        assert_eq!(ids, ["a", "b", "c"], "{tier}");
        let ends = |line: &Value| {
            let steps = line["steps"].as_array().expect("steps");
            steps
                .iter()
                .map(|step| step["end"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(ends(&lines[0]), [json!({"exited": 0})], "{tier}");
        assert_eq!(
            ends(&lines[1]),
            [json!({"exited": 3}), json!("timeout")],
            "{tier}"
        );
        assert_eq!(
            ends(&lines[2]),
            [json!({"not_executable": {"errno": 2}})],
            "{tier}"
        );
        for line in &lines {
            assert_eq!(line["slot"], 0, "{tier}: {line}");
            assert!(line["pid"].as_i64() > Some(1), "{tier}: {line}");
            assert!(
                line["unclean"].is_null() && line["error"].is_null(),
                "{tier}: {line}"
            );
        }
        let (first, step) = (&lines[0], &lines[0]["steps"][0]);
        let times = [
            &first["received_ms"],
            &step["prepared_ms"],
            &step["forked_ms"],
            &step["running_ms"],
            &step["ended_ms"],
            &first["cleaned_ms"],
        ];
        let times = times.map(|time| time.as_f64().expect("a time"));
        assert!(times.is_sorted() && times[0] >= 0.0, "{tier}: {first}");
    }
}

#[test]
fn an_attempt_that_comes_to_nothing_says_why() {
    let jobs = [json!({"id": "a", "network": "loopback", "argv": ["true"]})];
    let lines = traced("landlock", &jobs, &[]);
    assert_eq!(lines.len(), 1);
    let error = lines[0]["error"].as_str().expect("an error");
    assert!(
        error.starts_with("network \"loopback\" needs the namespaces tier"),
        "{error}"
    );
    assert!(lines[0]["slot"].is_null());
}

#[test]
fn a_file_of_the_run_is_no_place_for_its_trace() {
    let directory = scratch();
    let path = |name: &str| directory.path().join(name);
    let jobs = "{\"id\":\"a\",\"argv\":[\"true\"]}\n";
    fs::write(path("jobs.jsonl"), jobs).unwrap();
    fs::hard_link(path("jobs.jsonl"), path("same.jsonl")).unwrap();
    fs::write(path("results.jsonl"), "").unwrap();
    for (trace, other) in [
        ("jobs.jsonl", "jobs.jsonl"),
        ("same.jsonl", "jobs.jsonl"),
        ("results.jsonl", "results.jsonl"),
    ] {
        let args = [
            "--jobs",
            "jobs.jsonl",
            "--output",
            "results.jsonl",
            "--resume",
            "--trace",
            trace,
        ];
        let run = run_args(directory.path(), &args, b"");
        assert_eq!(run.code, Some(2), "{trace}");
        let said = format!("runner: --trace {trace} is {other} too; choose another file\n");
        assert_eq!(run.stderr, said);
        assert_eq!(fs::read_to_string(path("jobs.jsonl")).unwrap(), jobs);
    }
}

#[test]
fn what_of_a_trace_could_not_be_written_is_said_at_the_end() {
    let directory = scratch();
    fs::write(
        directory.path().join("jobs.jsonl"),
        "{\"argv\":[\"true\"]}\n",
    )
    .unwrap();
    let args = ["--jobs", "jobs.jsonl", "--trace", "/dev/full"];
    let run = run_args(directory.path(), &args, b"");
    assert_eq!((run.code, run.lines.len()), (Some(0), 1));
    assert!(
        run.stderr
            .contains("runner: cannot write the trace to /dev/full: No space left"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_trace_that_can_not_be_written_is_said_before_anything_runs() {
    let directory = scratch();
    fs::write(
        directory.path().join("jobs.jsonl"),
        "{\"argv\":[\"true\"]}\n",
    )
    .unwrap();
    let args = ["--jobs", "jobs.jsonl", "--trace", "no/such/trace.jsonl"];
    let run = run_args(directory.path(), &args, b"");
    assert_eq!((run.code, run.lines.len()), (Some(2), 0));
    assert!(
        run.stderr
            .starts_with("runner: cannot write the trace to no/such/trace.jsonl: "),
        "{}",
        run.stderr
    );
}
