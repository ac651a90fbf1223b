//! The fields of a result.

use super::{assert_ok, everywhere, lines};
use crate::common::{Way, run};
use serde_json::{Value, json};

/// What a field may hold.
type Kind = fn(&Value) -> bool;

const COMMON: [(&str, Kind); 11] = [
    ("status", Value::is_string),
    ("exit_code", |v| v.is_null() || v.is_i64()),
    ("output", Value::is_string),
    ("output_bytes", Value::is_u64),
    ("truncated", Value::is_boolean),
    ("signal", |v| v.is_null() || v.is_i64()),
    ("fault", |v| v.is_null() || v.is_string()),
    ("wall_ms", Value::is_number),
    ("cpu_ms", Value::is_number),
    ("peak_memory_mb", Value::is_number),
    ("start", |v| {
        v.is_null()
            || ["exec", "warm-bash", "warm-python"]
                .iter()
                .any(|start| v == start)
    }),
];

const OF_EPISODES: [(&str, Kind); 5] = [
    ("attempts", Value::is_u64),
    ("queue_ms", Value::is_number),
    ("startup_ms", |v| v.is_null() || v.is_number()),
    ("sandbox", |v| {
        v.is_null() || v["tier"].is_string() && v["landlock_abi"].is_u64()
    }),
    ("spec_digest", |v| {
        v.as_str().is_some_and(|digits| digits.len() == 16)
    }),
];

#[track_caller]
fn assert_fields(result: &Value, fields: &[(&str, Kind)]) {
    for (name, kind) in fields {
        let value = result
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {result}"));
        assert!(kind(value), "{name} in {result}");
    }
}

#[test]
fn every_result_has_every_field_with_its_type_and_begins_with_id_and_status() {
    let episodes = [
        json!({"id": "ok", "command": "echo fine"}),
        json!({"id": "failed", "command": "exit 3"}),
        json!({"id": "signaled", "command": "kill -TERM $$"}),
        json!({"id": "timeout", "command": "sleep 9", "timeout_s": 0.2}),
        json!({"id": "invalid", "nothing": 1}),
        json!({"id": "steps", "steps": [{"name": "one", "command": "echo 1"}, {"command": "echo 2"}]}),
    ];
    everywhere(&episodes, |way, run| {
        assert_eq!(run.results.len(), episodes.len(), "{way:?}");
        assert_eq!(
            run.code,
            Some(1),
            "{way:?}: an invalid episode shows in the exit status"
        );
        for line in &run.lines {
            let result: Value = serde_json::from_str(line).expect("JSON");
            assert_fields(&result, &COMMON);
            assert_fields(&result, &OF_EPISODES);
            let begin = format!("{{\"id\":{},\"status\":{},", result["id"], result["status"]);
            assert!(line.starts_with(&begin), "{line}");
            for absent in ["stdout", "stderr", "files", "group", "meta"] {
                assert!(
                    result.get(absent).is_none(),
                    "{absent} was not asked for: {line}"
                );
            }
        }
        let ok = run.get("ok");
        assert_eq!(ok["sandbox"]["tier"], way.tier);
        assert!(ok["sandbox"]["landlock_abi"].as_u64() > Some(0), "{ok}");
        assert_eq!(
            (&ok["attempts"], &ok["exit_code"], &ok["fault"]),
            (&json!(1), &json!(0), &json!(null))
        );
        assert_eq!(
            (&ok["output"], &ok["output_bytes"], &ok["start"]),
            (&json!("fine\n"), &json!(5), &json!("warm-bash"))
        );
        for field in ["startup_ms", "wall_ms", "cpu_ms", "peak_memory_mb"] {
            assert!(ok[field].as_f64() > Some(0.0), "{field}: {ok}");
        }
        let steps = run.get("steps")["steps"].as_array().expect("a list");
        assert_eq!(steps.len(), 2);
        for step in steps {
            assert_fields(step, &COMMON);
            assert!(step["startup_ms"].is_number(), "{step}");
        }
        assert_eq!(steps[0]["name"], "one");
        assert!(steps[1].get("name").is_none());
    });
}

#[test]
fn exit_codes_and_signals_are_what_a_shell_would_say() {
    let mut episodes = vec![
        json!({"id": "invalid", "argv": []}),
        json!({"id": "missing", "argv": ["no-such-program"]}),
    ];
    for code in [0, 1, 2, 100, 126, 127, 128, 255] {
        episodes.push(json!({"id": format!("exit-{code}"), "command": format!("exit {code}")}));
    }
    for signal in [1, 2, 6, 9, 11, 13, 15] {
        let kill = format!(
            "import os, signal\nsignal.signal({signal}, signal.SIG_DFL) if {signal} != 9 else 0\nos.kill(os.getpid(), {signal})"
        );
        episodes.push(json!({"id": format!("signal-{signal}"), "argv": ["python3", "-c", kill]}));
    }
    everywhere(&episodes, |way, run| {
        for code in [0, 1, 2, 100, 126, 127, 128, 255] {
            let result = run.get(&format!("exit-{code}"));
            assert_eq!(result["exit_code"], code, "{way:?}: {result}");
            assert_eq!(
                result["status"],
                if code == 0 { "ok" } else { "failed" },
                "{way:?}: {result}"
            );
            assert_eq!(
                result["fault"],
                if code == 0 {
                    json!(null)
                } else {
                    json!("program")
                },
                "{way:?}: {result}"
            );
            assert!(result["signal"].is_null(), "{way:?}: {result}");
        }
        for signal in [1, 2, 6, 9, 11, 13, 15] {
            let result = run.get(&format!("signal-{signal}"));
            assert_eq!(result["exit_code"], 128 + signal, "{way:?}: {result}");
            assert_eq!(
                (&result["status"], &result["signal"]),
                (&json!("signaled"), &json!(signal)),
                "{way:?}: {result}"
            );
            assert_eq!(result["fault"], "program", "{way:?}: {result}");
        }
        for id in ["invalid", "missing"] {
            let result = run.get(id);
            assert_eq!(
                (&result["status"], &result["fault"]),
                (&json!("invalid"), &json!("spec")),
                "{way:?}: {result}"
            );
            assert!(
                result["exit_code"].is_null() && result["startup_ms"].is_null(),
                "{way:?}: {result}"
            );
            assert!(result["error"].is_string(), "{way:?}: {result}");
        }
    });
}

