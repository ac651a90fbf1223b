//! The kernel kills at a slot's limit of memory, whomever: a program, or a process of the slot's own. Where this machine gives
//! the runner no memory cgroups there is nothing to be seen, and the tests say so.

use crate::common::{Way, limit_cgroup, slot_cgroups};
use crate::left::{Sweep, start};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

/// Takes more memory than `LIMIT_BYTES` when the gate is open, and would be content with it.
const GROWS: &str = "echo begun; until [ -e {gate} ]; do sleep 0.1; done; head -c 100000000 /dev/zero | tail > sink";
const LIMIT_BYTES: &str = "50000000";

/// Runs these beside each other, with a limit of the kernel's that is below that of the episodes. None without cgroups.
fn limited(way: Way, commands: &[(&str, &str)], warm: &str) -> Option<Sweep> {
    let episode = |(id, command)| json!({"id": id, "command": command, "timeout_s": 100});
    let mut jobs: Vec<Value> = commands.iter().copied().map(episode).collect();
    jobs.push(json!({"id": "next", "command": "echo next"}));
    let slots = commands.len().to_string();
    let args = [
        "--concurrency",
        &slots,
        "--output",
        "out.jsonl",
        "--warm",
        warm,
    ];
    let mut sweep = start(way, &jobs, &args, Stdio::null());
    sweep.wait_running(commands.len());
    let cgroups = slot_cgroups(sweep.child.id());
    if cgroups.is_empty() {
        eprintln!("{way:?}: no memory cgroups here");
        return None;
    }
    for cgroup in cgroups {
        limit_cgroup(&cgroup, LIMIT_BYTES);
    }
    Some(sweep)
}

#[track_caller]
fn assert_memory_limit(sweep: &mut Sweep) {
    let way = sweep.way;
    sweep.open_gate();
    assert_eq!(sweep.wait(), Some(0), "{way:?}: {}", sweep.stderr());
    let results = sweep.results("out.jsonl");
    let grows = &results["grows"];
    assert_eq!(grows["status"], "memory_limit", "{way:?}: {grows}");
    // The shell may still say that its child was killed.
    let output = grows["output"].as_str().unwrap();
    assert!(output.starts_with("begun\n"), "{way:?}: {grows}");
    for (id, result) in &results {
        assert_eq!(result["attempts"], 1, "{way:?}: {id}: {result}");
    }
    assert_eq!(results["next"]["output"], "next\n", "{way:?}");
    sweep.assert_nothing_left();
    assert_eq!(sweep.cgroups(), Vec::<PathBuf>::new(), "{way:?}");
}

#[test]
fn a_program_that_the_kernel_kills_at_the_limit_of_its_slot_ends_in_memory_limit() {
    for way in Way::all() {
        if let Some(mut sweep) = limited(way, &[("grows", GROWS)], "bash") {
            assert_memory_limit(&mut sweep);
        }
    }
}

/// Shared memory of which only the first page is still mapped: nothing outside of the kernel shows how much that is.
#[test]
fn memory_that_can_not_be_seen_ends_in_memory_limit_all_the_same() {
    let program = include_str!("programs/shared_memory_that_is_mapped_no_more.py");
    let grows = format!(
        "echo begun; until [ -e {{gate}} ]; do sleep 0.1; done; python3 -c '{program}'; sleep 90"
    );
    for way in Way::all() {
        if let Some(mut sweep) = limited(way, &[("grows", &grows)], "bash") {
            assert_memory_limit(&mut sweep);
        }
    }
}

/// As it does where the program's processes are small, and what it holds for them is large.
#[test]
fn an_episode_whose_zygote_the_kernel_kills_at_the_limit_ends_in_memory_limit() {
    for (way, warm) in Way::all()
        .into_iter()
        .flat_map(|way| [(way, "none"), (way, "bash")])
    {
        let command = format!("{GROWS}; sleep 90");
        let Some(mut sweep) = limited(way, &[("grows", &command)], warm) else {
            continue;
        };
        let mut first = sweep.slot_processes("zygote");
        first.extend(sweep.warm_interpreters());
        for victim in first {
            fs::write(format!("/proc/{victim}/oom_score_adj"), "1000").unwrap();
        }
        assert_memory_limit(&mut sweep);
    }
}

#[test]
fn a_program_that_kills_itself_beside_one_at_its_limit_is_not_run_again() {
    for way in Way::all() {
        let kills = "until [ -e {gate} ]; do sleep 0.1; done; sleep 1; kill -9 $$";
        let commands = [("grows", GROWS), ("kills", kills)];
        let Some(mut sweep) = limited(way, &commands, "bash") else {
            continue;
        };
        assert_memory_limit(&mut sweep);
        let kills = &sweep.results("out.jsonl")["kills"];
        assert_eq!(kills["status"], "signaled", "{way:?}: {kills}");
    }
}

#[test]
fn the_cgroups_of_a_killed_runner_are_removed_by_the_next() {
    for way in Way::all() {
        let Some(mut sweep) = limited(way, &[("grows", GROWS)], "bash") else {
            continue;
        };
        assert_ne!(sweep.cgroups(), Vec::<PathBuf>::new(), "{way:?}");
        sweep.signal(Signal::SIGKILL);
        sweep.child.wait().unwrap();
        // The next one is this one, or another test's.
        sweep.assert_nothing_left();
        sweep.open_gate();
        assert_eq!(sweep.again(&["--output", "out2.jsonl"]), Some(0), "{way:?}");
        assert_eq!(sweep.cgroups(), Vec::<PathBuf>::new(), "{way:?}");
    }
}
