//! Ctrl-C, SIGTERM, and the ordinary end.

use crate::common::Way;
use crate::left::start;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Leaves a process behind, and ends with these words.
fn busy(n: usize, end: &str) -> Value {
    json!({"id": format!("e{n}"), "command": format!("(setsid sleep 300 >/dev/null 2>&1 &); echo x > $TMPDIR/f; echo begun; {end}")})
}

/// Waits for the gate.
const WAITS: &str = "until [ -e {gate} ]; do sleep 0.1; done";

#[test]
fn an_ordinary_end_leaves_nothing() {
    for way in Way::all() {
        let jobs: Vec<Value> = (0..12).map(|n| busy(n, WAITS)).collect();
        let mut sweep = start(way, &jobs, &["--output", "out.jsonl"], Stdio::null());
        sweep.wait_running(1);
        sweep.open_gate();
        assert_eq!(sweep.wait(), Some(0), "{way:?}: {}", sweep.stderr());
        assert_eq!(sweep.results("out.jsonl").len(), 12, "{way:?}");
        sweep.assert_nothing_left();
    }
}

/// Running ones finish; nothing new is started.
fn once(signal: Signal) {
    for way in Way::all() {
        let jobs: Vec<Value> = (0..40).map(|n| busy(n, WAITS)).collect();
        let mut sweep = start(
            way,
            &jobs,
            &["--concurrency", "2", "--output", "out.jsonl"],
            Stdio::null(),
        );
        sweep.wait_running(4);
        sweep.signal(signal);
        sweep.wait_said("runner: stopping");
        sweep.open_gate();
        assert_eq!(sweep.wait(), Some(130), "{way:?}");
        let results = sweep.results("out.jsonl");
        assert_eq!(results.len(), 2, "{way:?}: {results:?}");
        assert!(
            results.values().all(|r| r["status"] == "ok"),
            "{way:?}: {results:?}"
        );
        assert!(
            sweep.stderr().contains("episodes"),
            "{way:?}: no summary: {}",
            sweep.stderr()
        );
        sweep.assert_nothing_left();
    }
}

#[test]
fn ctrl_c_once_lets_running_episodes_finish() {
    once(Signal::SIGINT);
}

#[test]
fn sigterm_is_the_first_ctrl_c() {
    once(Signal::SIGTERM);
}

#[test]
fn what_still_runs_after_the_grace_period_is_killed() {
    let threads: Vec<_> = Way::all()
        .into_iter()
        .map(|way| {
            std::thread::spawn(move || {
                let jobs = [0, 1].map(|n| busy(n, "sleep 300"));
                let mut sweep = start(
                    way,
                    &jobs,
                    &["--concurrency", "2", "--output", "out.jsonl"],
                    Stdio::null(),
                );
                sweep.wait_running(4);
                sweep.signal(Signal::SIGINT);
                let begun = Instant::now();
                assert_eq!(sweep.wait(), Some(130), "{way:?}");
                assert!(
                    begun.elapsed() >= Duration::from_secs(4),
                    "{way:?}: {:?}",
                    begun.elapsed()
                );
                assert!(
                    begun.elapsed() < Duration::from_secs(60),
                    "{way:?}: {:?}",
                    begun.elapsed()
                );
                sweep.results("out.jsonl");
                sweep.assert_nothing_left();
            })
        })
        .collect();
    let ended: Vec<_> = threads
        .into_iter()
        .map(std::thread::JoinHandle::join)
        .collect();
    assert!(ended.iter().all(Result::is_ok), "see above");
}

