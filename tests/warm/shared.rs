//! All slots share one import of what a warm Python has loaded: its time, and its memory.

use super::common::{Way, children, run_when, scratch, sleeps, wait_for, warm_parents};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;

/// Takes a second of CPU and 60 MB.
const MODULE: &str = include_str!("programs/heavy.py");
const SLOTS: usize = 16;
const MB: u64 = 1 << 20;

/// A virtual environment with the module `heavy`.
fn environment(directory: &Path) -> PathBuf {
    let venv = directory.join("venv");
    let made = Command::new("/usr/bin/python3")
        .args(["-m", "venv", "--without-pip"])
        .arg(&venv)
        .status();
    assert!(made.is_ok_and(|s| s.success()), "a virtual environment");
    let library = fs::read_dir(venv.join("lib")).expect("lib").next();
    let packages = library.unwrap().unwrap().path().join("site-packages");
    fs::write(packages.join("heavy.py"), MODULE).expect("a module");
    venv.join("bin/python3")
}

/// Proportional set size of a process and all below it, in bytes (proc_pid_smaps(5)).
fn tree_bytes(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let own = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let own_kb: u64 = own
        .and_then(|text| text.trim().strip_suffix(" kB")?.trim().parse().ok())
        .unwrap_or(0);
    let below: u64 = children(pid).into_iter().map(tree_bytes).sum();
    own_kb * 1024 + below
}

/// Memory while each slot runs a program, and how many of them were warm.
fn run_in(slots: usize, python: &Path, directory: &Path) -> (u64, usize) {
    let stop = directory.join(format!("stop-{slots}"));
    let code = format!(
        "import heavy, os, time\nwhile not os.path.exists('{}'): time.sleep(0.1)",
        stop.display()
    );
    let program = |n: usize| json!({"id": n.to_string(), "argv": [python, "-c", code]}).to_string();
    let jobs: Vec<String> = (0..slots).map(program).collect();
    let list = format!("python={}:heavy", python.display());
    let arguments = [
        "--warm",
        &list,
        "--fs-readable",
        directory.to_str().expect("UTF-8"),
    ];
    let way = Way {
        root: true,
        tier: "namespaces",
    };
    let copies = |runner| warm_parents(runner).into_iter().flat_map(children);
    let (tell, runner) = mpsc::channel();
    let (bytes, run) = std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            run_when(way, &jobs.join("\n"), slots, &arguments, |runner, _| {
                let ready = copies(runner).filter(|copy| sleeps(*copy));
                let is_so = ready.count() == slots;
                if is_so {
                    tell.send(runner).expect("somebody listens");
                }
                is_so
            })
        });
        let runner = runner.recv().expect("warm Pythons");
        // Each copy has forked a program.
        wait_for(|| {
            copies(runner)
                .filter(|copy| !children(*copy).is_empty())
                .count()
                == slots
        });
        let bytes = tree_bytes(runner);
        fs::write(&stop, "").expect("write");
        (bytes, run.join().expect("no panic"))
    });
    let programs = (0..slots).map(|n| run.get(&n.to_string()));
    let is_warm = |result: &&Value| {
        assert_eq!(result["status"], "ok", "{result}");
        result["start"] == "warm-python"
    };
    (bytes, programs.filter(is_warm).count())
}

#[test]
fn many_slots_import_once_and_share_the_memory() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: a virtual environment of one's own is not kept warm without root");
        return;
    }
    let directory = scratch();
    let python = environment(directory.path());
    let (one, _) = run_in(1, &python, directory.path());
    let (many, warm) = run_in(SLOTS, &python, directory.path());
    assert_eq!(warm, SLOTS, "warm ones");
    assert!(one > 60 * MB, "{} MB", one / MB);
    assert!(
        many < one * 3 / 2 + SLOTS as u64 * 6 * MB,
        "{} MB in one slot, {} MB in {SLOTS}",
        one / MB,
        many / MB
    );
    eprintln!("{} MB in one slot, {} MB in {SLOTS}", one / MB, many / MB);
}
