//! A machine that is short of what every slot needs: what a run says then, and what it does.

use super::common::{Run, TestCgroup, binary, parse, scratch};
use super::quick;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A user that nobody else is.
fn somebody() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Far from those of other test processes.
    let first = 30_000 + std::process::id() * 64 % 30_000;
    first + NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Runs forty episodes as an ordinary user after this line of bash.
fn after(line: &str, arguments: &[&str]) -> Run {
    let episodes: Vec<String> = (0..40).map(|n| quick(&n.to_string())).collect();
    let mut command = as_somebody();
    command.args(["bash", "-c", &format!("{line} && exec \"$@\""), "bash"]);
    run(command, &episodes.join("\n"), arguments)
}

fn as_somebody() -> Command {
    let mut command = Command::new("env");
    if nix::unistd::geteuid().is_root() {
        let id = somebody().to_string();
        command.args(["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"]);
    }
    command
}

fn run(mut command: Command, jobs: &str, arguments: &[&str]) -> Run {
    let directory = scratch();
    fs::write(directory.path().join("jobs.jsonl"), jobs).unwrap();
    command
        .arg(binary())
        .args(["--jobs", "jobs.jsonl"])
        .args(arguments)
        .current_dir(directory.path())
        .stdin(Stdio::null());
    parse(command.output().expect("env starts"))
}

/// Every episode is done at the first attempt, in fewer slots than were asked for, which is said.
#[track_caller]
fn assert_done_in_fewer_slots(run: &Run, because: &str, remedy: &str) {
    assert_eq!(
        (run.code, run.results.len()),
        (Some(0), 40),
        "{}",
        run.stderr
    );
    for result in run.results.values() {
        assert_eq!(
            (&result["status"], &result["attempts"]),
            (&"ok".into(), &1.into()),
            "{result}"
        );
    }
    let note = run
        .stderr
        .lines()
        .find(|line| line.contains("slots in place of 24"));
    let note = note.unwrap_or_else(|| panic!("{}", run.stderr));
    assert!(note.contains(because) && note.contains(remedy), "{note}");
}

#[track_caller]
fn assert_refused(run: &Run, because: &str, remedy: &str) {
    assert_eq!((run.code, run.lines.len()), (Some(3), 0), "{}", run.stderr);
    let sentence = format!("runner: no slot can be started: {because}");
    assert!(run.stderr.contains(&sentence), "{}", run.stderr);
    assert!(
        run.stderr.contains(&format!("Remedy: {remedy}")),
        "{}",
        run.stderr
    );
}

#[test]
fn where_open_files_are_few_there_are_fewer_slots() {
    for tier in ["namespaces", "landlock"] {
        let run = after(
            "ulimit -n 48",
            &["--concurrency", "24", "--isolation", tier],
        );
        let because = "this process may have no more than 48 open files (ulimit -Hn)";
        assert_done_in_fewer_slots(&run, because, "sudo prlimit --pid $$ --nofile=");
    }
}

#[test]
fn where_processes_are_few_there_are_fewer_slots() {
    for (tier, warm) in [
        ("namespaces", "auto"),
        ("namespaces", "none"),
        ("landlock", "auto"),
    ] {
        let arguments = ["--concurrency", "24", "--isolation", tier, "--warm", warm];
        let run = after("ulimit -u 40", &arguments);
        let because =
            "this user may have no more than 40 processes and threads (ulimit -u), and has ";
        assert_done_in_fewer_slots(&run, because, "sudo prlimit --pid $$ --nproc=unlimited");
    }
}

/// As in a container that is given few processes.
#[test]
fn where_the_cgroup_has_few_processes_there_are_fewer_slots() {
    let Some(cgroup) = few_processes("80") else {
        return;
    };
    for warm in ["auto", "none"] {
        let mut command = Command::new("sh");
        command.args(["-c", &cgroup.enter(), "sh"]);
        let episodes: Vec<String> = (0..40).map(|n| quick(&n.to_string())).collect();
        let arguments = ["--concurrency", "24", "--warm", warm];
        let run = run(command, &episodes.join("\n"), &arguments);
        let because =
            "its cgroup may have no more than 80 processes and threads (pids.max), and has ";
        assert_done_in_fewer_slots(&run, because, "pids");
    }
}

