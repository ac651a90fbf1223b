//! What the runner's own processes have given up, read from outside while an episode runs.

use crate::common::{Way, command, scratch};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// No run takes longer to come to rest on a machine that works.
const WAIT_TIMEOUT: Duration = Duration::from_secs(120);

/// A process of a run, and what /proc says of it.
struct Process {
    pid: u32,
    name: String,
    role: &'static str,
    /// /proc/<pid>/status as name and value.
    status: BTreeMap<String, String>,
    /// The owner of what is in /proc/<pid> is root's for a process that is not dumpable (proc(5)).
    dumpable: bool,
    limits: String,
}

impl Process {
    /// None for one that is gone meanwhile.
    fn read(pid: u32, role: &'static str) -> Option<Process> {
        let file = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).ok();
        let status = file("status")?;
        let pairs = status.lines().filter_map(|line| line.split_once(':'));
        Some(Process {
            pid,
            name: file("comm")?.trim().to_owned(),
            role,
            status: pairs
                .map(|(name, value)| (name.into(), value.trim().into()))
                .collect(),
            dumpable: fs::metadata(format!("/proc/{pid}/environ")).ok()?.uid() != 0,
            limits: file("limits")?,
        })
    }

    fn has(&self, field: &str) -> &str {
        self.status.get(field).map_or("", String::as_str)
    }

    fn capabilities(&self, set: &str) -> u64 {
        u64::from_str_radix(self.has(set), 16).expect("hexadecimal")
    }

    fn is_sleep_600(&self) -> bool {
        let line = fs::read(format!("/proc/{}/cmdline", self.pid));
        line.is_ok_and(|line| line == b"sleep\x00600\x00")
    }

    fn sleeps(&self) -> bool {
        self.has("State").starts_with('S')
    }
}

/// Ends the run with the test.
struct Run(Child);

impl Drop for Run {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.0.id() as i32);
        // Two of the same kind may arrive as one, after which the episode would have its grace period.
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT);
        let _ = self.0.wait();
    }
}

/// Hands over every process of a run of each way, as it was while its one episode ran.
fn look(check: impl Fn(Way, &Process)) {
    static SEEN: OnceLock<Vec<(Way, Vec<Process>)>> = OnceLock::new();
    let ways = || Way::all().into_iter().map(|way| (way, run(way)));
    for (way, processes) in SEEN.get_or_init(|| ways().collect()) {
        processes.iter().for_each(|process| check(*way, process));
    }
}

