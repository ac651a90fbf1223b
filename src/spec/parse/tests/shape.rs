//! Lines that are not JSON, or not of the shape of an episode.

use super::{context, flaw, flaw_with};
use crate::spec::field::Field;
use crate::spec::fields::{EPISODE, EXEC, START, STEP};
use crate::spec::parse::{parse_exec, parse_start};
use serde_json::json;

#[test]
fn what_is_not_a_json_object_says_what_it_is() {
    for (line, message) in [
        (
            "hello",
            "the line is not valid JSON at column 1: expected value; write one JSON object per line",
        ),
        (
            r#"{"command": "x""#,
            "the line ends in the middle of its JSON; write each episode whole, on one line",
        ),
        (
            r#"{"command": "x"} {"#,
            "more text follows the JSON at column 18; write one episode per line",
        ),
        (
            "[1, 2]",
            "the line holds an array, not an object; write each episode as one object on its own line",
        ),
        (
            "\"x\"",
            "the line holds the string \"x\", not an object; write each episode as one object on its own line",
        ),
        (
            "12",
            "the line holds 12, not an object; write each episode as one object on its own line",
        ),
    ] {
        assert_eq!(flaw(line), message);
    }
}

#[test]
fn nan_and_infinity_are_named_with_the_field_that_holds_them() {
    for (line, message) in [
        (
            r#"{"command": "x", "meta": {"loss": [0.5, NaN]}}"#,
            "`meta.loss[1]` is NaN, which JSON does not have; write null, or a string",
        ),
        (
            r#"{"command": "x", "timeout_s": Infinity}"#,
            "`timeout_s` is Infinity, which JSON does not have; write null or a finite number",
        ),
        (
            r#"{"command": "x", "resources": {"cpu_time_s": -Infinity}}"#,
            "`resources.cpu_time_s` is -Infinity, which JSON does not have; write null or a finite number",
        ),
        (
            r#"{"steps": [{"command": "x"}, {"command": "x", "timeout_s": NaN}]}"#,
            "`steps[1].timeout_s` is NaN, which JSON does not have; write null or a finite number",
        ),
        (
            r#"{"command": "x", "env": {"timeout_s": NaN}}"#,
            "`env.timeout_s` is NaN, which JSON does not have; write a string",
        ),
        (
            r#"{"command": "x", "extra": NaN}"#,
            "`extra` is NaN, which JSON does not have; write what JSON has",
        ),
        (
            "NaN",
            "the line is NaN, which JSON does not have; write each episode as one object on its own line",
        ),
    ] {
        assert_eq!(flaw(line), message);
    }
}

#[test]
fn the_path_to_a_nan_is_cut_short_where_the_message_would_drown_in_it() {
    let key = "é".repeat(50);
    let nested = format!("{{\"{key}\":").repeat(100);
    let message = flaw(format!("{{\"meta\": {nested}NaN"));
    assert!(message.starts_with("`meta.ééé"), "{message}");
    assert!(message.contains("ééé` is NaN, which JSON"), "{message}");
    assert!(message.chars().count() < 400, "{message}");
    let deep = flaw(format!("{{\"meta\": {}NaN", "[".repeat(1_000_000)));
    assert!(deep.len() < 400, "{} bytes", deep.len());
}

