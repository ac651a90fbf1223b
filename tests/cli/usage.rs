//! Flags and exit statuses.

use super::common::{binary, run_args, scratch};
use super::quick;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn help_mentions_every_flag_of_the_contract() {
    let directory = scratch();
    let help = Command::new(binary())
        .arg("--help")
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert!(help.status.success());
    let text = String::from_utf8(help.stdout).unwrap();
    let flags = [
        "jobs",
        "output",
        "resume",
        "concurrency",
        "ordered",
        "timeout-s",
        "memory-mb",
        "cpu-time-s",
        "processes",
        "disk-mb",
        "open-files",
        "output-kb",
        "isolation",
        "warm",
        "retries",
        "startup-target-ms",
        "fs-readable",
        "fs-writable",
        "allow-path",
        "stats",
        "progress",
        "strict",
        "shard",
        "allow-host-network",
    ];
    let missing = |flag: &&str| {
        !text.contains(&format!("--{flag} ")) && !text.contains(&format!("--{flag}\n"))
    };
    assert_eq!(
        flags
            .iter()
            .filter(|flag| missing(flag))
            .collect::<Vec<_>>(),
        [&""; 0]
    );
    for part in ["Exit status", "130", "--resume"] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let on_one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let default = "[default: 64, or 2 × the cores + 32 where that is more]";
    assert!(
        on_one_line.contains(default),
        "{default:?} is not in {text}"
    );
}

/// Flags that can't be used, and what is said of them.
const UNUSABLE: &[(&[&str], &[&str])] = &[
    (
        &["--concurrency", "0"],
        &["--concurrency", "from 1 to 4096"],
    ),
    (
        &["--concurrency", "1000000"],
        &["--concurrency", "from 1 to 4096"],
    ),
    (&["--concurrency", "two"], &["--concurrency", "two"]),
    (
        &["--timeout-s", "0"],
        &["--timeout-s is 0", "from 0.001 to"],
    ),
    (
        &["--timeout-s", "NaN"],
        &["--timeout-s is NaN", "from 0.001 to"],
    ),
    (&["--timeout-s", "1e9"], &["--timeout-s", "from 0.001 to"]),
    (&["--memory-mb", "0"], &["--memory-mb is 0", "from 1 to"]),
    (
        &["--cpu-time-s", "0"],
        &["--cpu-time-s is 0", "from 0.01 to"],
    ),
    (&["--processes", "0"], &["--processes is 0", "from 1 to"]),
    (&["--disk-mb", "0"], &["--disk-mb is 0", "from 1 to"]),
    (&["--open-files", "2"], &["--open-files is 2", "from 8 to"]),
    (&["--output-kb", "99999999"], &["--output-kb", "from 0 to"]),
    (
        &["--startup-target-ms", "0"],
        &["--startup-target-ms is 0", "from 0.001 to"],
    ),
    (
        &["--shard", "5/4"],
        &["\"5/4\" is not a shard", "such as 2/8"],
    ),
    (
        &["--shard", "0/4"],
        &["\"0/4\" is not a shard", "such as 2/8"],
    ),
    (
        &["--shard", "half"],
        &["\"half\" is not a shard", "such as 2/8"],
    ),
    (
        &["--warm", "bash,none"],
        &["--warm", "\"none\" stands alone"],
    ),
    (
        &["--isolation", "docker"],
        &["--isolation", "docker", "landlock"],
    ),
    (
        &["--timeout-s", "-1"],
        &["--timeout-s is -1", "from 0.001 to"],
    ),
    (&["--memory-mb", "-1"], &["--memory-mb", "-1"]),
    (&["--retries", "-1"], &["--retries", "-1"]),
    (&["--progress", "loud"], &["--progress", "loud", "never"]),
    (&["--resume"], &["--output"]),
    (
        &["--fs-readable", "/none"],
        &["--fs-readable", "\"/none\"", "correct the path"],
    ),
    (
        &["--fs-writable", "/proc"],
        &["--fs-writable", "\"/proc\"", "narrower path"],
    ),
    (
        &["--allow-path", "/none"],
        &["--allow-path \"/none\"", "name a directory that exists"],
    ),
    (&["--job", "x"], &["--job"]),
];

#[test]
fn a_flag_that_cannot_be_used_is_named_with_what_it_takes_and_nothing_runs() {
    let directory = scratch();
    fs::write(directory.path().join("jobs.jsonl"), quick("a")).unwrap();
    for (flags, parts) in UNUSABLE {
        let run = run_args(
            directory.path(),
            &[&["--jobs", "jobs.jsonl"], *flags].concat(),
            b"",
        );
        assert_eq!(
            (run.code, run.lines.len()),
            (Some(2), 0),
            "{flags:?}: {}",
            run.stderr
        );
        assert!(
            parts.iter().all(|part| run.stderr.contains(part)),
            "{flags:?}: {}",
            run.stderr
        );
    }
    let run = run_args(directory.path(), &[], b"");
    assert!(
        run.code == Some(2) && run.stderr.contains("--jobs"),
        "{}",
        run.stderr
    );
    let run = run_args(directory.path(), &["--jobs", "-", "--jobs", "-"], b"");
    assert!(
        run.code == Some(2) && run.stderr.contains("only once"),
        "{}",
        run.stderr
    );
}