/// Starts a run, and reads its processes during its second episode, by which a warm Python may have entered the slot.
fn run(way: Way) -> Vec<Process> {
    let directory = scratch();
    let lines = ["sleep 2", "sleep 600; true"].map(|c| json!({"command": c}).to_string());
    fs::write(directory.path().join("jobs.jsonl"), lines.join("\n")).unwrap();
    let run = Run(command(way.root)
        .args(way.arguments())
        .args(["--concurrency", "1"])
        .current_dir(&directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap());
    let processes = at_rest(run.0.id());
    let mut roles: Vec<&str> = processes.iter().map(|process| process.role).collect();
    roles.sort_unstable();
    roles.dedup();
    roles.retain(|role| *role != "preloader");
    assert_eq!(roles, ["init", "program", "runner", "zygote"], "{way:?}");
    processes
}

/// The processes of a run when its program is there, no interpreter is being warmed up, and none of them is between
/// fork and exec, where it is neither what it was nor what it will be: all of them sleep, and they are the same ones
/// that slept a moment ago.
fn at_rest(runner: u32) -> Vec<Process> {
    let begin = Instant::now();
    let mut before = Vec::new();
    loop {
        let processes = tree(runner, "runner");
        let names = |list: &[Process]| -> Vec<(u32, String)> {
            list.iter().map(|p| (p.pid, p.name.clone())).collect()
        };
        let is_there = processes.iter().any(Process::is_sleep_600);
        let at_rest = processes.iter().all(Process::sleeps);
        if is_there && at_rest && names(&processes) == names(&before) {
            return processes;
        }
        assert!(begin.elapsed() < WAIT_TIMEOUT, "{:?}", names(&processes));
        before = processes;
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn tree(pid: u32, role: &'static str) -> Vec<Process> {
    let Some(mut process) = Process::read(pid, role) else {
        return Vec::new();
    };
    let mut list = Vec::new();
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    for thread in threads.into_iter().flatten().flatten() {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            let name = fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
            let role = match name.trim() {
                name if name.ends_with(" init") => "init",
                // A copy of the warm Python has this name from when it enters the slot on.
                name if name.ends_with(" zygote") || name.ends_with(" python") => "zygote",
                // What a warm Python is forked from, and copies that wait for a slot; they never run a program.
                _ if ["runner", "preloader"].contains(&role) => "preloader",
                // A warm bash.
                "bash" if process.name.starts_with("slot") => "zygote",
                _ => "program",
            };
            list.extend(tree(child.parse().expect("a pid"), role));
        }
    }
    // The program itself, where it was not forked from a warm bash.
    let own = pid.to_string();
    let runs_sleep = list
        .iter()
        .any(|p| p.is_sleep_600() && p.has("PPid") == own);
    if process.name == "bash" && runs_sleep {
        process.role = "program";
    }
    list.push(process);
    list
}

#[test]
fn nothing_below_the_runner_can_gain_privileges() {
    look(|way, process| {
        let expected = if process.role == "runner" { "0" } else { "1" };
        let found = process.has("NoNewPrivs");
        assert_eq!(found, expected, "{way:?}: {}", process.role);
    });
}

/// Init needs some in its own user namespace: CAP_DAC_OVERRIDE, CAP_SYS_PTRACE, CAP_SYS_ADMIN.
#[test]
fn no_process_of_a_slot_has_a_capability_but_init_in_its_own_namespace() {
    const INIT: u64 = 1 << 1 | 1 << 19 | 1 << 21;
    look(|way, process| {
        let role = process.role;
        // The preloader's copies enter slots with what it has, and give it up there.
        if matches!(role, "runner" | "preloader") {
            return;
        }
        let kept = if role == "init" && way.namespaces() {
            INIT
        } else {
            0
        };
        for (set, most) in [
            ("CapPrm", kept),
            ("CapEff", kept),
            ("CapInh", 0),
            ("CapAmb", 0),
        ] {
            assert_eq!(process.capabilities(set), most, "{way:?}: {role} {set}");
        }
        // Without root there is no right to empty it, and no_new_privs keeps it from being used.
        if way.root || way.namespaces() {
            assert_eq!(process.capabilities("CapBnd"), 0, "{way:?}: {role}");
        }
    });
}

#[test]
fn zygotes_and_programs_are_filtered() {
    look(|way, process| {
        if matches!(process.role, "zygote" | "program") {
            assert_eq!(process.has("Seccomp"), "2", "{way:?}: {}", process.role);
        }
    });
}

/// The kernel compiles each by itself, in memory that all of the machine shares, and frees them when the process ends.
#[test]
fn no_process_of_a_slot_has_more_than_one_filter() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let own = lines.find_map(|line| line.strip_prefix("Seccomp_filters:"));
    // Linux 5.9. The runner inherits what this process has.
    let Some(own) = own.and_then(|number| number.trim().parse::<u32>().ok()) else {
        return;
    };
    look(|way, process| {
        let expected = match process.role {
            "zygote" | "program" => own + 1,
            "runner" | "init" => own,
            _ => return,
        };
        let found = process.has("Seccomp_filters");
        assert_eq!(found, expected.to_string(), "{way:?}: {}", process.role);
    });
}

/// Neither can they be traced, nor their memory be read, by a program of the same uid.
#[test]
fn the_runners_own_processes_are_not_dumpable() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    look(|way, process| match process.role {
        // A program decides about itself, which shows that the check tells one from the other. (A fork of the warm bash
        // is none until it has become another one by exec.)
        "program" if process.name == "sleep" => assert!(process.dumpable, "{way:?}"),
        "program" => {}
        // The files of root's own processes are root's in any case.
        "runner" | "preloader" if way.root => {}
        role => assert!(!process.dumpable, "{way:?}: {role}"),
    });
}

/// A limit of 1, because one of 0 does not keep the host's handler for crashes from being started (core(5)).
#[test]
fn no_process_of_a_slot_dumps_core() {
    look(|way, process| {
        if process.role != "runner" {
            let mut lines = process.limits.lines();
            let line = lines.find(|line| line.starts_with("Max core file"));
            let words = line.expect("a limit").split_whitespace();
            let numbers: Vec<&str> = words.skip(4).take(2).collect();
            assert_eq!(numbers, ["1", "1"], "{way:?}: {}", process.role);
        }
    });
}
