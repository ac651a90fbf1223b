//! A run in the background, and what it leaves on the machine.

use crate::common::{Way, cgroups, command, pause, scratch};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Nothing that is waited for takes longer on a machine that works, however busy it is.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// A run of the binary whose episodes carry a mark in their environment and directory, by which they are found again.
pub struct Sweep {
    pub child: Child,
    pub directory: tempfile::TempDir,
    mark: String,
    mounts: String,
    pub way: Way,
    /// Every process seen below the runner so far.
    seen: BTreeMap<i32, u64>,
}

/// Starts a run. In its commands, `{gate}` is a file that is there once `open_gate` was called.
pub fn start(way: Way, jobs: &[Value], args: &[&str], stdout: Stdio) -> Sweep {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // None is the beginning of another.
    let mark = format!(
        "mark-{}-{}-end",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let directory = scratch();
    let gate = directory.path().join("gate");
    fs::create_dir(&gate).unwrap();
    let open = gate.join("open").display().to_string();
    let line = |job| with_mark(job, &mark).replace("{gate}", &open);
    let lines: Vec<String> = jobs.iter().map(line).collect();
    fs::write(directory.path().join("jobs.jsonl"), lines.join("\n")).unwrap();
    let temporary = directory.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o1777)).unwrap();
    let mounts = mounts();
    let child = run_again(way, &directory, args, stdout);
    Sweep {
        child,
        directory,
        mark,
        mounts,
        way,
        seen: BTreeMap::new(),
    }
}

fn with_mark(job: &Value, mark: &str) -> String {
    let mut job = job.clone();
    job["env"] = serde_json::json!({"MARK": mark});
    // A warm interpreter's child has its parent's environment in /proc, but a directory of its own.
    if job["workdir"].is_null() {
        job["workdir"] = serde_json::json!(mark);
    }
    job.to_string()
}

fn run_again(way: Way, directory: &tempfile::TempDir, args: &[&str], stdout: Stdio) -> Child {
    let stderr = fs::File::create(directory.path().join("stderr")).unwrap();
    command(way.root)
        .args(way.arguments())
        .arg("--fs-readable")
        .arg(directory.path().join("gate"))
        .args(args)
        .current_dir(directory.path())
        .env("TMPDIR", directory.path().join("tmp"))
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .unwrap()
}

impl Sweep {
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// The line of a job that is to be one of this run's.
    pub fn line(&self, job: &Value) -> String {
        with_mark(job, &self.mark) + "\n"
    }

    /// Runs the same jobs again, to the end; its exit code.
    pub fn again(&self, args: &[&str]) -> Option<i32> {
        run_again(self.way, &self.directory, args, Stdio::null())
            .wait()
            .unwrap()
            .code()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn stderr(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap()
    }

    /// Lets the episodes go on that wait for it.
    pub fn open_gate(&self) {
        fs::write(self.path("gate/open"), "").unwrap();
    }

    /// Waits until this many episodes' processes are seen, and remembers all that the runner has started.
    pub fn wait_running(&mut self, least: usize) {
        self.wait_until("episodes run", |sweep| marked(&sweep.mark).len() >= least);
    }

    /// Waits until the runner has said this to people.
    pub fn wait_said(&mut self, words: &str) {
        self.wait_until(words, |sweep| sweep.stderr().contains(words));
    }

    /// Waits until something is so, and remembers all that the runner has started.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, is_so: impl Fn(&Sweep) -> bool) {
        let begin = Instant::now();
        let mut asked = begin;
        while !is_so(self) {
            let waits = begin.elapsed() < WAIT_TIMEOUT;
            assert!(waits, "{:?}: {what}: never: {}", self.way, self.stderr());
            pause(asked);
            asked = Instant::now();
        }
        self.seen.extend(below(self.child.id() as i32));
    }

    /// Processes of slots by their role in `ps`.
    pub fn slot_processes(&self, role: &str) -> Vec<i32> {
        let name = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        below(self.child.id() as i32)
            .into_keys()
            .filter(|pid| name(pid).trim().ends_with(role))
            .collect()
    }

    /// Those that fork programs: a program's own bash has one of them for a parent, they have a slot's process.
    pub fn warm_interpreters(&self) -> Vec<i32> {
        let name = |pid: i32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let parent = |pid: i32| {
            stat(pid)
                .and_then(|fields| fields[1].parse().ok())
                .unwrap_or(0)
        };
        below(self.child.id() as i32)
            .into_keys()
            .filter(|pid| name(*pid).trim() == "bash" && name(parent(*pid)).starts_with("slot"))
            .collect()
    }

    /// Whether an episode runs in the slot of this init.
    pub fn is_busy(&self, init: i32) -> bool {
        let marked = marked(&self.mark);
        let slots = self.children(self.child.id() as i32).into_iter();
        let mut slots = slots.map(|slot| (slot, below(slot)));
        // In the landlock tier init is the process that the runner has started.
        let its = slots.find(|(slot, below)| *slot == init || below.contains_key(&init));
        its.is_some_and(|(_, below)| marked.iter().any(|pid| below.contains_key(pid)))
    }

