//! What the kernel counts for a user or for the machine: an episode gets a share, and neither the host nor a neighbour is
//! the poorer for it.

use super::{assert_ok, everywhere, in_namespaces};
use crate::common::{NOBODY, Run, Way, command, command_as, parse, scratch};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// Timers that were made until no more could be.
const TIMERS: &str = include_str!("programs/makes_timers.py");

#[test]
fn queued_signals_and_timers_are_bounded() {
    let episodes = [json!({"id": "timers", "argv": ["python3", "-c", TIMERS]})];
    everywhere(&episodes, |way, run| {
        assert_ok(way, run, "timers");
        let made: u32 = run.output("timers").trim().parse().expect("a number");
        assert!((100..=4096).contains(&made), "{way:?}: {made}");
    });
}

/// How many signals are queued for the user that the tests run as (proc_pid_status(5), SigQ).
fn queued() -> i64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("SigQ:"));
    let count = line.and_then(|line| line.trim().split('/').next());
    count.and_then(|n| n.parse().ok()).expect("a number")
}

#[test]
fn what_a_slot_of_roots_queues_is_not_counted_for_root() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    for way in Way::all().into_iter().filter(|way| way.root) {
        let directory = scratch();
        let told = directory.path().join("told");
        fs::create_dir(&told).unwrap();
        fs::set_permissions(&told, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        let code = format!(
            "{TIMERS}import time\nopen('{}/made', 'w').close()\ntime.sleep(1)",
            told.display()
        );
        let job = json!({"id": "holds", "argv": ["python3", "-c", code], "fs_writable": [told]});
        let jobs = directory.path().join("jobs.jsonl");
        fs::write(&jobs, job.to_string()).unwrap();
        let before = queued();
        let child = command(true)
            .args([
                "--isolation",
                way.tier,
                "--allow-path",
                told.to_str().unwrap(),
            ])
            .args(["--jobs", jobs.to_str().unwrap()])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !told.join("made").exists() && std::time::Instant::now() < patience {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let during = queued();
        let run = parse(child.wait_with_output().unwrap());
        assert_eq!(run.status("holds"), "ok", "{way:?}: {}", run.get("holds"));
        // Other tests' timers may come and go meanwhile, but not thousands.
        assert!(during - before < 1000, "{way:?}: {before} {during}");
    }
}

#[test]
fn inotify_instances_and_terminals_are_bounded() {
    let code = include_str!("programs/takes_watchers_and_terminals.py");
    let episodes = [json!({"id": "all", "argv": ["python3", "-c", code]})];
    in_namespaces(&episodes, |way, run| {
        assert_ok(way, run, "all");
        let made: Vec<u32> = run
            .output("all")
            .split_whitespace()
            .map(|n| n.parse().unwrap())
            .collect();
        assert!((1..=16).contains(&made[0]), "{way:?}: {made:?}");
        assert!((1..=4).contains(&made[1]), "{way:?}: {made:?}");
    });
}

/// A run whose runner may have so many descriptors and no more. Where it is not root's, it is that of a user
/// of its own: descriptors in flight count for the user, and other tests' programs may have more of them than this limit.
fn with_descriptors(way: Way, most: u32, jobs: &[&Value], arguments: &[&str]) -> Run {
    let directory = scratch();
    let lines: String = jobs.iter().map(|job| format!("{job}\n")).collect();
    fs::write(directory.path().join("jobs.jsonl"), lines).unwrap();
    let runner = command_as(if way.root { 0 } else { NOBODY - most });
    let argv = std::iter::once(runner.get_program()).chain(runner.get_args());
    let output = Command::new("prlimit")
        .arg(format!("--nofile={most}:{most}"))
        .args(argv)
        .args(way.arguments())
        .args(["--warm", "none"])
        .args(arguments)
        .current_dir(directory.path())
        .output()
        .unwrap();
    parse(output)
}

/// Of each, init keeps the pipes that it may still write to.
#[test]
fn background_processes_do_not_take_the_descriptors_that_the_next_step_needs() {
    let step = json!({"command": "sleep 120 & echo begun"});
    let steps: Vec<&Value> = (0..120).map(|_| &step).collect();
    let job =
        json!({"id": "many", "steps": steps, "capture": "split", "resources": {"processes": 400}});
    for way in Way::all() {
        let run = with_descriptors(way, 200, &[&job], &["--concurrency", "1"]);
        let result = run.get("many");
        assert_eq!(result["status"], "ok", "{way:?}: {result}");
        assert_eq!(result["steps"].as_array().unwrap().len(), 120, "{way:?}");
    }
}

/// Sends descriptors until it may have no more in flight.
const FILLS: &str = include_str!("programs/fills_the_flight_with_descriptors.py");

/// The kernel counts descriptors in flight for the user, and lets nobody send one more who has the limit of the sender.
#[test]
fn descriptors_in_flight_do_not_keep_the_next_step_from_starting() {
    let fills = format!(
        "{FILLS}if os.fork() == 0:\n    os.setsid(); os.close(1); os.close(2); time.sleep(60)"
    );
    let steps = json!([
        {"argv": ["python3", "-c", fills]},
        {"argv": ["python3", "-c", "print('next')"]},
    ]);
    let job = json!({"id": "flight", "steps": steps});
    for way in Way::all() {
        let run = with_descriptors(way, 1024, &[&job], &[]);
        let result = run.get("flight");
        assert_eq!(result["status"], "ok", "{way:?}: {result}");
        assert_eq!(result["attempts"], 1, "{way:?}: {result}");
        assert_eq!(result["steps"][1]["output"], "next\n", "{way:?}: {result}");
        let sent: u32 = result["steps"][0]["output"]
            .as_str()
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        assert!(sent >= 500, "{way:?}: {sent}");
    }
}

/// Not even where both are of one user, whose descriptors in flight are counted together.
#[test]
fn descriptors_in_flight_do_not_keep_a_neighbours_next_step_from_starting() {
    for way in Way::all() {
        let shared = scratch();
        let path = |name: &str| shared.path().join(name).display().to_string();
        let (filled, done) = (path("filled"), path("done"));
        let fills = format!(
            "{FILLS}open('{filled}', 'w').close()\nwhile not os.path.exists('{done}'): time.sleep(0.05)"
        );
        let waits = format!("until [ -e {filled} ]; do sleep 0.05; done; echo one");
        let job = |id: &str, steps: Value| json!({"id": id, "steps": steps, "fs_writable": [shared.path()], "timeout_s": 100});
        let fills = job("fills", json!([{"argv": ["python3", "-c", fills]}]));
        let next = format!("echo three; touch {done}");
        let beside = job(
            "beside",
            json!([{"command": waits}, {"command": "echo two"}, {"command": next}]),
        );
        let grant = ["--concurrency", "2", "--allow-path", &path("")];
        let run = with_descriptors(way, 1000, &[&fills, &beside], &grant);
        for id in ["fills", "beside"] {
            let result = run.get(id);
            assert_eq!(result["status"], "ok", "{way:?}: {result}");
            assert_eq!(result["attempts"], 1, "{way:?}: {result}");
        }
        let sent = run.get("fills")["steps"][0]["output"].as_str().unwrap();
        assert!(
            sent.trim().parse::<u32>().unwrap() >= 250,
            "{way:?}: {sent}"
        );
    }
}
