//! Sudden deaths: of the runner, of an init, of a zygote.

use crate::common::Way;
use crate::left::{Sweep, start};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::ops::RangeInclusive;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Background processes that want to survive, and a step that goes on for a while.
fn stubborn(n: usize, seconds: f64) -> Value {
    let command = format!(
        "(setsid bash -c 'trap \"\" TERM HUP INT; sleep 300' >/dev/null 2>&1 &); echo x > $TMPDIR/file; sleep {seconds}; echo done"
    );
    json!({"id": format!("e{n}"), "command": command})
}

#[test]
fn a_runner_killed_at_any_moment_leaves_nothing_and_resumes_to_every_id_once() {
    for way in Way::all() {
        for delay_ms in [5, 40, 150, 400] {
            let jobs: Vec<Value> = (0..60)
                .map(|n| stubborn(n, if n % 20 == 19 { 0.3 } else { 0.0 }))
                .collect();
            let mut sweep = start(
                way,
                &jobs,
                &["--output", "out.jsonl", "--resume"],
                Stdio::null(),
            );
            if delay_ms > 100 {
                sweep.wait_running(1);
            }
            std::thread::sleep(Duration::from_millis(delay_ms));
            sweep.signal(Signal::SIGKILL);
            sweep.child.wait().unwrap();
            sweep.assert_nothing_left();
            assert_eq!(
                sweep.again(&["--output", "out.jsonl", "--resume"]),
                Some(0),
                "{way:?}: {}",
                sweep.stderr()
            );
            let results = sweep.results("out.jsonl");
            assert_eq!(results.len(), 60, "{way:?}");
            assert!(results.values().all(|r| r["status"] == "ok"), "{way:?}");
        }
    }
}

#[test]
fn a_runner_killed_while_everything_sleeps_leaves_nothing() {
    for way in Way::all() {
        let jobs: Vec<Value> = (0..3).map(|n| stubborn(n, 300.0)).collect();
        let mut sweep = start(way, &jobs, &["--concurrency", "3"], Stdio::null());
        sweep.wait_running(9);
        sweep.signal(Signal::SIGKILL);
        sweep.child.wait().unwrap();
        sweep.assert_nothing_left();
    }
}

/// Kills one process of a slot in the middle of an episode: that one is tried again, and nothing else happens.
fn one_dies(warm: &str, victims: impl Fn(&Sweep) -> Vec<i32>) {
    for way in Way::all() {
        let jobs: Vec<Value> = (0..4).map(|n| stubborn(n, 0.7)).collect();
        one_of_these_dies(way, &jobs, 6, warm, 1..=1, &victims);
    }
}

/// As `one_dies`, once `running` processes of the jobs are there; the death costs so many attempts.
fn one_of_these_dies(
    way: Way,
    jobs: &[Value],
    running: usize,
    warm: &str,
    attempts_lost: RangeInclusive<u64>,
    victims: &impl Fn(&Sweep) -> Vec<i32>,
) {
    let mut sweep = start(
        way,
        jobs,
        &[
            "--concurrency",
            "2",
            "--output",
            "out.jsonl",
            "--warm",
            warm,
        ],
        Stdio::null(),
    );
    sweep.wait_running(running);
    let victim = victims(&sweep)[0];
    kill(Pid::from_raw(victim), Signal::SIGKILL).unwrap();
    assert_eq!(sweep.wait(), Some(0), "{way:?}: {}", sweep.stderr());
    let results = sweep.results("out.jsonl");
    let attempts: Vec<u64> = results
        .values()
        .map(|r| r["attempts"].as_u64().unwrap())
        .collect();
    let lost = attempts.iter().sum::<u64>() - jobs.len() as u64;
    assert!(attempts_lost.contains(&lost), "{way:?}: {attempts:?}");
    assert!(
        results
            .values()
            .all(|r| r["status"] == "ok" && r["output"] == "done\n"),
        "{way:?}: {results:?}"
    );
    sweep.assert_nothing_left();
}

#[test]
fn an_init_that_dies_costs_a_retry_of_its_episode() {
    one_dies("bash", |sweep| sweep.slot_processes("init"));
}

#[test]
fn a_zygote_that_dies_costs_a_retry_of_its_episode() {
    one_dies("none", |sweep| sweep.slot_processes("zygote"));
}

