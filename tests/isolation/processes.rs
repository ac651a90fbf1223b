//! Processes: who an episode runs as, whom it sees, whom it can touch, what it starts with.

mod descriptors;
mod init;
mod neighbour;
mod steps;
mod victim;

use crate::common::{NOBODY, Way, binary, command, scratch};
use crate::episodes::{output_of, outside, python, run_all, shell};
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The uid on the host of the process that has this argument.
fn host_uid(text: &str) -> Option<u32> {
    host_process(text).map(|(_, uid)| uid)
}

/// The pid and the uid on the host of the process that has this argument.
pub fn host_process(text: &str) -> Option<(u32, u32)> {
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        // Not the shell or runner that has it as part of a longer argument.
        if line
            .split(|b| *b == 0)
            .any(|argument| argument == text.as_bytes())
        {
            let status = fs::read_to_string(entry.path().join("status")).ok()?;
            let uids = status.lines().find_map(|l| l.strip_prefix("Uid:"))?;
            let uid = uids.split_whitespace().next()?.parse().ok()?;
            return Some((entry.file_name().to_str()?.parse().ok()?, uid));
        }
    }
    None
}

#[test]
fn an_episode_never_runs_as_root_of_the_host() {
    for way in Way::all() {
        let directory = scratch();
        let unique = format!(
            "600.{}{}",
            std::process::id(),
            u32::from(way.root) + 2 * u32::from(way.namespaces())
        );
        fs::write(
            directory.path().join("jobs.jsonl"),
            // Long enough to be seen on a busy machine.
            shell("e", &format!("sleep {unique}")).to_string(),
        )
        .unwrap();
        let mut child = command(way.root)
            .args(way.arguments())
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let patience = Instant::now() + Duration::from_secs(60);
        let uid = loop {
            if let Some(uid) = host_uid(&unique) {
                break uid;
            }
            assert!(
                Instant::now() < patience,
                "{way:?}: the episode's process is not seen"
            );
            std::thread::sleep(Duration::from_millis(10));
        };
        child.kill().unwrap();
        child.wait().unwrap();
        assert_ne!(uid, 0, "{way:?}");
        if way.root {
            assert!(uid > 1_000_000, "{way:?}: {uid} may belong to somebody");
        } else if nix::unistd::geteuid().is_root() {
            assert_eq!(uid, NOBODY, "{way:?}");
        }
    }
}

#[test]
fn an_episode_sees_no_process_of_the_host() {
    let code = include_str!("programs/counts_processes.py");
    for way in Way::all() {
        let inside = output_of(way, &python("e", code));
        let expected = if way.namespaces() {
            "SEEN 2\n"
        } else {
            "denied\n"
        };
        assert_eq!(inside, expected, "{way:?}");
        let parent = output_of(
            way,
            &shell(
                "e",
                &format!("cat /proc/{}/cmdline; true", std::process::id()),
            ),
        );
        assert!(!parent.contains("isolation"), "{way:?}: {parent}");
    }
    assert!(outside(NOBODY, &["/usr/bin/python3", "-c", code]).starts_with("SEEN "));
}

#[test]
fn nothing_of_the_callers_environment_reaches_an_episode() {
    for way in Way::all() {
        let directory = scratch();
        let jobs = format!(
            "{}\n{}",
            shell("env", "env; cat /proc/self/environ /proc/1/environ; true"),
            python("set", "import os; print(sorted(os.environ))")
        );
        fs::write(directory.path().join("jobs.jsonl"), jobs).unwrap();
        let output = command(way.root)
            .args(way.arguments())
            .env("CALLERS_SECRET", "hunter2")
            .env("LD_LIBRARY_PATH", "/hunter2")
            .current_dir(directory.path())
            .output()
            .unwrap();
        let run = crate::common::parse(output);
        assert!(
            !run.output("env").contains("hunter2"),
            "{way:?}: {}",
            run.output("env")
        );
        assert_eq!(
            run.output("set"),
            "['HOME', 'LANG', 'LSAN_OPTIONS', 'PATH', 'TMPDIR', 'USER']\n",
            "{way:?}"
        );
    }
}

