//! What a program may print.

use super::{assert_limit, assert_ok, everywhere, lines, run};
use crate::common::{Way, scratch};
use serde_json::{Value, json};
use std::fs;

/// What is kept of 1 KB of one character a byte long, and more.
fn ends(character: &str, left_out: usize) -> String {
    let (head, tail) = (character.repeat(256), character.repeat(768));
    format!("{head}\n[… {left_out} bytes left out …]\n{tail}")
}

#[test]
fn output_keep_says_which_part_of_long_output_is_kept() {
    let print = "echo begin; head -c 5000 /dev/zero | tr '\\0' x; echo; echo end";
    let episode = |keep: &str, fields: Value| {
        let mut episode = json!({"id": keep, "output_keep": keep, "resources": {"output_kb": 1}});
        let fields = fields.as_object().expect("fields").clone();
        episode.as_object_mut().expect("an object").extend(fields);
        episode
    };
    let episodes = [
        episode("head", json!({"command": print})),
        episode("tail", json!({"command": print})),
        episode(
            "ends",
            json!({"command": format!("({print}) >&2"), "capture": "split"}),
        ),
        json!({"id": "steps", "resources": {"output_kb": 1}, "steps": [{"command": print}, {"command": "echo short"}]}),
        json!({"id": "timeout", "resources": {"output_kb": 1}, "command": format!("{print}; sleep 60"), "timeout_s": 1.5}),
    ];
    everywhere(&episodes, |way, run| {
        let x = |count: usize| "x".repeat(count);
        let both = format!(
            "begin\n{}\n[… 3987 bytes left out …]\n{}\nend\n",
            x(250),
            x(763)
        );
        assert_eq!(run.output("head"), format!("begin\n{}", x(1018)), "{way:?}");
        assert_eq!(run.output("tail"), format!("{}\nend\n", x(1019)), "{way:?}");
        let split = run.get("ends");
        assert_eq!(
            (&split["output"], &split["stderr"]),
            (&json!(both), &json!(both)),
            "{way:?}"
        );
        assert_eq!(split["stdout"], "", "{way:?}");
        let steps = &run.get("steps")["steps"];
        assert_eq!(
            (&steps[0]["output"], &steps[1]["output"]),
            (&json!(both), &json!("short\n")),
            "{way:?}"
        );
        assert_eq!(run.status("timeout"), "timeout", "{way:?}");
        assert_eq!(run.output("timeout"), both, "{way:?}");
        for id in ["head", "tail", "ends", "timeout"] {
            assert_eq!(run.get(id)["output_bytes"], 5011, "{way:?} {id}");
            assert_eq!(run.get(id)["truncated"], true, "{way:?} {id}");
        }
    });
}

#[test]
fn output_that_is_cut_in_a_character_ends_and_begins_with_whole_ones() {
    let euros = "printf '€%.0s' $(seq 600)";
    let episodes = [
        json!({"id": "ends", "command": euros, "resources": {"output_kb": 1}}),
        json!({"id": "head", "command": euros, "resources": {"output_kb": 1}, "output_keep": "head"}),
        json!({"id": "tail", "command": euros, "resources": {"output_kb": 1}, "output_keep": "tail"}),
        json!({"id": "killed", "command": "printf 'a\\342\\202'; sleep 60", "timeout_s": 1.5}),
    ];
    everywhere(&episodes, |way, run| {
        let euros = |count: usize| "€".repeat(count);
        // A quarter is 256 bytes, of which 85 characters take 255; three are 768 bytes, which is 256 characters.
        let both = format!("{}\n[… 777 bytes left out …]\n{}", euros(85), euros(256));
        assert_eq!(run.output("ends"), both, "{way:?}");
        assert_eq!(run.output("head"), euros(341), "{way:?}");
        assert_eq!(run.output("tail"), euros(341), "{way:?}");
        assert_eq!(run.output("killed"), "a", "{way:?}");
        assert_eq!(run.get("killed")["output_bytes"], 3, "{way:?}");
    });
}

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
            let expected = match produced - kept {
                0 => "x".repeat(kept),
                left_out => ends("x", left_out),
            };
            assert_eq!(run.output(id), expected, "{way:?} {id}");
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
        assert_eq!(result["stdout"], ends("o", 3000 - 1024), "{way:?}");
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
        let note = format!("\n[… {} bytes left out …]\n", (1 << 30) - (1 << 20));
        assert_eq!(
            run.output("merged").len(),
            (1 << 20) + note.len(),
            "{way:?}"
        );
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
        let endless = run.output("endless");
        let (head, tail) = endless.split_once("[…").expect("a line between");
        assert_eq!(head, "y\n".repeat(128), "{way:?}");
        assert!(
            tail.contains(" bytes left out …]\n") && tail.len() > 768,
            "{way:?}: {tail}"
        );
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
