//! How soon a program gets a core is no matter of which slot it runs in, or how it was started.

use super::lines;
use crate::common::{Way, run};
use serde_json::json;
use std::process::Command;

/// Slots from which on starts are real time.
fn crowd() -> usize {
    8 * std::thread::available_parallelism().map_or(1, |n| n.get())
}

/// `nice`, policy and real-time priority of a program, and of what it starts.
const HOW_SCHEDULED: &str = "import os\n\
    for _ in range(2):\n  \
        policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK\n  \
        print(os.nice(0), policy, os.sched_getparam(0).sched_priority, flush=True)\n  \
        if os.fork(): os.wait(); break";

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
    for slots in [2, crowd()] {
        for way in Way::all() {
            let run = run(
                way,
                &lines(&episodes),
                &["--concurrency", &slots.to_string()],
            );
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
            let run = run(way, &lines(std::slice::from_ref(&policy)), &concurrency);
            let real_time = crowded && granted && way.root;
            let expected = format!("{}\n", u8::from(real_time));
            assert_eq!(run.output("init"), expected, "{way:?}, {slots} slots");
        }
    }
}
