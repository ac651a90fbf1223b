//! What `RUNNER_LOG` shows.

use super::common::{Run, binary, parse, scratch};
use super::quick;
use std::fs;
use std::process::Command;

fn run(log: &str) -> Run {
    let directory = scratch();
    fs::write(directory.path().join("jobs.jsonl"), quick("a")).unwrap();
    let mut command = Command::new(binary());
    command.args(["--jobs", "jobs.jsonl", "--concurrency", "1"]);
    command.env("RUNNER_LOG", log).current_dir(directory.path());
    parse(command.output().unwrap())
}

/// The lines of a log.
fn told(run: &Run) -> Vec<&str> {
    let is_told = |line: &&str| line.contains(" runner::");
    run.stderr.lines().filter(is_told).collect()
}

#[test]
fn it_shows_what_is_asked_for_and_nothing_else() {
    for (log, debug, trace) in [
        ("", false, false),
        ("warn", false, false),
        ("debug", true, false),
        ("runner::pool=trace", true, true),
        ("trace,runner::pool=off", false, false),
    ] {
        let run = run(log);
        assert_eq!((run.code, run.status("a")), (Some(0), "ok"), "{log}");
        let told = told(&run);
        let says = |words: &str| told.iter().any(|line| line.contains(words));
        assert_eq!(
            says("DEBUG runner::pool::slot: built slot=0 pid="),
            debug,
            "{log}: {told:?}"
        );
        assert_eq!(
            says("TRACE runner::pool::run: handed to a slot id=\"a\" slot=0"),
            trace,
            "{log}: {told:?}"
        );
        assert!(debug || told.is_empty(), "{log}: {told:?}");
    }
}

#[test]
fn what_can_not_be_read_is_refused_with_the_way_to_write_it() {
    let run = run("runner=banana");
    assert_eq!((run.code, run.lines.len()), (Some(2), 0));
    assert!(
        run.stderr.starts_with("runner: RUNNER_LOG can't be read: "),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr
            .contains("write a level (error, warn, info, debug, trace)"),
        "{}",
        run.stderr
    );
}
