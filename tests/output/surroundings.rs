//! What a program finds: its input, environment and working directory.

use super::{assert_ok, everywhere};
use crate::common::Way;
use base64::Engine;
use serde_json::{Value, json};

#[test]
fn stdin_arrives_whole_and_nobody_has_to_read_it() {
    let large = "0123456789abcdef".repeat(5 << 16);
    let bytes = base64::engine::general_purpose::STANDARD.encode([0u8, 255, 10, 128]);
    let episodes = [
        json!({"id": "large", "argv": ["wc", "-c"], "stdin": large}),
        json!({"id": "unread", "command": "echo done", "stdin": large}),
        json!({"id": "half-read", "command": "head -c 3; echo", "stdin": large}),
        json!({"id": "closed", "command": "exec 0<&-; sleep 0.2; echo done", "stdin": large}),
        json!({"id": "bytes", "argv": ["od", "-An", "-tx1"], "stdin": {"base64": bytes}}),
        json!({"id": "empty", "argv": ["wc", "-c"]}),
        json!({"id": "echo", "argv": ["cat"], "stdin": large, "resources": {"output_kb": 6000}}),
    ];
    everywhere(&episodes, |way, run| {
        for (id, output) in [
            ("large", "5242880\n"),
            ("unread", "done\n"),
            ("half-read", "012\n"),
            ("closed", "done\n"),
            ("bytes", " 00 ff 0a 80\n"),
            ("empty", "0\n"),
        ] {
            assert_ok(way, run, id);
            assert_eq!(run.output(id), output, "{way:?} {id}");
        }
        assert_ok(way, run, "echo");
        assert!(
            run.output("echo") == large,
            "{way:?}: {} bytes came back",
            run.output("echo").len()
        );
    });
}

#[test]
fn the_environment_is_a_clean_base_and_what_the_episode_adds() {
    let episodes = [
        json!({"id": "base", "argv": ["env"]}),
        json!({"id": "added", "argv": ["env"], "env": {"A": "b c=d", "HOME": "/tmp", "EMPTY": ""}}),
    ];
    for way in Way::all() {
        let directory = crate::common::scratch();
        std::fs::write(directory.path().join("jobs.jsonl"), super::lines(&episodes))
            .expect("write jobs");
        let mut command = crate::common::command(way.root);
        command.args(way.arguments()).current_dir(directory.path());
        let output = command
            .env("SECRET_TOKEN", "hunter2")
            .env("LD_PRELOAD_X", "1")
            .output()
            .expect("the binary starts");
        let run = crate::common::parse(output);
        let names = |id: &str| -> Vec<String> {
            let mut names: Vec<_> = run
                .output(id)
                .lines()
                .filter_map(|line| Some(line.split_once('=')?.0.to_owned()))
                .collect();
            names.sort();
            names
        };
        assert_eq!(
            names("base"),
            ["HOME", "LANG", "LSAN_OPTIONS", "PATH", "TMPDIR", "USER"],
            "{way:?}"
        );
        assert_eq!(
            names("added"),
            [
                "A",
                "EMPTY",
                "HOME",
                "LANG",
                "LSAN_OPTIONS",
                "PATH",
                "TMPDIR",
                "USER"
            ],
            "{way:?}"
        );
        for line in ["A=b c=d", "HOME=/tmp", "EMPTY="] {
            assert!(
                run.output("added").lines().any(|l| l == line),
                "{way:?}: {line} is not in {}",
                run.output("added")
            );
        }
    }
}

#[test]
fn the_working_directory_is_made_when_it_is_missing() {
    let mut episodes: Vec<Value> = vec![
        json!({"id": "default", "command": "pwd; echo x > f"}),
        json!({"id": "deep", "command": "pwd; echo x > f; cat data", "workdir": "/workspace/a/b", "files": {"data": "here\n"}}),
        json!({"id": "tmp", "command": "pwd; echo x > f", "workdir": "/tmp/t"}),
    ];
    everywhere(&episodes, |way, run| {
        for (id, end) in [
            ("default", "/workspace\n"),
            ("deep", "/workspace/a/b\nhere\n"),
            ("tmp", "/tmp/t\n"),
        ] {
            assert_ok(way, run, id);
            let output = run.output(id);
            assert!(
                if way.namespaces() {
                    output == end
                } else {
                    output.ends_with(end)
                },
                "{way:?}: {output}"
            );
        }
    });
    // One slot after the other: where one may write does not depend on who was there before.
    let refused = "mkdir /app /made 2> errors; ls -d /app /made 2>&1 | grep -c 'No such'";
    episodes = vec![
        json!({"id": "before", "argv": ["bash", "-c", refused]}),
        json!({"id": "app", "command": "pwd; echo x > f; cat f data", "workdir": "/app", "files": {"data": "here\n"}}),
        json!({"id": "next", "argv": ["bash", "-c", refused]}),
        json!({"id": "warm", "command": refused}),
    ];
    for way in Way::of_tier("namespaces") {
        let run = crate::common::run(
            way,
            &super::lines(&episodes),
            &["--concurrency", "1", "--ordered"],
        );
        assert_ok(way, &run, "app");
        assert_eq!(run.output("app"), "/app\nx\nhere\n", "{way:?}");
        for id in ["before", "next", "warm"] {
            assert_eq!(run.output(id), "2\n", "{way:?}: {id}");
        }
    }
    for way in Way::of_tier("landlock") {
        let run = crate::common::run(way, &super::lines(&episodes), &[]);
        assert_eq!(run.status("app"), "invalid", "{way:?}");
        assert!(
            run.error("app").contains("workdir") && run.error("app").contains("/workspace"),
            "{}",
            run.error("app")
        );
    }
}