#[test]
fn merged_output_is_in_the_order_it_was_written_and_split_capture_also_tells_the_streams_apart() {
    let command = "for i in 1 2 3; do echo out$i; echo err$i >&2; done";
    let episodes = [
        json!({"id": "merged", "command": command, "capture": "merged"}),
        json!({"id": "split", "command": command, "capture": "split"}),
        json!({"id": "silent", "command": "true", "capture": "split"}),
    ];
    everywhere(&episodes, |way, run| {
        assert_eq!(
            run.output("merged"),
            "out1\nerr1\nout2\nerr2\nout3\nerr3\n",
            "{way:?}"
        );
        let split = run.get("split");
        assert_eq!(split["stdout"], "out1\nout2\nout3\n", "{way:?}");
        assert_eq!(split["stderr"], "err1\nerr2\nerr3\n", "{way:?}");
        assert_eq!(run.output("split").len(), 30, "{way:?}: {split}");
        assert_eq!(split["output_bytes"], 30, "{way:?}: {split}");
        assert_eq!(run.get("silent")["stdout"], "", "{way:?}");
        assert_eq!(run.get("silent")["stderr"], "", "{way:?}");
    });
}

#[test]
fn bytes_that_are_not_utf8_are_replaced_and_still_counted() {
    let episodes = [
        json!({"id": "bytes", "argv": ["printf", "a\\377b\\303\\251\\0c\\n"]}),
        json!({"id": "torn", "command": "printf 'é%.0s' $(seq 600)", "resources": {"output_kb": 1}, "output_keep": "head"}),
        json!({"id": "split", "command": "printf '\\377'; printf '\\376' >&2", "capture": "split"}),
    ];
    everywhere(&episodes, |way, run| {
        assert_eq!(run.output("bytes"), "a\u{FFFD}bé\0c\n", "{way:?}");
        assert_eq!(run.get("bytes")["output_bytes"], 8, "{way:?}");
        // The cap of 1024 bytes falls between two characters of two bytes each.
        assert_eq!(run.output("torn"), "é".repeat(512), "{way:?}");
        assert_eq!(
            (&run.get("split")["stdout"], &run.get("split")["stderr"]),
            (&json!("\u{FFFD}"), &json!("\u{FFFD}"))
        );
    });
}

#[test]
fn meta_is_echoed_byte_for_byte_and_group_as_it_is() {
    let metas = [
        r#"{"a":1.0,"b":[1e3]}"#,
        r#"{ "z": 1,  "a": 0.10, "z": 123456789012345678901234567890 }"#,
        r#""\u00e9\/""#,
        "null",
        "[]",
    ];
    let mut jobs = String::new();
    for (i, meta) in metas.iter().enumerate() {
        jobs += &format!(
            "{{\"id\": \"ok-{i}\", \"command\": \"true\", \"group\": \"prompt 7 \u{e9}\", \"meta\": {meta}}}\n"
        );
        jobs +=
            &format!("{{\"id\": \"bad-{i}\", \"argv\": [], \"group\": \"g\", \"meta\": {meta}}}\n");
    }
    for way in Way::all() {
        let run = run(way, &jobs, &["--ordered"]);
        for (i, meta) in metas.iter().enumerate() {
            for line in [&run.lines[2 * i], &run.lines[2 * i + 1]] {
                assert!(
                    line.ends_with(&format!("\"meta\":{meta}}}")),
                    "{way:?}: {meta} is not in {line}"
                );
            }
            assert_eq!(
                run.get(&format!("ok-{i}"))["group"],
                "prompt 7 é",
                "{way:?}"
            );
            assert_eq!(run.get(&format!("bad-{i}"))["group"], "g", "{way:?}");
        }
    }
}

#[test]
fn an_episode_without_an_id_is_named_by_its_line() {
    let jobs = lines(&[
        json!({"command": "true"}),
        json!({"id": "own", "command": "true"}),
        json!({"command": "true"}),
    ]);
    for way in Way::of_tier("namespaces") {
        let run = run(way, &jobs, &[]);
        for id in ["line-1", "own", "line-3"] {
            assert_ok(way, &run, id);
        }
    }
}
