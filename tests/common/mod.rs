//! Runs the built binary the way users do: as root and as an ordinary user, in both tiers.
#![allow(dead_code, unused_imports)] // each test file uses its own part of this

mod build;
mod cgroup;
pub mod client;
pub mod equivalence;
mod warm;

pub use build::{binary, probe_program};
pub use cgroup::{TestCgroup, cgroups, killed_in, limit_cgroup, slot_cgroups};
pub use warm::{children, pause, run_when, run_when_warm, sleeps, wait_for, warm_parents};

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The ordinary user of the tests: nobody. What uses up the processes of its user has one of its own.
pub const NOBODY: u32 = match env!("CARGO_CRATE_NAME").as_bytes() {
    b"limits" => 65533,
    _ => 65534,
};

/// One way to run: as whom, and in which tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    pub root: bool,
    pub tier: &'static str,
}

impl Way {
    /// Every way this machine allows: without root there is only ourselves.
    pub fn all() -> Vec<Way> {
        let mut ways = Vec::new();
        for tier in ["namespaces", "landlock"] {
            if nix::unistd::geteuid().is_root() {
                ways.push(Way { root: true, tier });
            }
            ways.push(Way { root: false, tier });
        }
        ways
    }

    /// The ways of one tier.
    pub fn of_tier(tier: &str) -> Vec<Way> {
        Way::all()
            .into_iter()
            .filter(|way| way.tier == tier)
            .collect()
    }

    /// Those of a run of `jobs.jsonl`. Timeouts are those of a clock, however busy the machine is with other tests: the last two
    /// say so.
    pub fn arguments(self) -> [&'static str; 6] {
        [
            "--isolation",
            self.tier,
            "--jobs",
            "jobs.jsonl",
            "--stretch",
            "1",
        ]
    }

    pub fn namespaces(self) -> bool {
        self.tier == "namespaces"
    }
}

/// What a run of the binary left.
#[derive(Debug)]
pub struct Run {
    /// Results by id.
    pub results: BTreeMap<String, Value>,
    /// Result lines in the order they were written.
    pub lines: Vec<String>,
    pub stderr: String,
    pub code: Option<i32>,
}

impl Run {
    /// The result of an episode.
    #[track_caller]
    pub fn get(&self, id: &str) -> &Value {
        self.results
            .get(id)
            .unwrap_or_else(|| panic!("no result for {id:?}; stderr:\n{}", self.stderr))
    }

    #[track_caller]
    pub fn status(&self, id: &str) -> &str {
        self.get(id)["status"].as_str().expect("status is a string")
    }

    #[track_caller]
    pub fn output(&self, id: &str) -> &str {
        self.get(id)["output"].as_str().expect("output is a string")
    }

    #[track_caller]
    pub fn error(&self, id: &str) -> &str {
        self.get(id)["error"]
            .as_str()
            .unwrap_or_else(|| panic!("no error in {}", self.get(id)))
    }
}

/// A directory that the ordinary user can enter and write to.
pub fn scratch() -> tempfile::TempDir {
    let directory = tempfile::Builder::new()
        .prefix("runner-test-")
        .tempdir_in("/tmp")
        .expect("a scratch directory");
    fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).expect("chmod");
    directory
}

/// A command that runs the binary as root or as the ordinary user.
pub fn command(root: bool) -> Command {
    command_as(if root { 0 } else { NOBODY })
}

/// A command that runs the binary as this user, or as whoever we are where we can't change that.
pub fn command_as(uid: u32) -> Command {
    if uid == 0 || !nix::unistd::geteuid().is_root() {
        return Command::new(binary());
    }
    let mut command = Command::new("setpriv");
    let id = uid.to_string();
    command
        .args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"])
        .arg(binary());
    command
}

/// Runs episodes, given as JSON lines, one way, with further arguments.
pub fn run(way: Way, jobs: &str, args: &[&str]) -> Run {
    run_as(if way.root { 0 } else { NOBODY }, way, jobs, args)
}

/// The same, as this user.
pub fn run_as(uid: u32, way: Way, jobs: &str, args: &[&str]) -> Run {
    run_command(command_as(uid), way, jobs, args)
}

/// The same, as root or as this user, by a shell that does this first and ends with `exec "$@"`.
pub fn run_in(script: &str, uid: u32, way: Way, jobs: &str, args: &[&str]) -> Run {
    let inner = command_as(uid);
    let mut command = Command::new("sh");
    command
        .args(["-c", script, "sh"])
        .arg(inner.get_program())
        .args(inner.get_args());
    run_command(command, way, jobs, args)
}

fn run_command(mut command: Command, way: Way, jobs: &str, args: &[&str]) -> Run {
    let directory = scratch();
    fs::write(directory.path().join("jobs.jsonl"), jobs).expect("write jobs");
    let arguments = way.arguments();
    let own = if args.contains(&"--stretch") {
        &arguments[..4]
    } else {
        &arguments[..]
    };
    command.args(own).args(args).current_dir(directory.path());
    parse(
        command
            .stdin(Stdio::null())
            .output()
            .expect("the binary starts"),
    )
}

/// Runs the binary with exactly these arguments, as we are, in a directory, with this on stdin.
pub fn run_args(directory: &Path, args: &[&str], stdin: &[u8]) -> Run {
    let mut child = Command::new(binary())
        .args(args)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut pipe = child.stdin.take().expect("piped");
    let stdin = stdin.to_vec();
    // A thread, because the binary may print before it has read everything, or never read at all.
    let feeder = std::thread::spawn(move || drop(pipe.write_all(&stdin)));
    let output = child.wait_with_output().expect("the binary ends");
    feeder.join().expect("the feeder ends");
    parse(output)
}

/// Takes the output of a run apart; every line on stdout has to be a JSON object with an id of its own.
#[track_caller]
pub fn parse(output: Output) -> Run {
    let stdout = String::from_utf8(output.stdout).expect("results are UTF-8");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stdout.is_empty() || stdout.ends_with('\n'),
        "a torn last line: {stdout:?}"
    );
    let mut results = BTreeMap::new();
    let lines: Vec<String> = stdout.lines().map(str::to_owned).collect();
    for line in &lines {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let id = value["id"].as_str().expect("an id").to_owned();
        assert!(results.insert(id, value).is_none(), "an id twice: {line}");
    }
    Run {
        results,
        lines,
        stderr,
        code: output.status.code(),
    }
}
