//! Values that are of the right type and still mean nothing.

use super::super::id_of;
use super::{flaw, flaw_with, ok, read};
use serde_json::{Value, json};

#[test]
fn exactly_one_of_command_argv_and_steps_is_wanted() {
    for (line, message) in [
        (
            json!({}),
            "the episode has nothing to run; add `command`, `argv` or `steps`",
        ),
        (
            json!({"command": "a", "argv": ["a"]}),
            "the episode has both `command` and `argv`; keep one of them",
        ),
        (
            json!({"command": "a", "steps": []}),
            "the episode has both `command` and `steps`; keep one of them",
        ),
        (
            json!({"argv": ["a"], "steps": []}),
            "the episode has both `argv` and `steps`; keep one of them",
        ),
        (
            json!({"argv": []}),
            "`argv` is empty; name at least the program",
        ),
        (
            json!({"argv": [""]}),
            "`argv[0]` is empty; name the program to run",
        ),
        (
            json!({"steps": []}),
            "`steps` is empty; add at least one step",
        ),
        (
            json!({"steps": [{"command": "a"}, {}]}),
            "`steps[1]` has nothing to run; add `command` or `argv`",
        ),
        (
            json!({"steps": [{"command": "a", "argv": ["a"]}]}),
            "`steps[0]` has both `command` and `argv`; keep one of them",
        ),
        (
            json!({"steps": [{"argv": []}]}),
            "`steps[0].argv` is empty; name at least the program",
        ),
        (
            json!({"steps": [{"command": "a"}], "stdin": "x"}),
            "`stdin` does not go with `steps`; move it into the step that reads it",
        ),
    ] {
        assert_eq!(flaw(line.to_string()), message);
    }
}

#[test]
fn a_nul_is_refused_wherever_the_kernel_would_see_it() {
    for (line, field) in [
        (json!({"command": "a\0"}), "command"),
        (json!({"argv": ["a", "\0"]}), "argv[1]"),
        (json!({"command": "a", "env": {"A": "\0"}}), "env[\"A\"]"),
        (json!({"command": "a", "workdir": "\0"}), "workdir"),
        (
            json!({"command": "a", "files": {"\0": ""}}),
            "files[\"\\u0000\"]",
        ),
        (json!({"command": "a", "collect": ["\0"]}), "collect[0]"),
        (json!({"steps": [{"command": "\0"}]}), "steps[0].command"),
    ] {
        let message = flaw(line.to_string());
        assert!(
            message.starts_with(&format!("`{field}` holds a NUL")),
            "{message}"
        );
    }
    ok(json!({"command": "a", "stdin": "\0", "files": {"a": "\0"}}));
}

