//! Parsing as a whole: what arrives of a valid line, and the sentence for each way to be invalid.

mod host_paths;
mod properties;
mod shape;
mod values;

use super::*;
use crate::spec::limits::MB;
use crate::spec::sandbox::{Capture, OutputKeep};
use crate::spec::step::{Content, OnFailure, Program};
use serde_json::{Value, json};

fn context() -> FileContext {
    FileContext::new("a.jsonl".into(), Path::new("/nonexistent"), Arc::default())
}

fn read(line: impl AsRef<[u8]>) -> Result<Episode, Invalid> {
    parse(line.as_ref(), 7, 17, &context())
}

fn ok(line: Value) -> Episode {
    read(line.to_string()).unwrap_or_else(|e| panic!("{line}: {e}"))
}

/// The message for a line that must be invalid.
fn flaw(line: impl AsRef<[u8]>) -> String {
    let invalid = read(line.as_ref());
    match invalid {
        Err(invalid) => invalid.message,
        Ok(_) => panic!("accepted: {}", String::from_utf8_lossy(line.as_ref())),
    }
}

/// The message when `fields` are added to an episode that is otherwise valid.
fn flaw_with(fields: Value) -> String {
    let mut line = json!({"command": "true"});
    line.as_object_mut()
        .unwrap()
        .append(&mut fields.as_object().unwrap().clone());
    flaw(line.to_string())
}

#[test]
fn a_command_alone_gets_every_default() {
    let episode = ok(json!({"command": "echo hi"}));
    assert_eq!(episode.id, "line-17");
    assert_eq!(episode.origin.to_string(), "a.jsonl line 7");
    assert_eq!(episode.sandbox.limits, Limits::default());
    assert_eq!(episode.sandbox.workdir, "/workspace");
    assert!(!episode.multi_step);
    let [step] = &episode.steps[..] else { panic!() };
    assert_eq!(step.program, Program::Command("echo hi".into()));
    assert_eq!(step.timeout, Duration::from_secs(60));
    assert!(step.stdin.is_empty() && step.env.is_empty() && step.files.is_empty());
}

#[test]
fn null_is_the_same_as_not_set_except_in_meta() {
    let line = json!({"command": "true", "id": null, "argv": null, "files": null, "resources": {"disk_mb": null},
        "stdin": null, "meta": null});
    let episode = ok(line);
    assert_eq!(episode.id, "line-17");
    assert_eq!(episode.echo.meta.unwrap().get(), "null");
}

#[test]
fn every_field_arrives() {
    let line = r#"{"id": "x", "argv": ["cat", "-"], "stdin": {"base64": "AAE="}, "env": {"A": "1"},
        "files": {"a.py": "print()", "/data/b": {"base64": "AA==", "mode": "0755"}}, "workdir": "w",
        "timeout_s": 1.5, "capture": "split", "output_keep": "tail", "collect": ["*.txt"], "group": "g", "network": "none",
        "meta": {"k": [1,  2.50]}, "resources": {"memory_mb": 1, "cpu_time_s": 0.5, "processes": 2,
        "disk_mb": 3, "open_files": 8, "output_kb": 0, "stack_mb": 16}}"#;
    let episode = read(line).unwrap();
    assert_eq!(episode.sandbox.capture, Capture::Split);
    assert_eq!(episode.sandbox.output_keep, OutputKeep::Tail);
    assert_eq!(episode.collect, ["*.txt"]);
    assert_eq!(episode.echo.group.as_deref(), Some("g"));
    assert_eq!(episode.echo.meta.unwrap().get(), r#"{"k": [1,  2.50]}"#);
    let limits = Limits {
        memory_bytes: MB,
        cpu_time: Some(Duration::from_millis(500)),
        processes: 2,
        disk_bytes: 3 * MB,
        open_files: 8,
        output_bytes: 0,
        stack_bytes: Some(16 * MB),
    };
    assert_eq!(episode.sandbox.limits, limits);
    let step = &episode.steps[0];
    assert_eq!(step.workdir, "/workspace/w");
    assert_eq!(step.stdin[..], [0, 1]);
    assert_eq!(step.timeout, Duration::from_millis(1500));
    assert_eq!(step.files[0].path, "/workspace/w/a.py");
    assert_eq!(step.files[1].path, "/data/b");
    assert_eq!(step.files[1].mode, Some(0o755));
    assert_eq!(step.files[1].content, Content::Bytes(vec![0].into()));
}

#[test]
fn a_whole_number_may_be_written_with_a_point() {
    let line = r#"{"command": "x", "resources": {"memory_mb": 512.0, "processes": 1e1, "disk_mb": 2.0,
        "open_files": 64.0, "output_kb": -0.0}}"#;
    let limits = read(line).unwrap().sandbox.limits;
    assert_eq!(limits.memory_bytes, 512 * MB);
    assert_eq!((limits.processes, limits.open_files), (10, 64));
    assert_eq!((limits.disk_bytes, limits.output_bytes), (2 * MB, 0));
}

#[test]
fn steps_inherit_from_their_episode() {
    let episode = ok(json!({
        "workdir": "/w", "timeout_s": 5, "env": {"A": "1", "B": "1"}, "files": {"top": "t"},
        "steps": [
            {"command": "one", "workdir": "sub", "env": {"B": "2"}, "files": {"own": "o"}},
            {"name": "two", "argv": ["two"], "timeout_s": 1, "on_failure": "continue", "stdin": "in"},
        ],
    }));
    assert!(episode.multi_step);
    let [one, two] = &episode.steps[..] else {
        panic!()
    };
    let paths: Vec<&str> = one.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["/w/top", "/w/sub/own"]);
    assert_eq!(one.workdir, "/w/sub");
    assert_eq!((one.env["A"].as_str(), one.env["B"].as_str()), ("1", "2"));
    assert_eq!(one.timeout, Duration::from_secs(5));
    assert_eq!((two.workdir.as_str(), two.env["B"].as_str()), ("/w", "1"));
    assert!(two.files.is_empty());
    assert_eq!(
        (two.timeout, two.on_failure),
        (Duration::from_secs(1), OnFailure::Continue)
    );
    assert_eq!(
        (two.name.as_deref(), &two.stdin[..]),
        (Some("two"), &b"in"[..])
    );
}

#[test]
fn an_invalid_line_keeps_its_id_group_and_meta() {
    for line in [
        r#"{"id": "x", "group": "g", "meta": [1], "command": 5}"#,
        r#"{"id": "x", "group": "g", "meta": [1], "command": "torn"#,
        r#"{"command": "a", "argv": ["a"], "meta": [1], "id": "x", "group": "g"}"#,
    ] {
        let invalid = read(line).unwrap_err();
        assert_eq!(invalid.id.as_deref(), Some("x"));
        assert_eq!(invalid.echo.group.as_deref(), Some("g"));
        assert_eq!(invalid.echo.meta.unwrap().get(), "[1]");
        assert_eq!(id_of(line.as_bytes()).as_deref(), Some("x"));
    }
    assert_eq!(read(r#"{"id": "", "command": "a"}"#).unwrap_err().id, None);
}
