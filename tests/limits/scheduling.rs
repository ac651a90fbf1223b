//! How soon a program gets a core is no matter of which slot it runs in, or how it was started.

use super::{lines, run};
use crate::common::{Way, children, command, scratch, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Slots from which on starts are real time.
fn crowd() -> usize {
    8 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// `nice`, policy and real-time priority of a program, and of what it starts.
const HOW_SCHEDULED: &str = include_str!("programs/how_scheduled.py");

/// With so many more that there are as many slots: there are never more than episodes.
fn padded(episodes: &[Value], slots: usize) -> Vec<Value> {
    let more = (episodes.len()..slots).map(|n| json!({"id": format!("more {n}"), "command": ":"}));
    episodes.iter().cloned().chain(more).collect()
}

#[test]
fn a_program_has_the_priority_of_whoever_started_the_runner() {
    let ours = Command::new("python3")
        .args(["-c", HOW_SCHEDULED])
        .output()
        .expect("python3 runs");
    let episodes = [
        json!({"id": "python", "argv": ["python3", "-c", HOW_SCHEDULED]}),
        json!({"id": "cold", "argv": ["python3", "-I", "-c", HOW_SCHEDULED]}),
        json!({"id": "bash", "command": "exec python3 -c \"$PROGRAM\"", "env": {"PROGRAM": HOW_SCHEDULED}}),
    ];
    for slots in [3, crowd()] {
        let all = padded(&episodes, slots);
        for way in Way::all() {
            let run = run(way, &lines(&all), &["--concurrency", &slots.to_string()]);
            for id in ["python", "cold", "bash"] {
                let result = run.get(id);
                assert_eq!(
                    run.output(id).as_bytes(),
                    ours.stdout,
                    "{way:?}, {slots} slots: {result}"
                );
            }
        }
    }
}

#[test]
fn where_many_programs_share_a_core_their_starts_are_real_time() {
    let granted = Command::new("chrt")
        .args(["--fifo", "1", "true"])
        .status()
        .expect("chrt runs")
        .success();
    let policy = json!({"id": "init", "command": "sed 's/.*) //' /proc/1/stat | cut -d ' ' -f 39"});
    for (slots, crowded) in [(crowd() - 1, false), (crowd(), true)] {
        for way in Way::of_tier("namespaces") {
            let concurrency = ["--concurrency", &slots.to_string()];
            let all = padded(std::slice::from_ref(&policy), slots);
            let run = run(way, &lines(&all), &concurrency);
            let real_time = crowded && granted && way.root;
            let expected = format!("{}\n", u8::from(real_time));
            assert_eq!(run.output("init"), expected, "{way:?}, {slots} slots");
        }
    }
}

/// CPU time of processes so far, in ticks of 10 ms (proc_pid_stat(5)).
fn ticks(pids: &[u32]) -> u64 {
    let of = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        fields
            .skip(11)
            .take(2)
            .filter_map(|n| n.parse::<u64>().ok())
            .sum::<u64>()
    };
    pids.iter().map(of).sum()
}

/// Descendants of a process whose name ends like this.
fn below(process: u32, name: &str) -> Vec<u32> {
    let mut all = children(process);
    let mut at = 0;
    while at < all.len() {
        all.extend(children(all[at]));
        at += 1;
    }
    let comm = |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    all.retain(|pid| comm(*pid).trim().ends_with(name));
    all
}

/// A runner in a directory of its own, and with it one episode.
fn start(way: Way, directory: &Path, job: &Value, args: &[&str]) -> Child {
    fs::write(directory.join("jobs.jsonl"), job.to_string()).unwrap();
    command(way.root)
        .args(way.arguments())
        .args(args)
        .current_dir(directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn there_are_no_more_slots_than_episodes() {
    for way in Way::all() {
        let directory = scratch();
        let sleeps = json!({"argv": ["sleep", "100"]});
        let mut child = start(way, directory.path(), &sleeps, &["--concurrency", "20"]);
        wait_for(|| !below(child.id(), "sleep").is_empty());
        // Time enough for others to be built.
        std::thread::sleep(Duration::from_millis(500));
        let slots = below(child.id(), "init").len();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(slots, 1, "{way:?}");
    }
}

/// Init has precedence over programs: what it does in their name is taken from their neighbours.
#[test]
fn a_program_that_wakes_init_without_end_does_not_keep_it_busy() {
    let bytes = "while True: os.write(1, b'x')";
    let signals = "while True: os.kill(1, signal.SIGCHLD)";
    for way in Way::all() {
        for flood in [bytes, signals] {
            // Without a PID namespace there is no init in reach.
            if flood == signals && !way.namespaces() {
                continue;
            }
            let directory = scratch();
            let code = format!("import os, signal\nprint('begun', flush=True)\n{flood}");
            let job = json!({"argv": ["python3", "-c", code], "timeout_s": 300});
            let args = ["--warm", "none"];
            let mut child = start(way, directory.path(), &job, &args);
            let named = |name: &str| below(child.id(), name);
            wait_for(|| !named("python3").is_empty());
            std::thread::sleep(Duration::from_millis(500));
            let pids = named("init");
            assert_eq!(pids.len(), 1, "{way:?}");
            let (begin, before) = (Instant::now(), ticks(&pids));
            std::thread::sleep(Duration::from_secs(2));
            let (took, used) = (begin.elapsed(), ticks(&pids) - before);
            child.kill().unwrap();
            child.wait().unwrap();
            let busy = used as f64 * 0.01 / took.as_secs_f64();
            assert!(busy < 0.25, "{way:?}: {flood}: {busy}");
        }
    }
}
