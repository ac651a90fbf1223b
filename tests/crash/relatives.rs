//! Processes that the runner did not start, and yet are its children: its caller's, before it became the runner.

use crate::common::{Way, binary, scratch};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs a script of bash as root or as the ordinary user. `$RUNNER` is the binary, `$TIER` the tier.
fn caller(way: Way, directory: &Path, script: &str) -> Command {
    let mut command = if way.root || !nix::unistd::geteuid().is_root() {
        Command::new("bash")
    } else {
        let mut command = Command::new("setpriv");
        command.args("--reuid 65534 --regid 65534 --clear-groups -- bash".split(' '));
        command
    };
    command
        .args(["-c", script])
        .env("RUNNER", binary())
        .env("TIER", way.tier)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// The process whose number a script has written to a file.
fn written(directory: &Path, name: &str) -> Pid {
    let text = fs::read_to_string(directory.join(name)).unwrap();
    Pid::from_raw(text.trim().parse().unwrap())
}

fn is_alive(pid: Pid) -> bool {
    kill(pid, None).is_ok()
}

/// An episode whose program is left behind by its slot, which is killed: that is what the runner has to kill itself.
const EPISODES: &str =
    "{\"command\": \"setsid sleep 50 & sleep 0.7\"}\n{\"command\": \"sleep 0.7\"}\n";

#[test]
fn children_of_the_caller_live_on_and_keep_nobody_waiting() {
    for way in Way::all() {
        let directory = scratch();
        fs::write(directory.path().join("jobs.jsonl"), EPISODES).unwrap();
        // One child, one that ends meanwhile, and one whose parent ends meanwhile, so that it becomes the runner's.
        let script = include_str!("programs/starts_the_runner_with_children_of_its_own.sh");
        let begin = Instant::now();
        let status = caller(way, directory.path(), script).status().unwrap();
        let took = begin.elapsed();
        let others = ["child", "grandchild"].map(|name| written(directory.path(), name));
        let alive = others.map(is_alive);
        for pid in others {
            let _ = kill(pid, Signal::SIGKILL);
        }
        assert_eq!(status.code(), Some(0), "{way:?}");
        assert_eq!(alive, [true, true], "{way:?}");
        assert!(took < Duration::from_secs(20), "{way:?}: {took:?}");
    }
}

#[test]
fn children_of_the_caller_live_on_when_a_slot_is_killed_and_its_programs_do_not() {
    for way in Way::all() {
        let directory = scratch();
        let mark = directory.path().file_name().unwrap().to_str().unwrap();
        let episode = format!("{{\"command\": \"exec -a {mark} sleep 50\", \"timeout_s\": 30}}\n");
        fs::write(directory.path().join("jobs.jsonl"), episode).unwrap();
        let script = "sleep 52 & echo $! > child; exec \"$RUNNER\" --jobs jobs.jsonl --isolation \"$TIER\" \
            --retries 0 --warm none";
        let mut runner = caller(way, directory.path(), script).spawn().unwrap();
        let programs = || named(mark);
        let patience = Instant::now() + Duration::from_secs(20);
        while programs().is_empty() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(programs().len(), 1, "{way:?}");
        // All of a slot's own processes at once: nobody is left who would end the program.
        let child = written(directory.path(), "child");
        let slots = Command::new("pkill")
            .args([
                "-KILL",
                "-P",
                &runner.id().to_string(),
                "-f",
                "^runner: slot",
            ])
            .status();
        assert!(slots.unwrap().success(), "{way:?}");
        let ended = runner.wait().unwrap();
        let (child_lives, programs_left) = (is_alive(child), programs().len());
        let _ = kill(child, Signal::SIGKILL);
        assert_eq!(ended.code(), Some(1), "{way:?}");
        assert!(child_lives, "{way:?}");
        assert_eq!(programs_left, 0, "{way:?}");
    }
}

/// Processes whose command line begins with this.
fn named(name: &str) -> Vec<Pid> {
    let listed = fs::read_dir("/proc").unwrap().flatten();
    let pids = listed.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_named = |pid: &i32| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(name.as_bytes()))
    };
    pids.filter(is_named).map(Pid::from_raw).collect()
}
