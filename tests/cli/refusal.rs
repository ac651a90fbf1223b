//! A machine that forbids user namespaces, made for one process: a user namespace that may have no others.

use super::common::{NOBODY, Run, binary, parse, scratch};
use super::quick;
use std::fs;
use std::process::Command;

/// Forbids further namespaces, gives up what allowed that, and becomes the given command.
const FORBID: &str = "echo 0 > /proc/sys/user/max_user_namespaces && \
    exec setpriv --ambient-caps -all --inh-caps -all -- \"$@\"";

/// Runs one episode as an ordinary user, who may create user namespaces or not.
fn run(forbidden: bool, args: &[&str]) -> Run {
    let directory = scratch();
    fs::write(directory.path().join("jobs.jsonl"), quick("a")).unwrap();
    let mut words: Vec<String> = Vec::new();
    if nix::unistd::geteuid().is_root() {
        let id = NOBODY.to_string();
        words.extend(
            [
                "setpriv",
                "--reuid",
                &id,
                "--regid",
                &id,
                "--clear-groups",
                "--",
            ]
            .map(str::to_owned),
        );
    }
    if forbidden {
        let unshare = [
            "unshare",
            "--user",
            "--map-current-user",
            "--keep-caps",
            "sh",
            "-c",
            FORBID,
            "sh",
        ];
        words.extend(unshare.map(str::to_owned));
    }
    words.push(binary().to_str().unwrap().to_owned());
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .args(["--jobs", "jobs.jsonl"])
        .args(args)
        .current_dir(directory.path());
    parse(command.output().expect("the binary starts"))
}

#[test]
fn namespaces_that_are_asked_for_and_forbidden_end_with_status_3_and_a_remedy() {
    let refused = run(true, &["--isolation", "namespaces"]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.lines.is_empty());
    for part in [
        "namespaces isolation can't be had",
        "user.max_user_namespaces",
        "--isolation landlock",
    ] {
        assert!(
            refused.stderr.contains(part),
            "{part:?} is not in {}",
            refused.stderr
        );
    }
    let granted = run(false, &["--isolation", "namespaces"]);
    assert_eq!(granted.code, Some(0), "{}", granted.stderr);
    assert_eq!(granted.get("a")["sandbox"]["tier"], "namespaces");
}

#[test]
fn auto_falls_back_to_landlock_and_says_so() {
    for isolation in [&["--isolation", "auto"][..], &[]] {
        let fallen = run(true, isolation);
        assert_eq!(fallen.code, Some(0), "{}", fallen.stderr);
        assert_eq!(fallen.status("a"), "ok");
        assert_eq!(fallen.get("a")["sandbox"]["tier"], "landlock");
        let note = fallen
            .stderr
            .lines()
            .find(|line| line.starts_with("runner: no namespaces here"));
        assert!(
            note.is_some_and(|note| note.contains("using the landlock tier")),
            "{}",
            fallen.stderr
        );
    }
    let granted = run(false, &[]);
    assert_eq!(granted.get("a")["sandbox"]["tier"], "namespaces");
    assert!(!granted.stderr.contains("landlock"), "{}", granted.stderr);
}

#[test]
fn landlock_that_is_asked_for_does_not_need_namespaces() {
    let run = run(true, &["--isolation", "landlock"]);
    assert_eq!(
        (run.code, run.status("a")),
        (Some(0), "ok"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains("no namespaces"), "{}", run.stderr);
}
