//! What the runner's own processes have given up, read from outside while an episode runs.

use crate::common::{Way, command, scratch};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Stdio};

/// A process of a run: its name for `ps`, and /proc/<pid>/status as name and value.
struct Process {
    pid: u32,
    role: &'static str,
    status: BTreeMap<String, String>,
}

impl Process {
    fn has(&self, field: &str) -> &str {
        self.status.get(field).map_or("", String::as_str)
    }

    fn capabilities(&self, set: &str) -> u64 {
        u64::from_str_radix(self.has(set), 16).expect("hexadecimal")
    }

    /// The owner of what is in /proc/<pid> is root's for a process that is not dumpable (proc(5)).
    fn dumpable(&self) -> bool {
        fs::metadata(format!("/proc/{}/environ", self.pid))
            .unwrap()
            .uid()
            != 0
    }
}

/// Ends the run with the test.
struct Run(Child);

impl Drop for Run {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.0.id() as i32);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// Looks at all processes of a run while its one episode runs.
fn look(way: Way, check: impl Fn(&Process)) {
    let directory = scratch();
    let granted = directory.path().to_str().unwrap();
    let line = format!(r#"{{"id":"e","command":"touch {granted}/up; sleep 600"}}"#);
    fs::write(directory.path().join("jobs.jsonl"), line).unwrap();
    let mut command = command(way.root);
    command
        .args([
            "--isolation",
            way.tier,
            "--jobs",
            "jobs.jsonl",
            "--concurrency",
            "1",
            "--fs-writable",
            granted,
        ])
        .current_dir(&directory);
    let null = || Stdio::null();
    let run = Run(command
        .stdin(null())
        .stdout(null())
        .stderr(null())
        .spawn()
        .unwrap());
    for _ in 0..3000 {
        if directory.path().join("up").exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let processes = tree(run.0.id(), "runner");
    let mut roles: Vec<&str> = processes.iter().map(|process| process.role).collect();
    roles.sort_unstable();
    roles.dedup();
    roles.retain(|role| *role != "preloader");
    assert_eq!(roles, ["init", "program", "runner", "zygote"], "{way:?}");
    processes.iter().for_each(check);
}

fn tree(pid: u32, role: &'static str) -> Vec<Process> {
    let Ok(text) = fs::read_to_string(format!("/proc/{pid}/status")) else {
        return Vec::new();
    };
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    let status = pairs
        .map(|(name, value)| (name.into(), value.trim().into()))
        .collect();
    let mut list = vec![Process { pid, role, status }];
    for thread in fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten() {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children
            .split_whitespace()
            .map(|pid| pid.parse::<u32>().unwrap())
        {
            let name =
                |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let own = name(pid);
            let role = match name(child).trim() {
                name if name.ends_with(" init") => "init",
                name if name.ends_with(" zygote") => "zygote",
                // What a warm Python is forked from; it never runs a program.
                _ if role == "runner" => "preloader",
                _ if role == "preloader" => "zygote",
                // A warm bash: programs have it, or the exec zygote, for a parent.
                "bash" if own.starts_with("slot") => "zygote",
                _ => "program",
            };
            list.extend(tree(child, role));
        }
    }
    list
}

#[test]
fn nothing_below_the_runner_can_gain_privileges() {
    for way in Way::all() {
        look(way, |process| {
            let expected = if process.role == "runner" { "0" } else { "1" };
            assert_eq!(
                process.has("NoNewPrivs"),
                expected,
                "{way:?}: {}",
                process.role
            );
        });
    }
}

/// Init needs some in its own user namespace: CAP_DAC_OVERRIDE, CAP_SYS_PTRACE, CAP_SYS_ADMIN.
#[test]
fn no_process_of_a_slot_has_a_capability_but_init_in_its_own_namespace() {
    const INIT: u64 = 1 << 1 | 1 << 19 | 1 << 21;
    for way in Way::all() {
        look(way, |process| {
            // The preloader's copies enter slots with what it has, and give it up there.
            if matches!(process.role, "runner" | "preloader") {
                return;
            }
            let kept = if process.role == "init" && way.namespaces() {
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
                assert_eq!(
                    process.capabilities(set),
                    most,
                    "{way:?}: {} {set}",
                    process.role
                );
            }
            // Without root there is no right to empty it, and no_new_privs keeps it from being used.
            if way.root || way.namespaces() {
                assert_eq!(
                    process.capabilities("CapBnd"),
                    0,
                    "{way:?}: {}",
                    process.role
                );
            }
        });
    }
}

#[test]
fn zygotes_and_programs_are_filtered() {
    for way in Way::all() {
        look(way, |process| {
            if matches!(process.role, "zygote" | "program") {
                assert_eq!(process.has("Seccomp"), "2", "{way:?}: {}", process.role);
            }
        });
    }
}

/// Neither can they be traced, nor their memory be read, by a program of the same uid.
#[test]
fn the_runners_own_processes_are_not_dumpable() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    for way in Way::all() {
        look(way, |process| match process.role {
            // A program decides about itself, which shows that the check tells one from the other.
            "program" => assert!(process.dumpable(), "{way:?}"),
            // The files of root's own processes are root's in any case.
            "runner" | "preloader" if way.root => {}
            role => assert!(!process.dumpable(), "{way:?}: {role}"),
        });
    }
}

/// A limit of 1, because one of 0 does not keep the host's handler for crashes from being started (core(5)).
#[test]
fn no_process_of_a_slot_dumps_core() {
    for way in Way::all() {
        look(way, |process| {
            if process.role != "runner" {
                let limits = fs::read_to_string(format!("/proc/{}/limits", process.pid)).unwrap();
                let line = limits
                    .lines()
                    .find(|line| line.starts_with("Max core file"))
                    .unwrap();
                let numbers: Vec<&str> = line.split_whitespace().skip(4).take(2).collect();
                assert_eq!(numbers, ["1", "1"], "{way:?}: {}", process.role);
            }
        });
    }
}
