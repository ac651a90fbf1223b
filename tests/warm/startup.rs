//! Start-up files of the host that a fork could not repeat: then every command starts a bash of its own.

use crate::common::equivalence::assert_same;
use crate::common::{Run, binary, parse, scratch};
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Stdio};

/// Runs episodes on a host with this file in /etc/profile.d. Needs root, to mount it there. None without.
fn with_profile(script: &str, episodes: &[Value], warm: &str) -> Option<Run> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root can lay a file over /etc/profile.d");
        return None;
    }
    let directory = scratch();
    let profiles = directory.path().join("profile.d");
    fs::create_dir(&profiles).unwrap();
    fs::write(profiles.join("test.sh"), script).unwrap();
    let lines: Vec<String> = episodes.iter().map(Value::to_string).collect();
    fs::write(directory.path().join("jobs.jsonl"), lines.join("\n")).unwrap();
    let output = Command::new("unshare")
        .args([
            "--mount",
            "sh",
            "-c",
            "mount --bind profile.d /etc/profile.d && exec \"$@\"",
            "sh",
        ])
        .arg(binary())
        .args([
            "--jobs",
            "jobs.jsonl",
            "--concurrency",
            "1",
            "--ordered",
            "--warm",
            warm,
        ])
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .output()
        .expect("unshare starts");
    Some(parse(output))
}

/// The same episodes cold and warm; the warm run's results, where this can be tried.
#[track_caller]
fn same(script: &str, episodes: &[Value]) -> Option<Run> {
    let (cold, warm) = (
        with_profile(script, episodes, "none")?,
        with_profile(script, episodes, "bash")?,
    );
    assert_same(script, &cold, &warm, str::to_owned);
    Some(warm)
}

fn command(id: &str, line: &str) -> Value {
    json!({"id": id, "command": line})
}

#[test]
fn what_they_define_is_there() {
    let script = include_str!("programs/profile.sh");
    let line = "greet; alias; shopt nullglob; echo $PATH; pwd; echo $# $1; umask; echo $GREETING";
    if let Some(warm) = same(script, &[command("a", line), command("b", line)]) {
        assert_eq!(warm.get("b")["start"], "warm-bash");
    }
}

#[test]
fn the_directory_they_change_to_is_where_commands_start() {
    if let Some(warm) = same("cd /tmp\n", &[command("a", "pwd; echo $OLDPWD")]) {
        assert_eq!(warm.get("a")["start"], "exec");
    }
}

#[test]
fn what_they_print_is_part_of_every_output() {
    let episodes = [command("a", "echo own"), command("b", "echo own")];
    for script in [
        "echo welcome\n",
        "echo complaint >&2\n",
        "nonexistent-command\n",
    ] {
        if let Some(warm) = same(script, &episodes) {
            assert_eq!(warm.get("b")["start"], "exec", "{script}");
        }
    }
}

#[test]
fn a_variable_that_they_read_is_there_when_they_run() {
    let script = "case \"$MODE\" in fast) SPEED=9;; *) SPEED=1;; esac\n";
    let with =
        |id: &str, env: Value| json!({"id": id, "command": "echo $SPEED $OTHER", "env": env});
    let episodes = [
        with("read", json!({"MODE": "fast"})),
        with("unread", json!({"OTHER": "x"})),
    ];
    if let Some(warm) = same(script, &episodes) {
        assert_eq!(warm.output("read"), "9\n");
        assert_eq!(warm.get("read")["start"], "exec");
        assert_eq!(warm.get("unread")["start"], "warm-bash");
    }
}

#[test]
fn limits_that_they_set_hold() {
    let episodes = [command("a", "ulimit -n; ulimit -f")];
    if let Some(warm) = same("ulimit -n 77 -f 100\n", &episodes) {
        assert_eq!(warm.get("a")["start"], "exec");
    }
}

#[test]
fn what_they_leave_running_is_not_shared() {
    let script = "sleep 1000 >/dev/null 2>&1 &\n";
    let Some(warm) = with_profile(
        script,
        &[command("a", "echo own"), command("b", "echo own")],
        "bash",
    ) else {
        return;
    };
    for id in ["a", "b"] {
        assert_eq!(warm.output(id), "own\n");
    }
}

