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

    fn set(&self, jobs: &str) {
        fs::write(self.directory.path().join("jobs.jsonl"), jobs).expect("write jobs");
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
        let files = ["--jobs", "jobs.jsonl", "--output", "results.jsonl"];
        self.run_with(&[&files, args].concat())
    }

    /// The same with other files; the jobs are on stdin, too.
    fn run_with(&self, args: &[&str]) -> (Option<i32>, String) {
        let jobs = fs::File::open(self.directory.path().join("jobs.jsonl")).expect("jobs");
        let run = parse(
            command(self.way.root)
                .args(["--isolation", self.way.tier])
                .args(args)
                .current_dir(self.directory.path())
                .stdin(jobs)
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

/// The output of each id.
fn outputs(results: &BTreeMap<String, Value>) -> Vec<(&str, &str)> {
    results
        .iter()
        .map(|(id, result)| (id.as_str(), result["output"].as_str().expect("output")))
        .collect()
}

const TWO: &str = "{\"command\": \"echo A\"}\n{\"command\": \"echo B\"}\n";

#[test]
fn a_line_that_was_put_before_others_does_not_get_the_verdict_of_another() {
    for way in Way::all() {
        let job = Job::new(way, &[]);
        job.set(TWO);
        assert_eq!(job.run(&[]).0, Some(0), "{way:?}");
        job.set(&format!("{{\"command\": \"echo NEW\"}}\n{TWO}"));
        let (code, stderr) = job.run(&["--resume"]);
        assert_eq!(code, Some(0), "{way:?}: {stderr}");
        let note = "2 lines changed since their verdicts and run again; the first is jobs.jsonl line 1, id \"line-1\"";
        assert!(stderr.contains(note), "{way:?}: {stderr}");
        let results = read(&job.results());
        let expected = [("line-1", "NEW\n"), ("line-2", "A\n"), ("line-3", "B\n")];
        assert_eq!(outputs(&results), expected, "{way:?}");
    }
}

#[test]
fn a_line_that_asks_for_something_else_runs_again_and_no_other() {
    for way in Way::all() {
        let line = |id: &str, fields: &str| format!("{{\"id\": \"{id}\", {fields}}}\n");
        let job = Job::new(way, &[]);
        job.set(
            &(line(
                "a",
                "\"command\": \"echo A\", \"env\": {\"X\": \"1\", \"Y\": \"2\"}",
            ) + &line("b", "\"command\": \"echo B\"")
                + &line("c", "\"command\": \"echo C\", \"group\": 5")),
        );
        assert_eq!(job.run(&[]).0, Some(1), "{way:?}");
        let before = fs::read(job.results()).expect("results");

        let a = line(
            "a",
            "  \"env\":{\"Y\":\"2\",\"X\":\"\\u0031\"},\"meta\":[1], \"command\":\"echo A\"",
        );
        job.set(
            &(a.clone()
                + &line("b", "\"command\": \"echo B\"")
                + &line("c", "\"command\": \"echo C\", \"group\": 5")),
        );
        let (code, stderr) = job.run(&["--resume"]);
        assert_eq!(code, Some(1), "{way:?}: {stderr}");
        assert!(!stderr.contains("changed"), "{way:?}: {stderr}");
        assert_eq!(fs::read(job.results()).expect("results"), before, "{way:?}");

        job.set(
            &(a + &line("b", "\"command\": \"echo B2\"")
                + &line("c", "\"command\": \"echo C\", \"group\": \"g\"")),
        );
        let (code, stderr) = job.run(&["--resume"]);
        assert_eq!(code, Some(0), "{way:?}: {stderr}");
        assert!(
            stderr.contains("2 lines changed") && stderr.contains("id \"b\""),
            "{way:?}: {stderr}"
        );
        let results = read(&job.results());
        let expected = [("a", "A\n"), ("b", "B2\n"), ("c", "C\n")];
        assert_eq!(outputs(&results), expected, "{way:?}");
    }
}

#[test]
fn a_line_that_was_no_json_does_not_count_once_it_is_mended() {
    for way in Way::all() {
        let job = Job::new(way, &[]);
        let other = "{\"command\": \"echo B\"}\n";
        job.set(&format!("torn\n{other}"));
        assert_eq!(job.run(&[]).0, Some(1), "{way:?}");
        let (code, stderr) = job.run(&["--resume"]);
        assert_eq!(code, Some(1), "{way:?}: {stderr}");
        job.set(&format!(
            "{{\"id\": \"a\", \"command\": \"echo A\"}}\n{other}"
        ));
        let (code, stderr) = job.run(&["--resume"]);
        assert_eq!(code, Some(0), "{way:?}: {stderr}");
        let note = "1 invalid result was removed, because no line has its id any more";
        assert!(stderr.contains(note), "{way:?}: {stderr}");
        let results = read(&job.results());
        let expected = [("a", "A\n"), ("line-2", "B\n")];
        assert_eq!(outputs(&results), expected, "{way:?}");
    }
}

#[test]
fn changed_lines_of_a_stream_run_again_and_leave_one_verdict_each() {
    for way in Way::all() {
        let files = ["--jobs", "-", "--output", "results.jsonl"];
        let job = Job::new(way, &[]);
        job.set(TWO);
        assert_eq!(job.run_with(&files).0, Some(0), "{way:?}");
        job.set(&format!("{{\"command\": \"echo NEW\"}}\n{TWO}"));
        let (code, stderr) = job.run_with(&[&files[..], &["--resume"]].concat());
        assert_eq!(code, Some(0), "{way:?}: {stderr}");
        let note = "2 lines changed since their verdicts and run again; the first is stdin line 1";
        assert!(stderr.contains(note), "{way:?}: {stderr}");
        let results = read(&job.results());
        let expected = [("line-1", "NEW\n"), ("line-2", "A\n"), ("line-3", "B\n")];
        assert_eq!(outputs(&results), expected, "{way:?}");
    }
}

#[test]
fn results_are_compressed_as_the_name_of_their_file_says() {
    for way in Way::all() {
        for name in ["results.jsonl.gz", "results.jsonl.zst"] {
            let job = Job::new(way, &echoes(0..20));
            let files = ["--jobs", "jobs.jsonl", "--output", name];
            let (code, stderr) = job.run_with(&files);
            assert_eq!(code, Some(0), "{way:?} {name}: {stderr}");
            let path = job.directory.path().join(name);
            let whole = fs::read(&path).expect("results");
            // As if the runner had been killed while it wrote one more.
            fs::write(&path, [&whole[..], &whole[..whole.len() / 2]].concat())
                .expect("write results");
            job.set(&lines(&echoes(0..30)));
            let (code, stderr) = job.run_with(&[&files[..], &["--resume"]].concat());
            assert_eq!(code, Some(0), "{way:?} {name}: {stderr}");
            assert!(
                stderr.contains("cut off a torn end"),
                "{way:?} {name}: {stderr}"
            );
            let file = fs::File::open(&path).expect("results");
            let text = if name.ends_with("gz") {
                std::io::read_to_string(flate2::read::MultiGzDecoder::new(file))
            } else {
                std::io::read_to_string(zstd::stream::read::Decoder::new(file).expect("a decoder"))
            };
            let plain = job.directory.path().join("plain.jsonl");
            fs::write(&plain, text.expect("whole members")).expect("write");
            let results = read(&plain);
            assert_eq!(results.len(), 30, "{way:?} {name}");
            assert_eq!(results["e29"]["output"], "29\n", "{way:?} {name}");
        }
    }
}
