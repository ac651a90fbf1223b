//! What the host keeps from programs is no fault of theirs, and what they do to themselves is none of the host's. Where no
//! cgroup can be made around a runner (version 1, root) there is nothing to be seen, and the tests say so.

use super::{lines, ordinary_user};
use crate::common::{Run, TestCgroup, Way, killed_in, run_in};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Hides the cgroups from the runner: slots have none of their own, and there is no count of the runner's own.
const WITHOUT_CGROUPS: &str =
    "exec unshare --mount sh -c 'mount -t tmpfs none /sys/fs/cgroup && exec \"$@\"' sh \"$@\"";
const AS_IT_IS: &str = "exec \"$@\"";
/// How often the kernel kills something beside the runner.
const KILL_INTERVAL: Duration = Duration::from_millis(500);
/// Holds memory until there is none.
const GROWS: [&str; 2] = ["tail", "/dev/zero"];

fn run(script: &str, way: Way, episodes: &[Value], args: &[&str]) -> Run {
    let uid = if way.root { 0 } else { ordinary_user() };
    run_in(script, uid, way, &lines(episodes), args)
}

fn cgroup(controller: &str, limit: (&str, &str)) -> Option<TestCgroup> {
    let made = TestCgroup::make(controller, limit);
    if made.is_none() {
        eprintln!("no {controller} cgroup (version 1) can be made here");
    }
    made
}

/// Set when this is dropped: by the end of a test that failed too, which would wait for ever for a thread that goes on.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Lets the kernel kill one program after another in this cgroup while `body` runs.
fn beside_kills(victims: &TestCgroup, body: impl FnOnce()) {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let mut victim = Command::new("sh");
                victim.args(["-c", &victims.enter(), "sh"]).args(GROWS);
                let _ = victim.stdout(Stdio::null()).status();
                std::thread::sleep(KILL_INTERVAL);
            }
        });
        let _over = Over(&is_over);
        body();
    });
}

/// 600 in all; `RUNNER_TEST_SELF_KILLS` asks for another number.
fn self_kills() -> usize {
    let asked = std::env::var("RUNNER_TEST_SELF_KILLS").ok();
    asked.map_or(600, |n| n.parse().expect("a number"))
}

#[test]
fn programs_that_kill_themselves_are_signaled_while_the_kernel_kills_others() {
    let Some(victims) = cgroup("memory", ("memory.limit_in_bytes", "16000000")) else {
        return;
    };
    let runs: Vec<(&str, Way)> = [WITHOUT_CGROUPS, AS_IT_IS]
        .into_iter()
        .flat_map(|script| Way::all().into_iter().map(move |way| (script, way)))
        .collect();
    let each = self_kills().div_ceil(runs.len());
    let episode = |n| json!({"id": format!("{n}"), "command": "sleep 0.1; kill -9 $$"});
    let episodes: Vec<Value> = (0..each).map(episode).collect();
    for (script, way) in runs {
        let before = killed_in(&victims.path);
        let mut ran = None;
        beside_kills(&victims, || {
            ran = Some(run(script, way, &episodes, &["--concurrency", "4"]));
        });
        let ran = ran.unwrap();
        assert!(killed_in(&victims.path) > before + 1, "{way:?}");
        for n in 0..each {
            let result = ran.get(&n.to_string());
            let what = (&result["status"], &result["fault"], &result["attempts"]);
            assert_eq!(
                what,
                (&"signaled".into(), &"program".into(), &1.into()),
                "{way:?}: {result}"
            );
        }
    }
}

#[test]
fn programs_that_the_host_kills_for_want_of_memory_are_infra_errors() {
    let episode = |n| {
        let mut episode = json!({"id": format!("{n}"), "resources": {"memory_mb": 4096}});
        match n % 2 {
            0 => episode["argv"] = json!(GROWS),
            // The shell lives on, and says how its child ended.
            _ => episode["command"] = json!(format!("{}; exit $?", GROWS.join(" "))),
        }
        episode
    };
    let episodes: Vec<Value> = (0..8).map(episode).collect();
    for (around_it, way) in Way::all()
        .into_iter()
        .flat_map(|way| [WITHOUT_CGROUPS, AS_IT_IS].map(|script| (script, way)))
    {
        // An ordinary user has the cgroup's count alone.
        if around_it == WITHOUT_CGROUPS && !way.root {
            continue;
        }
        let Some(around) = cgroup("memory", ("memory.limit_in_bytes", "300000000")) else {
            return;
        };
        let script = around.enter().replace(AS_IT_IS, around_it);
        let args = ["--concurrency", "2", "--retries", "0", "--warm", "none"];
        let ran = run(&script, way, &episodes, &args);
        for n in 0..episodes.len() {
            let result = ran.get(&n.to_string());
            assert_eq!(result["status"], "infra_error", "{way:?}: {result}");
            assert!(
                ran.error(&n.to_string())
                    .contains("the host ran out of memory"),
                "{result}"
            );
        }
    }
}

#[test]
fn processes_that_the_host_refuses_are_no_fault_of_the_program() {
    for way in Way::all() {
        if let Some(around) = cgroup("pids", ("pids.max", "60")) {
            assert_refused(way, &around.enter(), "pids.max");
        }
    }
}

/// Where slots have no uids of their own, all of their processes are the runner's user's.
#[test]
fn processes_that_the_limit_of_the_user_refuses_are_no_fault_of_the_program() {
    for way in Way::all().into_iter().filter(|way| !way.root) {
        let _alone = super::share_processes(nix::fcntl::FlockArg::LockExclusive);
        assert_refused(way, "exec prlimit --nproc=60 -- \"$@\"", "ulimit -u");
    }
}

/// Four programs of twenty threads each, under a limit for all of them that this sets; some don't get all of theirs.
fn assert_refused(way: Way, limited: &str, evidence: &str) {
    let program = "import threading, time\n\
        threads = [threading.Thread(target=time.sleep, args=(3,)) for _ in range(20)]\n\
        for thread in threads: thread.start()";
    let episode = |n| json!({"id": format!("{n}"), "argv": ["python3", "-c", program]});
    let episodes: Vec<Value> = (0..4).map(episode).collect();
    let args = ["--concurrency", "4", "--retries", "0", "--warm", "none"];
    let ran = run(limited, way, &episodes, &args);
    let mut refused = 0;
    for n in 0..episodes.len() {
        let result = ran.get(&n.to_string());
        let status = result["status"].as_str().unwrap();
        assert!(["ok", "infra_error"].contains(&status), "{way:?}: {result}");
        let error = result["error"].as_str().unwrap_or_default();
        refused += usize::from(error.contains(evidence));
    }
    assert!(refused > 0, "{way:?}: {:?}", ran.lines);
}
