//! Episodes as JSON lines, and the same programs run outside for control.

use crate::common::{NOBODY, Run, Way, run};
use serde_json::{Value, json};
use std::process::Command;

/// An episode that runs a shell command.
pub fn shell(id: &str, command: &str) -> Value {
    json!({"id": id, "command": command})
}

/// An episode that runs a Python program.
pub fn python(id: &str, code: &str) -> Value {
    json!({"id": id, "argv": ["/usr/bin/python3", "-c", code]})
}

/// The same, with arguments.
pub fn python_with(id: &str, code: &str, arguments: &[&str]) -> Value {
    let mut episode = python(id, code);
    let argv = episode["argv"].as_array_mut().expect("an array");
    argv.extend(arguments.iter().map(|argument| (*argument).into()));
    episode
}

/// The same episode with further fields.
pub fn with(mut episode: Value, fields: Value) -> Value {
    let own = episode.as_object_mut().expect("an object");
    own.extend(fields.as_object().expect("an object").clone());
    episode
}

/// Without a warm Python unless the arguments ask for one: these runs are over before it is there, and a test of it
/// has to wait for it (`warm`).
pub fn run_all(way: Way, episodes: &[Value], args: &[&str]) -> Run {
    let lines: Vec<String> = episodes.iter().map(Value::to_string).collect();
    let warm: &[&str] = if args.contains(&"--warm") {
        &[]
    } else {
        &["--warm", "bash"]
    };
    run(way, &lines.join("\n"), &[warm, args].concat())
}

/// Runs episodes one after the other in the same slot, unless the slot has to be given up in between.
pub fn run_in_turn(way: Way, episodes: &[Value]) -> Run {
    run_all(way, episodes, &["--concurrency", "1", "--ordered"])
}

/// Runs one episode and returns its output.
#[track_caller]
pub fn output_of(way: Way, episode: &Value) -> String {
    let run = run_all(way, std::slice::from_ref(episode), &[]);
    let id = episode["id"].as_str().expect("an id");
    assert_ne!(run.status(id), "infra_error", "{way:?}: {}", run.get(id));
    run.output(id).to_owned()
}

/// The output of a program outside of any sandbox, run as this uid where we may choose.
pub fn outside(uid: u32, argv: &[&str]) -> String {
    let mut command = if uid != 0 && nix::unistd::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        let id = NOBODY.to_string();
        command
            .args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"])
            .args(argv);
        command
    } else {
        let mut command = Command::new(argv[0]);
        command.args(&argv[1..]);
        command
    };
    let output = command.output().expect("the control program starts");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Python: `call(number, …)` makes a raw system call and returns "ok" or the name of the error.
pub const RAW_CALLS: &str = include_str!("programs/raw_calls.py");
