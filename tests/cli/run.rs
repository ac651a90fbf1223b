//! `runner run`: one program, shown while it runs.

use super::common::{Way, command, scratch};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

fn runner(way: Way, args: &[&str]) -> Command {
    let mut command = command(way.root);
    command.args(["run", "--isolation", way.tier]).args(args);
    command.stdin(Stdio::null());
    command
}

/// Exit code, stdout and stderr.
fn ran(mut command: Command) -> (i32, String, String) {
    let output = command.output().expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let code = output.status.code().expect("it exits");
    (code, text(output.stdout), text(output.stderr))
}

#[test]
fn output_comes_while_the_program_runs_each_stream_for_itself_and_it_exits_as_the_program_does() {
    for way in Way::all() {
        let script = "echo first; echo aside >&2; sleep 60 & wait; echo never";
        let mut command = runner(way, &["--", "bash", "-c", script]);
        let started = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = started.expect("the binary starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        stdout.read_line(&mut line).expect("a line");
        assert_eq!(line, "first\n", "{way:?}");
        assert_eq!(child.try_wait().expect("a child"), None, "{way:?}");
        child.kill().expect("it is killed");
        child.wait().expect("it ends");

        let script = "echo $A; pwd; echo aside >&2; exit 7";
        let with = ["-e", "A=b c", "-w", "/tmp/x", "sh", "-c", script];
        let (code, stdout, stderr) = ran(runner(way, &with));
        assert_eq!((code, &*stderr), (7, "aside\n"), "{way:?}");
        let lines: Vec<&str> = stdout.lines().collect();
        assert_eq!((lines.len(), lines[0]), (2, "b c"), "{way:?}");
        assert!(lines[1].ends_with("/tmp/x"), "{way:?}: {stdout}");
    }
}

#[test]
fn what_the_exit_code_can_not_say_is_said_once_on_stderr() {
    for (args, code, said) in [
        (
            &["--timeout-s", "0.2", "sleep", "9"][..],
            124,
            "runner: timeout: its time was over\n",
        ),
        (&["--", "sh", "-c", "kill -9 $$"], 137, ""),
        (
            &["nosuch"],
            2,
            "runner: invalid: the command line: `argv`: \"nosuch\": no such program on the sandbox's PATH; install it on the \
             host, or give its full path (No such file or directory (os error 2))\n",
        ),
        (
            &["--env", "A", "true"],
            2,
            "runner: --env \"A\" sets no variable; write NAME=VALUE\n",
        ),
        (
            &["--network", "moon", "true"],
            2,
            "runner: `network` must be \"none\", \"loopback\" or \"host\", not \"moon\"\n",
        ),
    ] {
        let way = Way::all()[0];
        assert_eq!(ran(runner(way, args)), (code, String::new(), said.into()));
    }
}

#[test]
fn the_verdict_is_the_result_that_a_job_would_have() {
    let way = Way::all()[0];
    let (code, stdout, stderr) = ran(runner(way, &["--verdict", "sh", "-c", "echo a; exit 3"]));
    let verdict: Value = serde_json::from_str(&stderr).expect("a line of JSON");
    assert_eq!((code, &*stdout), (3, "a\n"));
    let has = |field: &str, value: Value| assert_eq!(verdict[field], value, "{field}");
    has("status", json!("failed"));
    has("output", json!("a\n"));
    has("exit_code", json!(3));
    assert!(verdict["sandbox"]["tier"].is_string());
}

#[test]
fn stdin_is_given_when_it_is_asked_for_and_nothing_of_it_otherwise() {
    let way = Way::all()[0];
    for (args, expected) in [(&["-i", "cat"][..], "typed"), (&["cat"], "")] {
        let mut command = runner(way, args);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.spawn().expect("the binary starts");
        // Who has no use for it may have closed it.
        let _ = child.stdin.take().expect("piped").write_all(b"typed");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    }
}

#[test]
fn a_flood_arrives_whole_and_a_reader_that_has_had_enough_ends_it() {
    for way in Way::all() {
        let (code, stdout, _) = ran(runner(way, &["head", "-c", "20000000", "/dev/zero"]));
        assert_eq!((code, stdout.len()), (0, 20_000_000), "{way:?}");

        let mut command = runner(way, &["yes"]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut some = [0; 4];
        let mut stdout = child.stdout.take().expect("piped");
        stdout.read_exact(&mut some).expect("output");
        drop(stdout);
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(130), "{way:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn a_slow_reader_holds_up_nobody_and_gets_all_of_it() {
    for way in Way::all() {
        let script = "head -c 3000000 /dev/zero; echo done >&2";
        let mut command = runner(
            way,
            &["--timeout-s", "5", "--stretch", "1", "sh", "-c", script],
        );
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        // The program has ended when this comes, though nobody has read what it printed before.
        let mut said = String::new();
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        stderr.read_line(&mut said).expect("a line");
        assert_eq!(said, "done\n", "{way:?}");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(0), 3_000_000),
            "{way:?}"
        );
    }
}

#[test]
fn output_that_can_not_be_written_is_no_success_however_late_that_shows() {
    let way = Way::all()[0];
    let mut command = runner(way, &["head", "-c", "100000", "/dev/zero"]);
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("a full device");
    let (code, _, said) = ran({
        command.stdout(full);
        command
    });
    assert_eq!(code, 130);
    assert!(
        said.starts_with("runner: what the program prints can't be written: "),
        "{said}"
    );
}

#[test]
fn what_the_machine_or_the_line_lacks_is_told_apart_as_in_a_job() {
    let directory = scratch();
    std::os::unix::fs::symlink("/etc", directory.path().join("out")).unwrap();
    let line = json!({"id": "a", "argv": ["true"], "files": {"d": {"host_path": "."}}});
    fs::write(directory.path().join("jobs.jsonl"), line.to_string()).unwrap();
    let mut command = runner(Way::all()[0], &["--jobs", "jobs.jsonl", "--id", "a"]);
    command.current_dir(directory.path());
    let (code, _, said) = ran(command);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.starts_with("runner: invalid: jobs.jsonl line 1: `files`: "),
        "{said}"
    );
}

#[test]
fn an_episode_of_a_jobs_file_is_found_by_its_id_and_all_its_steps_are_shown() {
    let way = Way::all()[0];
    let directory = scratch();
    let steps = [
        json!({"command": "echo one"}),
        json!({"argv": ["sh", "-c", "echo two; exit 4"]}),
    ];
    let lines = [
        json!({"id": "a", "command": "echo wrong"}),
        json!({"id": "b", "steps": steps}),
        json!({"id": "c"}),
    ];
    let text = lines.map(|line| line.to_string()).join("\n");
    fs::write(directory.path().join("jobs.jsonl"), text).unwrap();
    let with = |id: &str| {
        let mut command = runner(way, &["--jobs", "jobs.jsonl", "--id", id]);
        command.current_dir(directory.path());
        ran(command)
    };
    assert_eq!(with("b"), (4, "one\ntwo\n".into(), String::new()));
    let (code, _, said) = with("c");
    assert_eq!(code, 2);
    assert!(
        said.starts_with("runner: jobs.jsonl line 3: the episode has nothing to run"),
        "{said}"
    );
    let (code, _, said) = with("d");
    assert_eq!(code, 2);
    assert!(
        said.starts_with("runner: the jobs files have no episode \"d\"; "),
        "{said}"
    );
}