#[test]
fn a_warm_interpreter_that_dies_costs_a_retry_of_its_episode() {
    one_dies("bash", |sweep| sweep.warm_interpreters());
}

/// Somebody outside stops it; what programs stop themselves is their own affair.
fn is_stopped(way: Way, role: &str) {
    let mut jobs: Vec<Value> = (0..2).map(|n| stubborn(n, 3.0)).collect();
    let goes_on = "(sleep 0.2; kill -CONT $$)& kill -STOP $$; echo done";
    jobs.push(json!({"id": "stops", "command": goes_on}));
    jobs.push(json!({"id": "stays", "command": "echo begun; kill -STOP $$"}));
    for job in &mut jobs {
        job["timeout_s"] = 8.into();
    }
    let args = "--concurrency 2 --output out.jsonl --warm none".split(' ');
    let mut sweep = start(way, &jobs, &args.collect::<Vec<_>>(), Stdio::null());
    sweep.wait_running(6);
    let begun = Instant::now();
    let victim = Pid::from_raw(sweep.slot_processes(role)[0]);
    kill(victim, Signal::SIGSTOP).unwrap();
    let ended = sweep.wait();
    let (case, took) = (format!("{way:?}: {role}"), begun.elapsed());
    assert_eq!(ended, Some(0), "{case}: {}", sweep.stderr());
    // The timeout and 30 s for a slot that may be busy would be more.
    assert!(took < Duration::from_secs(35), "{case}: {took:?}");
    let results = sweep.results("out.jsonl");
    let attempts = |id: &str| results[id]["attempts"].as_u64().unwrap();
    assert_eq!(attempts("e0") + attempts("e1"), 3, "{case}: {results:?}");
    let own = [attempts("stops"), attempts("stays")];
    assert_eq!(own, [1, 1], "{case}: {results:?}");
    for (id, result) in &results {
        let expected = if id == "stays" { "timeout" } else { "ok" };
        assert_eq!(result["status"], expected, "{case}: {id}: {result}");
    }
    sweep.assert_nothing_left();
}

#[test]
fn an_init_or_zygote_that_is_stopped_costs_a_retry_soon_after_the_timeout() {
    let cases = Way::all()
        .into_iter()
        .flat_map(|way| [(way, "init"), (way, "zygote")]);
    let start = |(way, role)| std::thread::spawn(move || is_stopped(way, role));
    let threads: Vec<_> = cases.map(start).collect();
    let ended: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
    assert!(ended.iter().all(Result::is_ok), "see above");
}

/// Programs of a Python that had the time to become warm before them; two run at a time.
fn of_warm_python() -> Vec<Value> {
    let python = |n| {
        let code = "import time; time.sleep(0.7); print('done')";
        json!({"id": format!("p{n}"), "argv": ["python3", "-c", code]})
    };
    let before = (0..2).map(|n| json!({"id": format!("b{n}"), "command": "sleep 1; echo done"}));
    before.chain((0..4).map(python)).collect()
}

#[test]
fn a_warm_python_that_dies_costs_a_retry_of_its_episode() {
    for way in Way::of_tier("namespaces") {
        one_of_these_dies(way, &of_warm_python(), 2, "auto", 1..=1, &|sweep| {
            std::thread::sleep(Duration::from_millis(1400));
            sweep.slot_processes("python")
        });
    }
}

/// Its zygotes go with it: two episodes run in them.
#[test]
fn the_death_of_the_parent_of_warm_pythons_costs_a_retry_of_each_episode_at_most() {
    for way in Way::of_tier("namespaces") {
        one_of_these_dies(way, &of_warm_python(), 2, "auto", 0..=2, &|sweep| {
            std::thread::sleep(Duration::from_millis(1400));
            sweep.warm_parents()
        });
    }
}

#[test]
fn slots_that_die_idle_are_replaced_and_leave_nothing() {
    for way in Way::all() {
        let jobs = [stubborn(0, 1.0)];
        let mut sweep = start(
            way,
            &jobs,
            &["--concurrency", "3", "--output", "out.jsonl"],
            Stdio::null(),
        );
        sweep.wait_running(3);
        for pid in sweep.slot_processes("init") {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        assert_eq!(sweep.wait(), Some(0), "{way:?}: {}", sweep.stderr());
        assert_eq!(sweep.results("out.jsonl")["e0"]["attempts"], 2, "{way:?}");
        sweep.assert_nothing_left();
    }
}
