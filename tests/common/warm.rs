//! Runs that begin when interpreters are warm, which is when the machine has had the time for it.

use super::{Run, Way, command, parse, run, scratch};
use serde_json::json;
use std::fs::{self, File};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

/// Nothing takes longer on a machine that works, however busy it is.
const WAIT_TIMEOUT: Duration = Duration::from_secs(120);

/// Runs episodes in so many slots when what is to be warm in them is.
pub fn run_when_warm(way: Way, jobs: &str, slots: usize, args: &[&str]) -> Run {
    let slots = slots.to_string();
    let waits = ["--warm-wait", "--concurrency", &slots];
    run(way, jobs, &[&waits[..], args].concat())
}

/// Runs episodes in so many slots when something is so; asked with the runner's pid and with what it has said to people. Until
/// then each slot has an episode `wait N`.
pub fn run_when(
    way: Way,
    jobs: &str,
    slots: usize,
    args: &[&str],
    is_so: impl Fn(u32, &str) -> bool,
) -> Run {
    let directory = scratch();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("gate")).expect("mkdir");
    let wait = format!(
        "until [ -e {}/gate/open ]; do sleep 0.05; done",
        directory.path().display()
    );
    let wait =
        |n| json!({"id": format!("wait {n}"), "argv": ["sh", "-c", wait]}).to_string() + "\n";
    let all = (0..slots).map(wait).collect::<String>() + jobs;
    fs::write(path("jobs.jsonl"), all).expect("write");
    let file = |name: &str| File::create(path(name)).expect("create");
    let mut child = command(way.root)
        .args(way.arguments())
        .args(["--concurrency", &slots.to_string(), "--fs-readable"])
        .arg(path("gate"))
        .args(args)
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stdout(file("stdout"))
        .stderr(file("stderr"))
        .spawn()
        .expect("the binary starts");
    let said = || fs::read_to_string(path("stderr")).unwrap_or_default();
    let begin = Instant::now();
    let mut ended = false;
    let mut asked = begin;
    while !ended && !is_so(child.id(), &said()) && begin.elapsed() < WAIT_TIMEOUT {
        pause(asked);
        asked = Instant::now();
        ended = child.try_wait().expect("a child").is_some();
    }
    fs::write(path("gate/open"), "").expect("write");
    parse(Output {
        status: child.wait().expect("the binary ends"),
        stdout: fs::read(path("stdout")).expect("results"),
        stderr: fs::read(path("stderr")).expect("what it said"),
    })
}

/// Waits until something is so.
#[track_caller]
pub fn wait_for(is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    let mut asked = begin;
    while !is_so() {
        assert!(begin.elapsed() < WAIT_TIMEOUT, "it never came to be");
        pause(asked);
        asked = Instant::now();
    }
}

/// Waits before something is asked again, with regard to how long the last answer took: it may have been read from the
/// whole of /proc, and whoever waits should leave the machine to what it waits for.
pub fn pause(asked: Instant) {
    let answered = asked.elapsed().min(Duration::from_millis(20));
    std::thread::sleep((2 * answered).max(Duration::from_millis(5)));
}

/// What warm Pythons are forked from: children of the runner that have the interpreter's name.
pub fn warm_parents(runner: u32) -> Vec<u32> {
    let is_python = |pid: &u32| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        name.starts_with("python")
    };
    children(runner).into_iter().filter(is_python).collect()
}

/// The children of a process, whichever thread has started them.
pub fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let threads = threads.into_iter().flatten().flatten();
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let pids = |list: String| -> Vec<u32> {
        let pids = list.split_whitespace();
        pids.filter_map(|pid| pid.parse().ok()).collect()
    };
    lists.flat_map(pids).collect()
}

/// Whether it waits for something; one that is about to be ready may still be busy in the kernel.
pub fn sleeps(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| rest.starts_with('S'))
}
