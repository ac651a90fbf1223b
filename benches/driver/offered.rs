//! An open loop: programs are asked for at fixed moments. Each latency runs from the moment the program was due, not
//! from when there was time for it, so that a stall counts for everybody who would have come in it (the correction for
//! coordinated omission, without having to estimate it).

use crate::spawn::{self, Times};
use crate::{Loop, Offered, now_ns, read_list, report, talk};
use serde_json::Value;
use std::io::{BufRead, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Before the first is due.
const LEAD_NS: u64 = 500_000_000;

/// When each is due.
struct Schedule {
    begin_ns: u64,
    gap_ns: f64,
}

impl Schedule {
    fn of(rate: f64) -> Schedule {
        Schedule {
            begin_ns: now_ns() + LEAD_NS,
            gap_ns: 1e9 / rate,
        }
    }

    fn due_ns(&self, n: usize) -> u64 {
        self.begin_ns + (n as f64 * self.gap_ns) as u64
    }

    /// Waits until the n-th is due.
    fn wait(&self, n: usize) -> u64 {
        let due_ns = self.due_ns(n);
        std::thread::sleep(Duration::from_nanos(due_ns.saturating_sub(now_ns())));
        due_ns
    }
}

pub fn run(offered: &Offered) -> Value {
    let (latencies, wall_s) = if offered.runner {
        to_runner(&offered.way, offered.rate)
    } else {
        to_threads(&offered.way, offered.rate)
    };
    report(latencies.len(), wall_s, &latencies, &[])
}

/// As many threads as may be needed each take the next that is due.
fn to_threads(way: &Loop, rate: f64) -> (Vec<u64>, f64) {
    let programs = spawn::programs(way);
    let (next, all) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let schedule = Schedule::of(rate);
    std::thread::scope(|scope| {
        for _ in 0..way.concurrency {
            scope.spawn(|| {
                let mut own = Times::default();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some(argv) = programs.get(n) else { break };
                    let due_ns = schedule.wait(n);
                    spawn::one(way, argv, due_ns, &mut own);
                }
                all.lock().expect("no panic").extend(own.latencies);
            });
        }
    });
    let wall_s = (now_ns() - schedule.begin_ns) as f64 / 1e9;
    (all.into_inner().expect("no panic"), wall_s)
}

/// One thread writes episodes when they are due, this one notes when results come.
fn to_runner(way: &Loop, rate: f64) -> (Vec<u64>, f64) {
    let mut episodes = read_list(&way.list, way.count);
    let (mut runner, mut stdin, results) = talk::start(way);
    let schedule = Schedule::of(rate);
    let mut latencies = Vec::with_capacity(episodes.len());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (n, episode) in episodes.iter_mut().enumerate() {
                episode["id"] = n.to_string().into();
                schedule.wait(n);
                writeln!(stdin, "{episode}").expect("the runner reads");
            }
            drop(stdin);
        });
        for line in results.lines() {
            let result = talk::parse(&line.expect("the runner answers"));
            let n = result["id"].as_str().and_then(|id| id.parse().ok());
            let due_ns = schedule.due_ns(n.expect("the id it was given"));
            latencies.push(now_ns().saturating_sub(due_ns));
        }
    });
    let wall_s = (now_ns() - schedule.begin_ns) as f64 / 1e9;
    runner.wait().expect("the runner ends");
    (latencies, wall_s)
}
