//! Every way to get a line wrong, and what its sentence has to say.

/// Lines that are not episodes, with what their sentence must name: the field or the fault, and what to do.
pub const BAD: &[(&str, &[&str])] = &[
    // Not JSON, not an object.
    (
        "echo hi",
        &["not valid JSON", "write one JSON object per line"],
    ),
    (
        r#"{"command": "ec"#,
        &["ends in the middle of its JSON", "on one line"],
    ),
    (
        r#"{"command": "true"} {"command": "true"}"#,
        &["more text follows", "one episode per line"],
    ),
    (
        r#"["true"]"#,
        &[
            "an array, not an object",
            "write each episode as one object",
        ],
    ),
    (
        r#""true""#,
        &[
            "the string \"true\", not an object",
            "write each episode as one object",
        ],
    ),
    (
        "17",
        &["17, not an object", "write each episode as one object"],
    ),
    (
        "null",
        &["not an object", "write each episode as one object"],
    ),
    // Unknown fields.
    (
        r#"{"comand": "true"}"#,
        &["`comand`", "did you mean `command`?"],
    ),
    (
        r#"{"command": "true", "memory_mb": 5}"#,
        &["`memory_mb`", "it belongs in `resources`"],
    ),
    (
        r#"{"command": "true", "resources": {"memory": 5}}"#,
        &["`resources`", "memory", "did you mean `memory_mb`?"],
    ),
    (
        r#"{"steps": [{"argv": ["true"], "cwd": "/"}]}"#,
        &["`steps[0]`", "cwd", "did you mean `workdir`?"],
    ),
    (
        r#"{"command": "true", "command": "false"}"#,
        &["`command`", "is given twice", "keep one"],
    ),
    // Wrong types and values.
    (r#"{"command": 5}"#, &["`command` must be a string, not 5"]),
    (
        r#"{"argv": "true"}"#,
        &["`argv` must be an array of strings", "not the string"],
    ),
    (
        r#"{"argv": ["echo", 5]}"#,
        &["`argv[1]` must be a string, not 5"],
    ),
    (
        r#"{"command": "true", "timeout_s": "1"}"#,
        &["`timeout_s` must be a number, not the string"],
    ),
    (
        r#"{"command": "true", "timeout_s": 0}"#,
        &["`timeout_s` must be from 0.001 to 604800 seconds, not 0"],
    ),
    (
        r#"{"command": "true", "resources": {"memory_mb": 0.5}}"#,
        &["`resources.memory_mb`", "whole number"],
    ),
    (
        r#"{"command": "true", "env": {"A": 1}}"#,
        &["`env[\"A\"]` must be a string, not 1"],
    ),
    (
        r#"{"command": "true", "capture": "both"}"#,
        &["`capture` must be", "\"merged\" or \"split\""],
    ),
    (
        r#"{"command": "true", "stdin": {"base64": "?"}}"#,
        &["`stdin.base64`", "encode it again"],
    ),
    (
        r#"{"id": 7, "command": "true"}"#,
        &["`id` must be a string, not 7"],
    ),
    (
        r#"{"id": "", "command": "true"}"#,
        &["`id` is empty", "leave `id` out"],
    ),
    // What to run.
    (
        r#"{"command": "true", "argv": ["true"]}"#,
        &["`command` and `argv`", "keep one"],
    ),
    (
        r#"{"command": "true", "steps": [{"command": "true"}]}"#,
        &["`command` and `steps`", "keep one"],
    ),
    (
        r#"{"argv": ["true"], "steps": [{"command": "true"}]}"#,
        &["`argv` and `steps`", "keep one"],
    ),
    (
        r#"{"steps": [{"command": "true", "argv": ["true"]}]}"#,
        &["`steps[0]`", "`command` and `argv`", "keep one"],
    ),
    (
        r#"{"stdin": "x"}"#,
        &["nothing to run", "add `command`, `argv` or `steps`"],
    ),
    (
        r#"{"argv": []}"#,
        &["`argv` is empty", "name at least the program"],
    ),
    (
        r#"{"argv": [""]}"#,
        &["`argv[0]` is empty", "name the program"],
    ),
    (
        r#"{"steps": []}"#,
        &["`steps` is empty", "add at least one"],
    ),
    // NUL.
    (
        r#"{"command": "echo \u0000"}"#,
        &["`command` holds a NUL character", "remove it"],
    ),
    (
        r#"{"argv": ["echo", "a\u0000b"]}"#,
        &["`argv[1]` holds a NUL character", "remove it"],
    ),
    (
        r#"{"command": "true", "env": {"A": "\u0000"}}"#,
        &["`env[\"A\"]` holds a NUL character", "remove it"],
    ),
    (
        r#"{"command": "true", "files": {"a\u0000": ""}}"#,
        &["files", "holds a NUL character", "remove it"],
    ),
    (
        r#"{"command": "true", "workdir": "a\u0000"}"#,
        &["`workdir` holds a NUL character", "remove it"],
    ),
    // Paths that leave the sandbox, or that nobody may write.
    (
        r#"{"command": "true", "files": {"../a": ""}}"#,
        &[
            "`files[\"../a\"]` leaves the sandbox",
            "write an absolute path",
        ],
    ),
    (
        r#"{"command": "true", "files": {"a/../../b": ""}}"#,
        &["leaves the sandbox", "write an absolute path"],
    ),
    (
        r#"{"command": "true", "files": {"/../a": ""}}"#,
        &["leaves the sandbox", "remove the extra `..`"],
    ),
    (
        r#"{"command": "true", "files": {"/etc/passwd": ""}}"#,
        &[
            "`files[\"/etc/passwd\"]` is under /etc",
            "put the file under",
        ],
    ),
    (
        r#"{"command": "true", "workdir": "../../x"}"#,
        &["`workdir` leaves the sandbox", "write an absolute path"],
    ),
    (
        r#"{"steps": [{"command": "true", "workdir": "../x"}]}"#,
        &["`steps[0].workdir` leaves the sandbox"],
    ),
    (
        r#"{"command": "true", "collect": ["../*"]}"#,
        &["`collect[0]` holds `..`", "write an absolute pattern"],
    ),
    (
        r#"{"command": "true", "files": {"a": {"host_path": "/etc/hostname"}}}"#,
        &["host_path", "outside", "--allow-path"],
    ),
    (
        r#"{"command": "true", "files": {"a": {"host_path": "none"}}}"#,
        &["host_path", "no such file", "correct the path"],
    ),
    (
        r#"{"command": "true", "fs_readable": ["/var/log"]}"#,
        &["`fs_readable[0]`", "outside", "--allow-path"],
    ),
    // Networks.
    (
        r#"{"command": "true", "network": "host"}"#,
        &[
            "`network` asks for the host's network",
            "--allow-host-network",
        ],
    ),
    (
        r#"{"command": "true", "network": "lan"}"#,
        &["`network` must be", "not \"lan\""],
    ),
];