    /// Processes that one has started.
    pub fn children(&self, of: i32) -> Vec<i32> {
        let is_child = |pid: &i32| stat(*pid).is_some_and(|fields| fields[1] == of.to_string());
        let all = below(self.child.id() as i32).into_keys();
        all.filter(is_child).collect()
    }

    /// Of warm Pythons: children of the runner itself.
    pub fn warm_parents(&self) -> Vec<i32> {
        let runner = self.child.id().to_string();
        let is_parent = |pid: &i32| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            name.starts_with("python") && stat(*pid).is_some_and(|fields| fields[1] == runner)
        };
        below(self.child.id() as i32)
            .into_keys()
            .filter(is_parent)
            .collect()
    }

    /// Where the cgroups of its slots are, if it has some.
    pub fn cgroups(&self) -> Vec<PathBuf> {
        cgroups(self.child.id())
    }

    pub fn wait(&mut self) -> Option<i32> {
        self.wait_at_most(2 * WAIT_TIMEOUT)
    }

    pub fn wait_at_most(&mut self, longest: Duration) -> Option<i32> {
        let until = Instant::now() + longest;
        loop {
            let asked = Instant::now();
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            if Instant::now() > until {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                panic!(
                    "{:?}: the runner did not end within {longest:?}: {}",
                    self.way,
                    self.stderr()
                );
            }
            self.seen.extend(below(self.child.id() as i32));
            pause(asked);
        }
    }

    /// Asserts that soon nothing of the run is there any more; what an episode leaves running would stay for minutes.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let until = Instant::now() + WAIT_TIMEOUT / 3;
        let temporary = self.path("tmp");
        loop {
            let asked = Instant::now();
            let mut left: Vec<String> = marked(&self.mark)
                .into_iter()
                .map(|pid| format!("episode {pid}"))
                .collect();
            left.extend(
                self.seen
                    .iter()
                    .filter(|(p, s)| started(**p) == Some(**s))
                    .map(|(p, _)| format!("process {p}")),
            );
            left.extend(names(temporary.to_str().unwrap()));
            if mounts() != self.mounts {
                left.push("a mount".into());
            }
            if left.is_empty() {
                return;
            }
            if Instant::now() > until {
                panic!("{:?} left behind: {left:?}", self.way);
            }
            pause(asked);
        }
    }

    /// Results in a file, every line of which has to be whole, ids unique.
    #[track_caller]
    pub fn results(&self, name: &str) -> BTreeMap<String, Value> {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(
            text.is_empty() || text.ends_with('\n'),
            "{:?}: a torn last line: {text:?}",
            self.way
        );
        whole_lines(&text)
    }
}

/// A test that fails must not itself leave behind what it complains about.
impl Drop for Sweep {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for pid in marked(&self.mark) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        // The next runner would, but there may be none.
        for top in self.cgroups() {
            for slot in fs::read_dir(&top).into_iter().flatten().flatten() {
                let _ = fs::remove_dir(slot.path());
            }
            let _ = fs::remove_dir(&top);
        }
    }
}

#[track_caller]
pub fn whole_lines(text: &str) -> BTreeMap<String, Value> {
    let mut results = BTreeMap::new();
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let id = value["id"].as_str().unwrap().to_owned();
        assert!(results.insert(id, value).is_none(), "twice: {line}");
    }
    results
}

fn names(directory: &str) -> Vec<String> {
    fs::read_dir(directory)
        .unwrap()
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect()
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
}

/// Living processes with the mark in their environment.
fn marked(mark: &str) -> Vec<i32> {
    let has = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let directory = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
        let mut parts = environment.windows(mark.len());
        parts.any(|w| w == mark.as_bytes()) || directory.ends_with(mark)
    };
    names("/proc")
        .iter()
        .filter_map(|n| n.parse().ok())
        .filter(has)
        .collect()
}

/// The fields of /proc/<pid>/stat after the name, of a process that lives.
fn stat(pid: i32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<String> = text[text.rfind(')')? + 2..]
        .split(' ')
        .map(str::to_owned)
        .collect();
    (fields[0] != "Z").then_some(fields)
}

pub fn is_gone(pid: i32) -> bool {
    stat(pid).is_none()
}

/// When a living process was started, which tells it from a later one with the same number.
fn started(pid: i32) -> Option<u64> {
    stat(pid)?.get(19)?.parse().ok()
}

/// Descendants of a process, with when they were started.
fn below(root: i32) -> BTreeMap<i32, u64> {
    let all: Vec<(i32, i32)> = names("/proc")
        .iter()
        .filter_map(|n| n.parse().ok())
        .filter_map(|pid: i32| Some((pid, stat(pid)?.get(1)?.parse().ok()?)))
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(
            all.iter()
                .filter(|(_, p)| *p == parent)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    found
        .into_iter()
        .skip(1)
        .filter_map(|pid| Some((pid, started(pid)?)))
        .collect()
}
