//! `--output` and `--resume`: nothing twice, nothing lost, nothing overwritten.

use super::lines;
use crate::common::{Way, command, parse, scratch};
use nix::fcntl::{Flock, FlockArg};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

struct Job {
    directory: tempfile::TempDir,
    way: Way,
}

impl Job {
    fn new(way: Way, episodes: &[Value]) -> Job {
        let directory = scratch();
        fs::write(directory.path().join("jobs.jsonl"), lines(episodes)).expect("write jobs");
        Job { directory, way }
    }

    fn results(&self) -> PathBuf {
        self.directory.path().join("results.jsonl")
    }

    /// Puts this where results go.
    fn put(&self, text: &str) {
        fs::write(self.results(), text).expect("write results");
        // The ordinary user has to be able to go on with it.
        fs::set_permissions(self.results(), Permissions::from_mode(0o666)).expect("chmod");
    }

    /// Exit status and stderr.
    fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut command = command(self.way.root);
        command.args([
            "--isolation",
            self.way.tier,
            "--jobs",
            "jobs.jsonl",
            "--output",
            "results.jsonl",
        ]);
        let run = parse(
            command
                .args(args)
                .current_dir(self.directory.path())
                .output()
                .expect("the binary starts"),
        );
        assert!(
            run.lines.is_empty(),
            "results went to stdout: {:?}",
            run.lines
        );
        (run.code, run.stderr)
    }
}

/// The lines of a results file by id; an id twice is an error.
fn read(path: &Path) -> BTreeMap<String, Value> {
    let text = fs::read_to_string(path).expect("results");
    assert!(
        text.is_empty() || text.ends_with('\n'),
        "a torn last line: {text}"
    );
    let mut results = BTreeMap::new();
    for line in text.lines() {
        let result: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let id = result["id"].as_str().expect("an id").to_owned();
        assert!(results.insert(id, result).is_none(), "twice: {line}");
    }
    results
}

fn echoes(range: std::ops::Range<u32>) -> Vec<Value> {
    range
        .map(|n| json!({"id": format!("e{n}"), "argv": ["echo", format!("{n}")]}))
        .collect()
}

/// A result line as an earlier run could have left it.
fn earlier(id: &str, status: &str) -> String {
    format!(
        "{{\"id\":\"{id}\",\"status\":\"{status}\",\"exit_code\":null,\"output\":\"earlier\"}}\n"
    )
}

#[test]
fn resume_skips_what_has_a_verdict_and_runs_the_rest() {
    for way in Way::all() {
        let job = Job::new(way, &echoes(0..6));
        job.put(&(earlier("e1", "ok") + &earlier("e3", "timeout") + &earlier("e4", "failed")));
        let (code, stderr) = job.run(&["--resume"]);
        assert_eq!(code, Some(0), "{way:?}: {stderr}");
        let results = read(&job.results());
        assert_eq!(results.len(), 6, "{way:?}");
        for n in 0..6 {
            let expected = if [1, 3, 4].contains(&n) {
                "earlier".to_owned()
            } else {
                format!("{n}\n")
            };
            assert_eq!(results[&format!("e{n}")]["output"], expected, "{way:?}");
        }
    }
}

#[test]
fn resume_runs_infra_errors_again_and_repairs_a_torn_last_line() {
    for way in Way::all() {
        let job = Job::new(way, &echoes(0..5));
        job.put(
            &(earlier("e0", "infra_error")
                + &earlier("e1", "ok")
                + &earlier("e2", "infra_error")
                + "{\"id\":\"e3\",\"status\":\"o"),
        );
        let (code, stderr) = job.run(&["--resume"]);
        assert_eq!(code, Some(0), "{way:?}: {stderr}");
        assert!(
            stderr.contains("torn last line") && stderr.contains("2 infra_error"),
            "{way:?}: {stderr}"
        );
        let results = read(&job.results());
        assert_eq!(results.len(), 5, "{way:?}");
        for n in [0, 2, 3, 4] {
            assert_eq!(
                results[&format!("e{n}")]["output"],
                format!("{n}\n"),
                "{way:?}"
            );
        }
        assert_eq!(results["e1"]["output"], "earlier", "{way:?}");
    }
}

#[test]
fn resuming_a_finished_run_changes_nothing() {
    for way in Way::all() {
        let job = Job::new(way, &echoes(0..20));
        assert_eq!(job.run(&[]).0, Some(0), "{way:?}");
        let before = fs::read(job.results()).expect("results");
        assert_eq!(job.run(&["--resume"]).0, Some(0), "{way:?}");
        assert_eq!(fs::read(job.results()).expect("results"), before, "{way:?}");
    }
}

#[test]
fn a_file_that_holds_results_is_refused_without_resume() {
    for way in Way::all() {
        let job = Job::new(way, &echoes(0..2));
        job.put(&earlier("e0", "ok"));
        let (code, stderr) = job.run(&[]);
        assert_eq!(code, Some(2), "{way:?}: {stderr}");
        assert!(stderr.contains("add --resume"), "{way:?}: {stderr}");
        assert_eq!(
            fs::read_to_string(job.results()).expect("results"),
            earlier("e0", "ok"),
            "{way:?}"
        );
        job.put("");
        assert_eq!(
            job.run(&[]).0,
            Some(0),
            "{way:?}: an empty file is no obstacle"
        );
    }
}

#[test]
fn a_file_that_another_runner_writes_is_refused() {
    for way in Way::all() {
        let job = Job::new(way, &echoes(0..2));
        job.put("");
        let file = fs::File::options()
            .append(true)
            .open(job.results())
            .expect("open");
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).expect("flock");
        for args in [&["--resume"][..], &[]] {
            let (code, stderr) = job.run(args);
            assert_eq!(code, Some(2), "{way:?}: {stderr}");
            assert!(stderr.contains("another runner"), "{way:?}: {stderr}");
        }
        assert_eq!(
            fs::read_to_string(job.results()).expect("results"),
            "",
            "{way:?}"
        );
        drop(lock);
        assert_eq!(job.run(&["--resume"]).0, Some(0), "{way:?}");
        assert_eq!(read(&job.results()).len(), 2, "{way:?}");
    }
}