#[test]
fn one_that_ends_the_shell_ends_every_command() {
    same(
        "exit 5\n",
        &[command("a", "echo never"), command("b", "echo never")],
    );
}

#[test]
fn one_that_never_ends_costs_the_warmth_and_no_result() {
    let script = "[ -e /workspace/go ] || while :; do :; done\n";
    let episode = json!({"id": "a", "command": "echo went", "files": {"go": ""}, "timeout_s": 20});
    if let Some(warm) = with_profile(script, &[episode], "bash") {
        assert_eq!(warm.output("a"), "went\n", "{}", warm.get("a"));
        assert_eq!(warm.get("a")["start"], "exec");
    }
}

#[test]
fn what_they_write_is_made_anew_for_every_command() {
    let script = "[ -e ~/seen ] || echo clean__ > ~/seen\n";
    let episodes = [
        command("a", "cat ~/seen; printf 'STOLEN_\\n' > ~/seen"),
        command("b", "cat ~/seen"),
    ];
    if let Some(warm) = same(script, &episodes) {
        assert_eq!(warm.output("b"), "clean__\n");
    }
}

#[test]
fn descriptors_that_they_open_are_open() {
    if let Some(warm) = same("exec 3>&1\n", &[command("a", "echo third >&3")]) {
        assert_eq!(warm.get("a")["start"], "exec");
    }
}

#[test]
fn the_status_that_they_end_with_is_there() {
    let line = "echo $?; echo ${runner_status-unset} ${runner_last-unset}";
    same("false\n", &[command("a", line)]);
    same("(exit 3)\n", &[command("a", line), command("b", line)]);
}

#[test]
fn what_they_make_of_the_place_is_that_of_the_command() {
    let elsewhere = json!({"id": "elsewhere", "command": "echo $AT", "workdir": "/tmp/there"});
    if let Some(warm) = same("AT=$PWD\n", &[command("here", "echo $AT"), elsewhere]) {
        assert_eq!(warm.get("here")["start"], "warm-bash");
    }
    let script = "[ -d ~/bin ] && PATH=~/bin:$PATH\ntrue\n";
    let tool = json!({"/home/runner/bin/tool": {"base64": "IyEvYmluL3NoCmVjaG8gdG9vbAo=", "mode": "0755"}});
    let own = json!({"id": "own", "command": "tool", "files": tool});
    same(script, &[own, command("none", "type tool 2>&1 | wc -l")]);
}

/// Which those are is not known, so that they might read any variable.
#[test]
fn files_that_they_read_in_turn_are_theirs() {
    let fast = json!({"id": "a", "command": "echo $SPEED", "env": {"MODE": "fast"}});
    let script = "for f in /usr/share/none/*; do [ -r $f ] && source \"$f\"; done\ntrue\n";
    if let Some(warm) = same(script, &[fast]) {
        assert_eq!(warm.get("a")["start"], "exec");
    }
}

#[test]
fn a_variable_that_bash_itself_obeys_is_obeyed() {
    let deep =
        json!({"id": "a", "command": "f() { f; }; f 2>&1 | head -1", "env": {"FUNCNEST": "2"}});
    if let Some(warm) = same("true\n", &[deep]) {
        assert_eq!(warm.get("a")["start"], "exec");
    }
}

/// It was started, is not kept, and counts no more as a process of the slot's.
#[test]
fn a_bash_that_is_not_kept_takes_none_of_the_processes_of_a_program() {
    let program = include_str!("programs/counts_what_it_may_start.py");
    let episode = |id: &str| json!({"id": id, "argv": ["python3", "-c", program], "resources": {"processes": 8}});
    for script in ["echo welcome\n", "exit 5\n", "exec 3>&1\n", "true\n"] {
        let Some(run) = with_profile(script, &[episode("a"), episode("b")], "bash") else {
            return;
        };
        for id in ["a", "b"] {
            assert_eq!(run.output(id), "8\n", "{script}: {}", run.get(id));
        }
    }
}