#[test]
fn the_exit_status_is_0_when_every_episode_has_a_verdict_and_1_when_one_is_invalid() {
    let directory = scratch();
    let failing = r#"{"id": "f", "command": "exit 3"}
{"id": "s", "command": "kill -9 $$"}
{"id": "t", "command": "sleep 9", "timeout_s": 0.2}
"#;
    let run = run_args(directory.path(), &["--jobs", "-"], failing.as_bytes());
    assert_eq!(
        (run.status("f"), run.status("s"), run.status("t")),
        ("failed", "signaled", "timeout")
    );
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let run = run_args(
        directory.path(),
        &["--jobs", "-"],
        format!("{failing}x\n").as_bytes(),
    );
    assert_eq!(
        (run.code, run.results.len()),
        (Some(1), 4),
        "{}",
        run.stderr
    );
}

#[test]
fn an_invalid_line_of_before_still_makes_a_resumed_run_end_with_1() {
    let directory = scratch();
    fs::write(directory.path().join("jobs.jsonl"), quick("a") + "x\n").unwrap();
    let args = ["--jobs", "jobs.jsonl", "--output", "out.jsonl", "--resume"];
    for _ in 0..2 {
        assert_eq!(run_args(directory.path(), &args, b"").code, Some(1));
    }
}

#[test]
fn an_interrupted_run_ends_with_130_and_keeps_what_was_finished() {
    for signals in [
        &[Signal::SIGINT, Signal::SIGINT][..],
        &[Signal::SIGTERM, Signal::SIGINT],
    ] {
        let directory = scratch();
        let jobs = quick("a") + "{\"id\": \"slow\", \"command\": \"sleep 60\"}\n";
        fs::write(directory.path().join("jobs.jsonl"), jobs).unwrap();
        let mut child = Command::new(binary())
            .args(["--jobs", "jobs.jsonl"])
            .current_dir(directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.next().unwrap().unwrap().contains("\"id\":\"a\""));
        let start = Instant::now();
        for signal in signals {
            kill(Pid::from_raw(child.id() as i32), *signal).unwrap();
            std::thread::sleep(Duration::from_millis(300));
        }
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{stderr}");
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "{:?}",
            start.elapsed()
        );
        assert!(
            stderr.contains("1 episode in") && stderr.contains("--resume"),
            "{stderr}"
        );
        assert!(
            lines.next().is_none(),
            "a result of an episode that was given up"
        );
    }
}

#[test]
fn a_shard_runs_its_part_and_all_shards_run_everything_once() {
    let directory = scratch();
    let ids: Vec<String> = (0..10).map(|n| format!("e{n}")).collect();
    fs::write(
        directory.path().join("jobs.jsonl"),
        ids.iter().map(|id| quick(id)).collect::<String>(),
    )
    .unwrap();
    let mut found = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let run = run_args(
            directory.path(),
            &["--jobs", "jobs.jsonl", "--shard", shard],
            b"",
        );
        assert!((3..=4).contains(&run.results.len()), "{shard}");
        found.extend(run.results.into_keys());
    }
    found.sort();
    assert_eq!(found, ids);
}

#[test]
fn a_run_still_needs_jobs_and_the_doctor_takes_none() {
    let run = |args: &[&str]| {
        let output = Command::new(binary())
            .args(args)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, stderr) = run(&[]);
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("the following required arguments were not provided:\n  --jobs <FILE>"),
        "{stderr}"
    );
    for args in [
        &["doctor", "--jobs", "-"][..],
        &["--jobs", "-", "doctor"],
        &["doctor", "--isolation", "x"],
    ] {
        assert_eq!(run(args).0, Some(2), "{args:?}");
    }
}

#[test]
fn streams_that_are_closed_are_refused_before_anything_runs() {
    let directory = scratch();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("jobs.jsonl"), "{\"command\": \"true\"}\n").unwrap();
    for (line, code, said) in [
        (
            "--jobs jobs.jsonl >&-",
            2,
            "stdout is closed, so results have nowhere to go; open it, or name a file with --output FILE",
        ),
        (
            "--jobs - --output none.jsonl <&-",
            2,
            "stdin is closed, so there are no episodes to read; open it, or name a file with --jobs FILE",
        ),
        ("serve --stdio <&-", 2, "--stdio: stdin or stdout is closed"),
        ("serve --stdio >&-", 2, "--stdio: stdin or stdout is closed"),
        ("--jobs jobs.jsonl >/dev/null", 0, "1 episode"),
        (
            "--jobs jobs.jsonl --output all.jsonl >&- <&-",
            0,
            "1 episode",
        ),
    ] {
        let output = Command::new("sh")
            .args(["-c", &format!("exec \"$0\" {line}")])
            .arg(binary())
            .current_dir(directory.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}: {stderr}");
        assert!(stderr.contains(said), "{line}: {stderr}");
    }
    assert!(!at("none.jsonl").exists());
}

#[test]
fn no_file_of_the_run_takes_the_number_of_a_closed_stream() {
    let directory = scratch();
    let at = |name: &str| directory.path().join(name);
    fs::write(
        at("jobs.jsonl"),
        "{\"id\": \"a\", \"command\": \"true\"}\nno episode\n",
    )
    .unwrap();
    let closed = "exec \"$0\" --jobs jobs.jsonl --output all.jsonl --stats stats.json <&- >&- 2>&-";
    let status = Command::new("sh")
        .args(["-c", closed])
        .arg(binary())
        .current_dir(directory.path())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
    let results = fs::read_to_string(at("all.jsonl")).unwrap();
    assert_eq!(results.lines().count(), 2, "{results}");
    assert!(
        results.lines().all(|line| line.starts_with("{\"id\":\"")),
        "{results}"
    );
    let stats = fs::read_to_string(at("stats.json")).unwrap();
    assert!(
        serde_json::from_str::<serde_json::Value>(&stats).is_ok(),
        "{stats}"
    );
}