#[test]
fn numbers_out_of_range_say_the_range() {
    for (fields, message) in [
        (
            json!({"timeout_s": 0}),
            "`timeout_s` must be from 0.001 to 604800 seconds, not 0",
        ),
        (
            json!({"timeout_s": 1e300}),
            "`timeout_s` must be from 0.001 to 604800 seconds, not 1",
        ),
        (
            json!({"resources": {"cpu_time_s": 0.001}}),
            "`resources.cpu_time_s` must be from 0.01 to 604800 seconds, not 0.001",
        ),
        (
            json!({"resources": {"memory_mb": 0}}),
            "`resources.memory_mb` must be a whole number from 1 to 1048576, not 0",
        ),
        (
            json!({"resources": {"processes": 65537}}),
            "`resources.processes` must be a whole number from 1 to 65536, not 65537",
        ),
        (
            json!({"resources": {"disk_mb": 1048577}}),
            "`resources.disk_mb` must be a whole number from 1 to 1048576, not 1048577",
        ),
        (
            json!({"resources": {"open_files": 7}}),
            "`resources.open_files` must be a whole number from 8 to 1048576, not 7",
        ),
        (
            json!({"resources": {"output_kb": 262145}}),
            "`resources.output_kb` must be a whole number from 0 to 262144, not 262145",
        ),
        (
            json!({"resources": {"stack_mb": 0}}),
            "`resources.stack_mb` must be a whole number from 1 to 1048576, not 0",
        ),
    ] {
        let found = flaw_with(fields);
        assert!(found.starts_with(message), "{found}");
    }
    assert_eq!(
        flaw(r#"{"command": "a", "timeout_s": 1e999}"#),
        "`timeout_s` must be a number, not 1e999"
    );
}

/// Fields that mean nothing, and how what is said of them begins.
fn meaningless() -> [(Value, &'static str); 9] {
    [
        (
            json!({"id": ""}),
            "`id` is empty; name the episode, or leave `id` out",
        ),
        (
            json!({"id": "a\nb"}),
            "`id` holds a control character (\"a\\nb\"); remove it",
        ),
        (
            json!({"id": "x".repeat(513)}),
            "`id` is 513 bytes long; shorten it to at most 512",
        ),
        (
            json!({"output_keep": "middle"}),
            "`output_keep` must be \"ends\", \"head\" or \"tail\", not \"middle\"",
        ),
        (
            json!({"capture": "both"}),
            "`capture` must be \"merged\" or \"split\", not \"both\"",
        ),
        (
            json!({"network": "lan"}),
            "`network` must be \"none\", \"loopback\" or \"host\", not \"lan\"",
        ),
        (
            json!({"network": "host"}),
            "`network` asks for the host's network; start the runner with --allow-host-network",
        ),
        (
            json!({"env": {"": "1"}}),
            "`env[\"\"]` is not a name the kernel takes",
        ),
        (
            json!({"env": {"A=B": "1"}}),
            "`env[\"A=B\"]` is not a name the kernel takes",
        ),
    ]
}

/// The same of fields that hold or name files, and of a command that is too long.
fn meaningless_content() -> [(Value, &'static str); 11] {
    [
        (
            json!({"stdin": {"base64": "?"}}),
            "`stdin.base64` is not standard base64",
        ),
        (
            json!({"files": {"a": {"base64": "?"}}}),
            "`files[\"a\"].base64` is not standard base64",
        ),
        (
            json!({"files": {"a": {"base64": "", "host_path": "x"}}}),
            "`files[\"a\"]` has both",
        ),
        (
            json!({"files": {"a": {"mode": "0644"}}}),
            "`files[\"a\"]` has no content",
        ),
        (
            json!({"files": {"a": {"base64": "", "mode": "4755"}}}),
            "`files[\"a\"].mode` is \"4755\", with setuid",
        ),
        (
            json!({"files": {"a": {"base64": "", "mode": "75"}}}),
            "`files[\"a\"].mode` must be three or four octal digits",
        ),
        (
            json!({"files": {"a": {"base64": "", "mode": "+755"}}}),
            "`files[\"a\"].mode` must be three or four octal digits",
        ),
        (json!({"collect": [""]}), "`collect[0]` is empty"),
        (json!({"collect": ["a/../b"]}), "`collect[0]` holds `..`"),
        (
            json!({"collect": ["[a"]}),
            "`collect[0]` is not a valid pattern",
        ),
        (
            json!({"command": "x".repeat(131_072)}),
            "`command` is 131072 bytes long, but the kernel takes at most 131071",
        ),
    ]
}

#[test]
fn values_that_mean_nothing_are_refused_with_what_would() {
    for (fields, message) in meaningless().into_iter().chain(meaningless_content()) {
        let found = flaw_with(fields);
        assert!(found.starts_with(message), "{found}");
    }
    let line = json!({"steps": [{"command": "a", "on_failure": "retry"}]}).to_string();
    assert_eq!(
        flaw(line),
        "`steps[0].on_failure` must be \"stop\" or \"continue\", not \"retry\""
    );
}

#[test]
fn paths_that_leave_the_sandbox_are_refused() {
    for (fields, message) in [
        (
            json!({"files": {"../x": ""}}),
            "`files[\"../x\"]` leaves the sandbox",
        ),
        (
            json!({"files": {"/../x": ""}}),
            "`files[\"/../x\"]` leaves the sandbox",
        ),
        (
            json!({"files": {"/etc/passwd": ""}}),
            "`files[\"/etc/passwd\"]` is under /etc, which is read-only",
        ),
        (
            json!({"files": {"x": ""}, "workdir": "/usr"}),
            "`files[\"x\"]` is under /usr",
        ),
        (
            json!({"files": {"d/": ""}}),
            "`files[\"d/\"]` names a directory",
        ),
        (json!({"workdir": "../x"}), "`workdir` leaves the sandbox"),
        (json!({"workdir": ""}), "`workdir` is an empty path"),
    ] {
        let found = flaw_with(fields);
        assert!(found.starts_with(message), "{found}");
    }
    assert_eq!(
        ok(json!({"command": "a", "workdir": "/usr/../proc"}))
            .sandbox
            .workdir,
        "/proc"
    );
}

#[test]
fn invalid_utf8_says_at_which_byte_and_keeps_the_id() {
    let line = b"{\"id\": \"x\", \"group\": \"\xFF\", \"command\": \"a\"}";
    let invalid = read(line).unwrap_err();
    assert!(
        invalid
            .message
            .starts_with("the line is not valid UTF-8 at byte 23;"),
        "{invalid}"
    );
    assert_eq!(invalid.id.as_deref(), Some("x"));
    assert_eq!(invalid.echo.group, None);
}

#[test]
fn a_line_that_would_grow_beyond_reason_is_refused() {
    let braces = "{".repeat(100_000) + &"}".repeat(100_000);
    let deep = "{".repeat(65) + &"}".repeat(65);
    for (collect, message) in [
        (braces, "`collect[0]` is 200000 bytes long;"),
        (deep, "`collect[0]` holds more than 64 `{`;"),
    ] {
        let found = flaw_with(json!({"collect": [collect]}));
        assert!(found.starts_with(message), "{found}");
    }
    let steps = vec![json!({"argv": ["a"]}); 10_001];
    assert_eq!(ok(json!({"steps": steps[1..]})).steps.len(), 10_000);
    let found = flaw(json!({"steps": steps}).to_string());
    assert!(found.starts_with("`steps` has 10001 steps;"), "{found}");
    let env = json!({"A": "a".repeat(100_000)});
    let found = flaw(json!({"steps": steps[1..], "env": env}).to_string());
    assert!(
        found.starts_with("`env` goes to each of 10000 steps"),
        "{found}"
    );
}

#[test]
fn a_message_is_one_line_whatever_it_quotes() {
    let found = flaw_with(json!({"workdir": "/a\nb", "files": {"../x": ""}}));
    assert!(found.contains("(/a\\nb)"), "{found}");
}

#[test]
fn a_line_that_is_not_utf8_has_one_id_in_every_shard() {
    let line = b"{\"id\": \"a\xEF\xBF\xBDb\", \"command\": \"\xFF\"}";
    assert_eq!(read(line).unwrap_err().id, id_of(line));
}
