//! The bare spawn-and-capture loop.

use crate::{Loop, now_ns, read_list, report, stamp_ns};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Latencies and startups, in nanoseconds.
#[derive(Default)]
pub struct Times {
    pub latencies: Vec<u64>,
    pub startups: Vec<u64>,
}

/// Runs the whole list on as many threads as asked for.
pub fn run(way: &Loop) -> Value {
    let programs = programs(way);
    let (next, all) = (AtomicUsize::new(0), Mutex::new(Times::default()));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..way.concurrency {
            scope.spawn(|| {
                let mut own = Times::default();
                while let Some(argv) = programs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let asked_ns = now_ns();
                    one(way, argv, asked_ns, &mut own);
                }
                let mut all = all.lock().expect("no panic");
                all.latencies.extend(own.latencies);
                all.startups.extend(own.startups);
            });
        }
    });
    let wall_s = started.elapsed().as_secs_f64();
    let times = all.into_inner().expect("no panic");
    report(programs.len(), wall_s, &times.latencies, &times.startups)
}

/// The programs of the list, each with what goes before it.
pub fn programs(way: &Loop) -> Vec<Vec<String>> {
    let list = read_list(&way.list, way.count);
    let whole = |argv: Value| {
        let argv: Vec<String> = serde_json::from_value(argv).expect("arrays of strings");
        way.before.iter().cloned().chain(argv).collect()
    };
    list.into_iter().map(whole).collect()
}

/// Spawns one program, waits for it, and notes how long that took since it was asked for. It has to exit with 0: a rate
/// of failures is none.
pub fn one(way: &Loop, argv: &[String], asked_ns: u64, times: &mut Times) {
    let env = way.env.iter().filter_map(|entry| entry.split_once('='));
    let done = Command::new(&argv[0])
        .args(&argv[1..])
        .env_clear()
        .envs(env)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("{argv:?}: {e}"));
    times.latencies.push(now_ns().saturating_sub(asked_ns));
    assert!(
        done.status.success(),
        "{argv:?}: {}\n{}",
        done.status,
        String::from_utf8_lossy(&done.stderr)
    );
    if way.stamped {
        let began_ns = stamp_ns(&String::from_utf8_lossy(&done.stdout));
        times.startups.push(began_ns.saturating_sub(asked_ns));
    }
}
