//! All slots share one import of what a warm Python has loaded: its time, and its memory.

use super::common::{binary, scratch};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Takes a second of CPU and 60 MB.
const MODULE: &str = "import time\nend = time.process_time() + 1\n\
    while time.process_time() < end: pass\n\
    data = bytearray(60 << 20)\nfor i in range(0, len(data), 4096): data[i] = 1\n";
/// Enough for a few imports, and for a fraction of what an import in each of the slots would take.
const WAIT_S: u64 = 6;
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
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten();
    let children: u64 = tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter_map(|child| child.parse().ok())
        .map(tree_bytes)
        .sum();
    own_kb * 1024 + children
}

/// Memory while each slot runs a program, and how many of them were warm.
fn run_in(slots: usize, python: &Path, directory: &Path) -> (u64, usize) {
    let mut jobs = String::new();
    for i in 0..slots {
        let wait = ["sleep".to_owned(), WAIT_S.to_string()];
        jobs += &format!("{}\n", json!({"id": format!("wait {i}"), "argv": wait}));
    }
    for i in 0..slots {
        let code = "import heavy, time; time.sleep(4)";
        jobs += &format!(
            "{}\n",
            json!({"id": i.to_string(), "argv": [python, "-c", code]})
        );
    }
    let file = directory.join(format!("jobs-{slots}.jsonl"));
    fs::write(&file, jobs).expect("jobs");
    let list = format!("python={}:heavy", python.display());
    let child = Command::new(binary())
        .arg("--jobs")
        .arg(&file)
        .args([
            "--isolation",
            "namespaces",
            "--warm",
            &list,
            "--concurrency",
        ])
        .arg(slots.to_string())
        .args([Path::new("--fs-readable"), directory])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the runner starts");
    std::thread::sleep(Duration::from_secs(WAIT_S + 2));
    let bytes = tree_bytes(child.id());
    let output = child.wait_with_output().expect("the runner ends");
    let results = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_warm = |line: &&str| {
        let result: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(result["status"], "ok", "{line}");
        result["start"] == "warm-python"
    };
    (bytes, results.lines().filter(is_warm).count())
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
    assert_eq!(warm, SLOTS, "warm after {WAIT_S} s");
    assert!(one > 60 * MB, "{} MB", one / MB);
    assert!(
        many < one * 3 / 2 + SLOTS as u64 * 6 * MB,
        "{} MB in one slot, {} MB in {SLOTS}",
        one / MB,
        many / MB
    );
    eprintln!("{} MB in one slot, {} MB in {SLOTS}", one / MB, many / MB);
}