#[test]
fn an_episode_has_no_terminal_even_when_the_runner_has_one() {
    let code = include_str!("programs/looks_for_a_terminal.py");
    for way in Way::all() {
        let directory = scratch();
        fs::write(
            directory.path().join("jobs.jsonl"),
            python("e", code).to_string(),
        )
        .unwrap();
        let inner = format!(
            "{}{} --isolation {} --jobs jobs.jsonl --output out.jsonl --progress never",
            if way.root || !nix::unistd::geteuid().is_root() {
                String::new()
            } else {
                format!("setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups -- ")
            },
            binary().display(),
            way.tier,
        );
        let probe = format!(
            "/usr/bin/python3 -c \"import os; os.open('/dev/tty',2); print('CONTROL')\"; {inner}"
        );
        let output = Command::new("script")
            .args(["-qec", &probe, "/dev/null"])
            .current_dir(directory.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            text.contains("CONTROL"),
            "the control has a terminal: {text}"
        );
        let result = fs::read_to_string(directory.path().join("out.jsonl")).unwrap();
        let result: serde_json::Value = serde_json::from_str(&result).unwrap();
        assert_eq!(
            result["output"], "none\n[False, False, False] b''\n",
            "{way:?}"
        );
    }
}

#[test]
fn the_result_says_what_was_enforced() {
    for way in Way::all() {
        let run = run_all(way, &[shell("e", "true")], &[]);
        let sandbox = &run.get("e")["sandbox"];
        assert_eq!(sandbox["tier"], way.tier, "{way:?}");
        assert!(
            sandbox["landlock_abi"].as_u64().unwrap() >= 6,
            "{way:?}: {sandbox}"
        );
    }
}

/// A daemon of its own session, with its signals ignored and its parents gone, ends with the episode: when the program ends
/// and when its time is up. (When the runner is killed: `tests/crash`.)
#[test]
fn a_daemon_is_gone_after_the_end_and_after_a_timeout() {
    for way in Way::all() {
        let unique = format!("4{}", std::process::id());
        let daemon = format!(
            "(setsid bash -c 'trap \"\" TERM HUP INT; (sleep {unique} &) ; exec sleep {unique}' > /dev/null 2>&1 &)"
        );
        let mut late = shell("timeout", &format!("{daemon}; sleep 30"));
        late["timeout_s"] = serde_json::json!(0.5);
        // One after the other: in a pipeline, the one may see the other or come too early for that.
        let look = "sleep 0.1; ls /proc > list 2>/dev/null; grep -c '^[0-9]' list; true";
        let episodes = [
            shell("end", &format!("{daemon}; sleep 0.2")),
            shell("after-end", look),
            late,
            shell("after-timeout", look),
        ];
        let run = run_all(way, &episodes, &["--concurrency", "1", "--ordered"]);
        assert_eq!(run.status("timeout"), "timeout", "{way:?}");
        assert_eq!(
            run.output("after-end"),
            run.output("after-timeout"),
            "{way:?}"
        );
        assert_eq!(host_process(&unique), None, "{way:?}");
        assert!(
            run.results.values().all(|r| r["attempts"] == 1),
            "{way:?}: {:?}",
            run.results
        );
    }
    // For control: without a sandbox it outlives the shell.
    let unique = format!("9.5{}", std::process::id());
    outside(
        NOBODY,
        &[
            "bash",
            "-c",
            &format!("(setsid sleep {unique} > /dev/null 2>&1 &)"),
        ],
    );
    // The shell does not wait for it to come up.
    let comes_up = || {
        std::thread::sleep(std::time::Duration::from_millis(10));
        host_process(&unique).is_some()
    };
    assert!((0..800).any(|_| comes_up()));
}