#[test]
fn ctrl_c_twice_ends_at_once() {
    for way in Way::all() {
        let jobs: Vec<Value> = (0..6)
            .map(|n| busy(n, if n < 2 { "true" } else { "sleep 300" }))
            .collect();
        let mut sweep = start(
            way,
            &jobs,
            &["--concurrency", "2", "--output", "out.jsonl"],
            Stdio::null(),
        );
        sweep.wait_running(4);
        sweep.signal(Signal::SIGINT);
        sweep.wait_said("runner: stopping");
        let begun = Instant::now();
        sweep.signal(Signal::SIGINT);
        assert_eq!(sweep.wait(), Some(130), "{way:?}");
        // Before the grace period is over.
        assert!(
            begun.elapsed() < Duration::from_secs(4),
            "{way:?}: {:?}",
            begun.elapsed()
        );
        assert!(
            sweep
                .results("out.jsonl")
                .values()
                .all(|r| r["status"] == "ok"),
            "{way:?}"
        );
        sweep.assert_nothing_left();
    }
}

/// The slot sees the end of the first step when the deadline is over.
#[test]
fn an_episode_with_steps_left_at_its_deadline_is_a_timeout_however_well_the_last_one_ended() {
    let deadline = Duration::from_secs(10);
    // Whether its init went on in time: one that is still stopped a second after the deadline is killed, and rightly so.
    let is_told = |way: Way| {
        let steps = [WAITS, "echo late"].map(|command| json!({"command": command}));
        let job = json!({"id": "a", "steps": steps, "deadline_s": deadline.as_secs()});
        let flags = ["--output", "out.jsonl", "--retries", "0"];
        let mut sweep = start(way, &[job], &flags, Stdio::null());
        sweep.wait_running(1);
        let inits = sweep.slot_processes("init");
        let signal_all = |signal| {
            for init in &inits {
                let _ = kill(Pid::from_raw(*init), signal);
            }
        };
        signal_all(Signal::SIGSTOP);
        sweep.open_gate();
        std::thread::sleep(deadline);
        signal_all(Signal::SIGCONT);
        let status = sweep.wait();
        let result = &sweep.results("out.jsonl")["a"];
        sweep.assert_nothing_left();
        if result["status"] == "infra_error" {
            return false;
        }
        assert_eq!(status, Some(0), "{way:?}: {}", sweep.stderr());
        assert_eq!(result["status"], "timeout", "{way:?}: {result}");
        let steps = result["steps"].as_array().unwrap();
        let statuses = steps.iter().map(|step| step["status"].as_str().unwrap());
        assert!(statuses.eq(["ok", "timeout"]), "{way:?}: {result}");
        true
    };
    std::thread::scope(|scope| {
        for way in Way::all() {
            scope.spawn(move || {
                let mut tries = 0..10;
                assert!(tries.any(|_| is_told(way)), "{way:?}: never in time");
            });
        }
    });
}

#[test]
fn a_program_that_ended_in_time_is_no_timeout_however_late_its_zygote_says_so() {
    let timeout = Duration::from_secs(10);
    let one_way = |way: Way| {
        // Until its stretch is over, the runner does not take the slot for one that was stopped.
        let job = json!({"id": "a", "argv": ["sh", "-c", WAITS], "timeout_s": timeout.as_secs(), "stretch": 3});
        let mut sweep = start(way, &[job], &["--output", "out.jsonl"], Stdio::null());
        sweep.wait_running(1);
        let zygotes = sweep.slot_processes("zygote");
        let signal_all = |signal| {
            for zygote in &zygotes {
                kill(Pid::from_raw(*zygote), signal).unwrap();
            }
        };
        signal_all(Signal::SIGSTOP);
        sweep.open_gate();
        std::thread::sleep(timeout + Duration::from_secs(2));
        signal_all(Signal::SIGCONT);
        assert_eq!(sweep.wait(), Some(0), "{way:?}: {}", sweep.stderr());
        let result = &sweep.results("out.jsonl")["a"];
        assert_eq!(result["status"], "ok", "{way:?}: {result}");
        assert_eq!(result["attempts"], 1, "{way:?}: {result}");
        let of = |field: &str| result[field].as_f64().unwrap();
        assert!(
            of("wall_ms") - of("stalled_ms") < 11_000.0,
            "{way:?}: {result}"
        );
        sweep.assert_nothing_left();
    };
    std::thread::scope(|scope| {
        for way in Way::all() {
            scope.spawn(move || one_way(way));
        }
    });
}