#[test]
fn an_array_is_never_taken_for_an_object() {
    assert!(flaw(r#"[null,"true",null,null,null,null,null,null,null,null,null,null,null,null,null,null,null]"#).contains("array"));
    assert_eq!(
        flaw_with(json!({"resources": [1, 1, 1, 1, 1, 1]})),
        "`resources` must be an object, not an array"
    );
    assert_eq!(
        flaw(r#"{"steps": [["a"]]}"#),
        "`steps[0]` must be an object, not an array"
    );
}

#[test]
fn an_unknown_field_is_named_with_the_one_it_was_meant_to_be() {
    for (fields, message) in [
        (
            json!({"timeout": 5}),
            "unknown field `timeout` in the episode; did you mean `timeout_s`?",
        ),
        (
            json!({"comand": "x"}),
            "unknown field `comand` in the episode; did you mean `command`?",
        ),
        (
            json!({"cwd": "/"}),
            "unknown field `cwd` in the episode; did you mean `workdir`?",
        ),
        (
            json!({"memory_mb": 5}),
            "unknown field `memory_mb` in the episode; it belongs in `resources`",
        ),
        (
            json!({"on_failure": "stop"}),
            "unknown field `on_failure` in the episode; it belongs in a step of `steps`",
        ),
        (
            json!({"score": 1}),
            "unknown field `score` in the episode; remove it, or keep extra data in the episode's `meta`",
        ),
        (
            json!({"resources": {"memory": 1}}),
            "unknown field `memory` in `resources`; did you mean `memory_mb`?",
        ),
        (
            json!({"steps": [{"group": "x"}]}),
            "unknown field `group` in `steps[0]`; it belongs at the top of the episode",
        ),
        (
            json!({"files": {"a": {"bas64": ""}}}),
            "unknown field `bas64` in `files[\"a\"]`; did you mean `base64`?",
        ),
    ] {
        assert_eq!(flaw_with(fields), message);
    }
}

#[test]
fn a_wrong_type_names_its_field_however_deep() {
    for (fields, message) in [
        (json!({"id": 7}), "`id` must be a string, not 7"),
        (
            json!({"argv": "ls"}),
            "`argv` must be an array of strings, not the string \"ls\"",
        ),
        (
            json!({"argv": ["ls", 1]}),
            "`argv[1]` must be a string, not 1",
        ),
        (
            json!({"timeout_s": "5"}),
            "`timeout_s` must be a number, not the string \"5\"",
        ),
        (
            json!({"resources": {"memory_mb": 1.5}}),
            "`resources.memory_mb` must be a whole number of 0 or more, not 1.5",
        ),
        (
            json!({"resources": {"memory_mb": 512.5}}),
            "`resources.memory_mb` must be a whole number of 0 or more, not 512.5",
        ),
        (
            json!({"resources": {"processes": 1e300}}),
            "`resources.processes` must be a whole number of 0 or more, not 1e+300",
        ),
        (
            json!({"resources": {"processes": -1}}),
            "`resources.processes` must be a whole number of 0 or more, not -1",
        ),
        (
            json!({"steps": [{}, {"timeout_s": true}]}),
            "`steps[1].timeout_s` must be a number, not true",
        ),
        (
            json!({"files": {"a.py": 1}}),
            "`files[\"a.py\"]` must be a string, {\"base64\": …} or {\"host_path\": …}, not 1",
        ),
        (
            json!({"files": {"a": {"mode": 755}}}),
            "`files[\"a\"].mode` must be a string, not 755",
        ),
        (
            json!({"env": {"PATH": null}}),
            "`env[\"PATH\"]` must be a string, not null",
        ),
        (json!({"stdin": {}}), "`stdin` lacks its `base64`; add it"),
        (
            json!({"stdin": {"base64": null}}),
            "`stdin.base64` must be a string, not null",
        ),
        (
            json!({"collect": "*"}),
            "`collect` must be an array of strings, not the string \"*\"",
        ),
        (
            json!({"fs_readable": [{}]}),
            "`fs_readable[0]` must be a string, not an object",
        ),
    ] {
        assert_eq!(flaw_with(fields), message);
    }
    let message = flaw(r#"{"command": "\ud800"}"#);
    assert!(
        message.starts_with("`command` is not a valid string: "),
        "{message}"
    );
}

#[test]
fn a_field_given_twice_is_named() {
    for (line, message) in [
        (
            r#"{"command": "a", "command": "b"}"#,
            "`command` is given twice; keep one of them",
        ),
        (
            r#"{"command": "a", "resources": {"disk_mb": 1, "disk_mb": 1}}"#,
            "`resources.disk_mb` is given twice; keep one of them",
        ),
        (
            r#"{"command": "a", "env": {"A": "1", "A": "2"}}"#,
            "`env[\"A\"]` is given twice; keep one of them",
        ),
        (
            r#"{"command": "a", "files": {"a": "1", "./a": "2"}}"#,
            "`files` names \"/workspace/a\" twice; keep one of them",
        ),
    ] {
        assert_eq!(flaw(line), message);
    }
}

#[test]
fn a_name_with_a_broken_escape_is_placed() {
    for (line, message) in [
        (
            r#"{"id\ud83dU": "0"}"#,
            "a field name in the episode is not",
        ),
        (
            r#"{"env": {"\ud800": "0"}}"#,
            "a field name in `env` is not",
        ),
    ] {
        let found = flaw(line);
        assert!(found.starts_with(message), "{found}");
    }
}

/// A request with this one field, which is not set.
fn request_with(name: &str) -> String {
    format!("{{{name:?}: null, \"command\": \"true\"}}")
}

#[test]
fn requests_have_the_fields_of_their_tables_and_no_others() {
    let names = |fields: &[&Field]| fields.iter().map(|field| field.name).collect::<Vec<_>>();
    for name in names(START) {
        let read = parse_start(&format!("{{{name:?}: null}}"), &context());
        assert!(read.is_ok(), "{name}: {read:?}");
    }
    let start = parse_start("{}", &context()).unwrap();
    let exec = |line: &str| parse_exec(line, &start.defaults, &context());
    for name in names(EXEC) {
        let line = match name {
            "command" => "{\"command\": \"true\"}".to_owned(),
            name => request_with(name),
        };
        assert!(exec(&line).is_ok(), "{name}");
    }
    for name in names(STEP)
        .iter()
        .filter(|name| !names(EXEC).contains(name))
    {
        let said = exec(&request_with(name)).unwrap_err();
        assert!(
            said.starts_with(&format!("unknown field `{name}` in ")),
            "{said}"
        );
    }
    for name in names(EPISODE)
        .iter()
        .filter(|name| !names(START).contains(name))
    {
        let said = parse_start(&format!("{{{name:?}: null}}"), &context()).unwrap_err();
        assert!(
            said.starts_with(&format!("unknown field `{name}` in ")),
            "{said}"
        );
    }
}

#[test]
fn no_field_of_a_request_is_given_twice() {
    for (line, name) in [
        ("{\"id\":1,\"id\":2}", "id"),
        ("{\"wait_s\":1,\"env\":{},\"wait_s\":1}", "wait_s"),
        ("{\"env\":{},\"env\":{}}", "env"),
    ] {
        let said = parse_start(line, &context()).unwrap_err();
        assert_eq!(said, format!("`{name}` is given twice; keep one of them"));
    }
}
