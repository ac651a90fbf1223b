//! What a program may print.

use super::{assert_limit, assert_ok, everywhere, lines, run};
use crate::common::{Way, scratch};
use serde_json::{Value, json};
use std::fs;

#[test]
fn output_beyond_the_cap_is_counted_and_discarded() {
    let episode = |id: &str, command: &str, output_kb: u64| json!({"id": id, "command": command, "resources": {"output_kb": output_kb}});
    let print = |bytes: u32| format!("head -c {bytes} /dev/zero | tr '\\0' x");
    let episodes = [
        episode("over", &print(100_000), 1),
        episode("one-over", &print(1025), 1),
        episode("exact", &print(1024), 1),
        episode("below", &print(100_000), 1000),
        episode("stderr", &format!("({}) >&2", print(5000)), 1),
    ];
    everywhere(&episodes, |way, run| {
        let expected = [
            ("over", 100_000, 1024),
            ("one-over", 1025, 1024),
            ("exact", 1024, 1024),
            ("below", 100_000, 100_000),
            ("stderr", 5000, 1024),
        ];
        for (id, produced, kept) in expected {
            assert_ok(way, run, id);
            assert_eq!(run.get(id)["output_bytes"], produced, "{way:?} {id}");
            assert_eq!(run.get(id)["truncated"], produced > kept, "{way:?} {id}");
            assert_eq!(run.output(id), "x".repeat(kept), "{way:?} {id}");
        }
    });
}

#[test]
fn with_split_capture_each_stream_has_the_cap_of_its_own() {
    let episodes = [
        json!({"id": "split", "command": "head -c 3000 /dev/zero | tr '\\0' o; echo err >&2",
                           "capture": "split", "resources": {"output_kb": 1}}),
    ];
    everywhere(&episodes, |way, run| {
        let result = run.get("split");
        assert_eq!(result["stdout"], "o".repeat(1024), "{way:?}");
        assert_eq!(result["stderr"], "err\n", "{way:?}");
        assert_eq!(result["output_bytes"], 3004, "{way:?}");
        assert_eq!(result["truncated"], true, "{way:?}");
    });
}

#[test]
fn a_gigabyte_of_output_is_drained_without_growing_the_runner() {
    let jobs = lines(&[
        json!({"id": "merged", "argv": ["head", "-c", "1G", "/dev/zero"]}),
        json!({"id": "split", "command": "head -c 300M /dev/zero; head -c 300M /dev/zero >&2", "capture": "split"}),
    ]);
    for way in Way::all() {
        let directory = scratch();
        let stats = directory.path().join("stats.json");
        let run = run(
            way,
            &jobs,
            &[
                "--concurrency",
                "2",
                "--stats",
                stats.to_str().expect("UTF-8"),
            ],
        );
        assert_ok(way, &run, "merged");
        assert_eq!(run.get("merged")["output_bytes"], 1u64 << 30, "{way:?}");
        assert_eq!(run.get("merged")["truncated"], true, "{way:?}");
        assert_eq!(run.output("merged").len(), 1 << 20, "{way:?}");
        assert_ok(way, &run, "split");
        assert_eq!(run.get("split")["output_bytes"], 600u64 << 20, "{way:?}");
        let stats: Value = serde_json::from_slice(&fs::read(stats).expect("stats")).expect("JSON");
        let peak = stats["runner"]["peak_memory_mb"]
            .as_f64()
            .expect("a number");
        assert!(
            peak > 0.0 && peak < 64.0,
            "{way:?}: the runner grew to {peak} MB"
        );
    }
}

#[test]
fn output_without_end_ends_in_output_limit() {
    let command = "head -c 3M /dev/zero";
    let episodes = [
        json!({"id": "endless", "argv": ["yes"], "resources": {"output_kb": 1}, "timeout_s": 120}),
        json!({"id": "over", "command": command, "resources": {"output_kb": 1}}),
        json!({"id": "below", "command": command, "resources": {"output_kb": 4}}),
    ];
    everywhere(&episodes, |way, run| {
        for id in ["endless", "over"] {
            assert_limit(way, run, id, "output_limit", "ended at 1048576 bytes");
            assert_eq!(run.get(id)["truncated"], true, "{way:?}");
            assert_eq!(run.get(id)["exit_code"], 137, "{way:?}");
            assert!(
                run.get(id)["output_bytes"].as_u64() > Some(1 << 20),
                "{way:?}: {}",
                run.get(id)
            );
        }
        assert_eq!(run.output("endless"), "y\n".repeat(512), "{way:?}");
        assert_ok(way, run, "below");
    });
}

#[test]
fn a_flood_on_stdout_on_stderr_and_on_both_at_once_is_drained() {
    let flood = "head -c 50M /dev/zero";
    let episode = |id: &str, command: String| json!({"id": id, "command": command, "timeout_s": 120, "capture": "split", "resources": {"output_kb": 200}});
    let episodes = [
        episode("stdout", flood.to_owned()),
        episode("stderr", format!("{flood} >&2")),
        episode("both", format!("{flood} & {flood} >&2; wait")),
    ];
    everywhere(&episodes, |way, run| {
        for (id, megabytes) in [("stdout", 50), ("stderr", 50), ("both", 100)] {
            assert_ok(way, run, id);
            assert_eq!(run.get(id)["output_bytes"], megabytes << 20, "{way:?} {id}");
            assert_eq!(run.get(id)["truncated"], true, "{way:?} {id}");
        }
    });
}
