//! Processes and threads, open files.

use super::{assert_ok, everywhere, lines, run, run_alone};
use crate::common::{Way, binary, parse};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

/// Starts as many children as it is told, until one fails, and says how many there were.
const FORKS: &str = include_str!("programs/forks.py");

const THREADS: &str = include_str!("programs/threads.py");

fn episode(id: &str, program: &str, wanted: u32, processes: u32) -> Value {
    json!({"id": id, "argv": ["python3", "-c", program, wanted.to_string()], "timeout_s": 120,
           "resources": {"processes": processes}})
}

/// Whether a slot of this way has a count of processes of its own.
fn exact(way: Way) -> bool {
    way.namespaces() || way.root
}

#[test]
fn no_more_processes_or_threads_than_the_limit_allows() {
    let episodes = [
        episode("forks", FORKS, 40, 10),
        episode("threads", THREADS, 40, 10),
        episode("more-forks", FORKS, 40, 60),
        episode("more-threads", THREADS, 40, 60),
    ];
    everywhere(&episodes, |way, run| {
        for id in ["forks", "threads"].into_iter().filter(|_| exact(way)) {
            // The program itself is one of the ten.
            assert_eq!(run.output(id), "9 EAGAIN\n", "{way:?} {id}");
        }
        for id in ["more-forks", "more-threads"] {
            assert_ok(way, run, id);
            assert_eq!(run.output(id), "40 all\n", "{way:?} {id}");
        }
    });
}

#[test]
fn a_program_that_fails_with_all_of_its_processes_is_told_which_limit_that_is() {
    // One is alive when it is looked at, one leaves its processes behind; the others have failed for something else.
    let threads = format!("{THREADS}\nimport time\ntime.sleep(1.5)\nsys.exit(3)")
        .replace("end.set()", "pass");
    let left = include_str!("programs/leaves_all_its_processes.py");
    let few = include_str!("programs/fails_with_few_processes.py");
    let well = format!("{THREADS}\nimport time\ntime.sleep(1.5)").replace("end.set()", "pass");
    let episodes = [
        episode("threads", &threads, 40, 10),
        episode("left", left, 0, 10),
        episode("few", few, 0, 10),
        episode("well", &well, 40, 10),
    ];
    everywhere(&episodes, |way, run| {
        for (id, code) in [("threads", 3), ("left", 4), ("few", 5)] {
            let result = run.get(id);
            let what = (&result["status"], &result["fault"], &result["exit_code"]);
            assert_eq!(
                what,
                (&"failed".into(), &"program".into(), &code.into()),
                "{way:?}: {result}"
            );
        }
        for id in ["threads", "left"].into_iter().filter(|_| exact(way)) {
            let error = run.error(id);
            for part in [
                "10 processes and threads",
                "the limit is 10",
                "resources.processes",
                "--processes",
            ] {
                assert!(error.contains(part), "{way:?} {id}: {error}");
            }
        }
        assert!(
            run.get("few").get("error").is_none(),
            "{way:?}: {}",
            run.get("few")
        );
        assert_ok(way, run, "well");
    });
}

#[test]
fn a_fork_bomb_stops_even_where_slots_share_a_count() {
    let (slots, processes) = (2, 20);
    // What the limit leaves is for all slots together; what else runs as this user counts too.
    let wanted = processes * (slots + 2) + 40;
    let jobs = lines(&[
        episode("bomb", FORKS, wanted, processes),
        json!({"id": "after", "command": "echo fine"}),
    ]);
    for way in Way::all() {
        let arguments = ["--concurrency", "2", "--processes", "20"];
        let run = if exact(way) {
            run(way, &jobs, &arguments)
        } else {
            run_alone(way, &jobs, &arguments)
        };
        let output = run.output("bomb");
        assert!(output.ends_with(" EAGAIN\n"), "{way:?}: {output}");
        let stopped_at: u32 = output
            .split(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a number");
        assert!(
            stopped_at >= processes / 2 && stopped_at < wanted,
            "{way:?}: {output}"
        );
        assert_ok(way, &run, "after");
    }
}

#[test]
fn the_processes_of_an_episode_are_gone_before_the_next_one_counts_its_own() {
    let leave = "for i in $(seq 6); do setsid sleep 60 & done; echo left";
    let episodes: Vec<Value> = (0..6)
        .map(|n| json!({"id": format!("{n}"), "command": leave, "resources": {"processes": 10}}))
        .collect();
    everywhere(&episodes, |way, run| {
        for n in 0..6 {
            assert_ok(way, run, &n.to_string());
            assert_eq!(run.output(&n.to_string()), "left\n", "{way:?}");
        }
    });
}

#[test]
fn no_more_open_files_than_the_limit_allows() {
    let program = include_str!("programs/opens_files.py");
    let episode = |id: &str, open_files: u32| json!({"id": id, "argv": ["python3", "-c", program], "resources": {"open_files": open_files}});
    everywhere(&[episode("few", 32), episode("many", 256)], |way, run| {
        // stdin, stdout and stderr are three of them.
        assert_eq!(run.output("few"), "29 EMFILE\n", "{way:?}");
        assert_eq!(run.output("many"), "100 all\n", "{way:?}");
    });
}

#[test]
fn a_program_has_no_open_files_of_whoever_started_the_runner() {
    let jobs = lines(&[json!({"id": "look", "command": "head -c 4 <&9 || echo closed"})]);
    for tier in ["namespaces", "landlock"] {
        let script = format!(
            "exec 9</etc/passwd; exec {} --isolation {tier} --jobs -",
            binary().display()
        );
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut runner = shell.spawn().expect("sh starts");
        runner
            .stdin
            .take()
            .expect("piped")
            .write_all(jobs.as_bytes())
            .expect("written");
        let run = parse(runner.wait_with_output().expect("the runner ends"));
        let output = run.output("look");
        assert!(
            output.ends_with("closed\n") && !output.contains("root"),
            "{tier}: {output}"
        );
    }
}

#[test]
fn fork_bombs_in_c_bash_and_python_and_of_threads_end_by_their_timeout_and_spoil_nothing() {
    let files = json!({
        "bomb.c": include_str!("programs/fork_bomb.c"),
        "forks.py": include_str!("programs/fork_bomb.py"),
        "threads.py": include_str!("programs/thread_bomb.py"),
    });
    let bomb = |id: &str, command: &str| json!({"id": id, "command": command, "files": files, "timeout_s": 2});
    let jobs = lines(&[
        bomb("c", "cc bomb.c -o bomb && ./bomb"),
        bomb("bash", ":() { : | : & :; }; : 2>/dev/null; sleep 9"),
        bomb("python", "python3 forks.py"),
        bomb("threads", "python3 threads.py"),
        json!({"id": "after", "command": "echo fine | cat"}),
    ]);
    for way in Way::all().into_iter().filter(|way| exact(*way)) {
        let run = run(way, &jobs, &["--concurrency", "1", "--ordered"]);
        for id in ["c", "bash", "python", "threads"] {
            let result = run.get(id);
            // The kernel may be slow to free what forks that failed had taken (tests/README.md).
            let goes_on_forking = id == "c" || id == "python";
            let is_charged = goes_on_forking && result["status"] == "memory_limit";
            assert!(
                is_charged || result["status"] == "timeout",
                "{way:?}: {result}"
            );
            assert_eq!(result["attempts"], 1, "{way:?} {id}");
        }
        assert_eq!(run.output("after"), "fine\n", "{way:?}");
        assert_eq!(run.get("after")["attempts"], 1, "{way:?}");
    }
}