/// What could not be known at the start: others take what it would have needed.
#[test]
fn where_a_slot_more_can_not_be_had_the_others_do_its_work() {
    let slots = 60;
    let Some(cgroup) = few_processes("max") else {
        return;
    };
    let mut command = Command::new("sh");
    command.args(["-c", &cgroup.enter(), "sh"]).arg(binary());
    command.args(["--jobs", "-", "--concurrency", &slots.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut runner = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut jobs = runner.stdin.take().unwrap();
    let mut results = BufReader::new(runner.stdout.take().unwrap());
    jobs.write_all(quick("first").as_bytes()).unwrap();
    let mut first = String::new();
    results.read_line(&mut first).unwrap();
    let count = fs::read_to_string(cgroup.path.join("pids.current")).unwrap();
    let count: u32 = count.trim().parse().unwrap();
    // Few enough to be met long before the end, however slowly slots are built beside other tests.
    fs::write(cgroup.path.join("pids.max"), (count + 20).to_string()).unwrap();
    let line = |n| format!("{{\"id\": \"{n}\", \"argv\": [\"sleep\", \"0.2\"]}}\n");
    let episodes: String = (0..80).map(line).collect();
    jobs.write_all(episodes.as_bytes()).unwrap();
    drop(jobs);
    let mut others = Vec::new();
    results.read_to_end(&mut others).unwrap();
    let output = runner.wait_with_output().unwrap();
    let run = parse(Output {
        stdout: others,
        ..output
    });
    assert_eq!(
        (run.code, run.results.len()),
        (Some(0), 80),
        "{}",
        run.stderr
    );
    for result in run.results.values() {
        assert_eq!(result["status"], "ok", "{result}");
    }
    // Each has three processes at least.
    let were_all_there = count + 20 >= 3 * slots;
    let because = "slots in place of 60, because another was refused a process";
    assert!(
        were_all_there || run.stderr.contains(because),
        "{}",
        run.stderr
    );
}

fn few_processes(limit: &str) -> Option<TestCgroup> {
    let made = TestCgroup::make("pids", ("pids.max", limit));
    if made.is_none() {
        eprintln!("skipped: no cgroup that limits processes (version 1) can be made here");
    }
    made
}

#[test]
fn where_not_even_one_slot_can_be_had_the_run_ends_with_status_3_and_the_remedy() {
    for tier in ["auto", "namespaces", "landlock"] {
        let files = after("ulimit -n 16", &["--isolation", tier]);
        assert_refused(
            &files,
            "this process may have no more than 16 open files (ulimit -Hn)",
            "sudo prlimit --pid $$ --nofile=",
        );
        let processes = after("ulimit -u 6", &["--isolation", tier]);
        assert_refused(
            &processes,
            "this user may have no more than 6 processes and threads (ulimit -u), and has ",
            "sudo prlimit --pid $$ --nproc=unlimited",
        );
    }
}

#[test]
fn without_proc_that_is_what_a_run_names() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    for tier in ["auto", "namespaces", "landlock"] {
        let mut command = Command::new("unshare");
        let hide = "mount -t tmpfs none /proc && exec \"$@\"";
        command.args(["--mount", "sh", "-c", hide, "sh"]);
        let run = run(command, &quick("a"), &["--isolation", tier]);
        assert_refused(
            &run,
            "/proc is not mounted",
            "sudo mount -t proc proc /proc",
        );
    }
}

#[test]
fn root_without_capabilities_is_told_which_it_lacks() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let without = |set: &str, tier: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", set, "--inh-caps", set, "--"]);
        run(command, &quick("a"), &["--isolation", tier])
    };
    let all = "CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_SETGID, CAP_SETUID";
    for tier in ["auto", "landlock"] {
        assert_refused(
            &without("-all", tier),
            &format!("root without {all}"),
            &format!("start it as an ordinary user, or with {all}"),
        );
    }
    assert_refused(
        &without("-chown", "landlock"),
        "root without CAP_CHOWN\n",
        "start it as an",
    );
    let namespaces = without("-sys_admin", "namespaces");
    assert_eq!(namespaces.code, Some(3), "{}", namespaces.stderr);
    let remedy = "Remedy: start it as an ordinary user, or with CAP_SYS_ADMIN\n";
    assert!(namespaces.stderr.contains(remedy), "{}", namespaces.stderr);
}
