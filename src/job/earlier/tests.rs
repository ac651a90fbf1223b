use super::*;
use crate::source::open_all;
use crate::spec::outcome::Status;
use std::fs;
use std::path::PathBuf;

fn verdict(id: &str, status: &str) -> String {
    format!("{{\"id\":\"{id}\",\"status\":\"{status}\"}}\n")
}

/// Jobs of these lines, and an output with these verdicts.
fn earlier(lines: &str, verdicts: &str) -> (tempfile::TempDir, PathBuf, SourceConfig) {
    let directory = tempfile::tempdir().unwrap();
    let [jobs, output] = ["jobs.jsonl", "out.jsonl"].map(|name| directory.path().join(name));
    fs::write(&jobs, lines).unwrap();
    fs::write(&output, verdicts).unwrap();
    let input = SourceConfig {
        jobs: open_all(&[jobs]).unwrap(),
        defaults: Arc::default(),
        shard: None,
        done: None,
        counters: Arc::default(),
    };
    (directory, output, input)
}

fn resumed(output: &Path, input: &mut SourceConfig) -> Opened {
    let before = hold(output, true, input).unwrap();
    before.open(&input.counters.changed).unwrap().0
}

#[test]
fn an_invalid_result_of_an_id_that_no_line_has_any_more_is_dropped_and_not_counted() {
    let lines = "{\"id\":\"fixed\",\"command\":\"true\"}\n{\"id\":\"still\",\"nothing\":1}\n";
    let still = verdict("still", "invalid");
    let gone = verdict("gone", "failed");
    let before = verdict("line-1", "invalid") + &still + &gone;
    for shard in ["", "2/2"] {
        let (_directory, output, mut input) = earlier(lines, &before);
        input.shard = shard.parse().ok();
        let opened = resumed(&output, &mut input);
        assert_eq!(opened.kept.get(Status::Invalid), 1, "shard {shard}");
        assert_eq!(opened.dropped_stale.get(Status::Invalid), 1);
        assert_eq!(fs::read_to_string(&output).unwrap(), still.clone() + &gone);
    }
}

#[test]
fn where_the_jobs_cannot_be_read_to_their_end_no_line_counts_as_gone() {
    let before = verdict("line-1", "invalid");
    let (directory, output, mut input) = earlier("{\"id\":\"a\",\"command\":\"true\"}\n", &before);
    fs::remove_file(directory.path().join("jobs.jsonl")).unwrap();
    assert_eq!(resumed(&output, &mut input).kept.get(Status::Invalid), 1);
    assert_eq!(fs::read_to_string(&output).unwrap(), before);
}

#[test]
fn nothing_is_removed_while_it_is_not_known_that_the_run_can_start() {
    let before = verdict("line-1", "invalid") + &verdict("a", "infra_error") + "{\"id\":\"torn";
    let lines = "{\"id\":\"a\",\"command\":\"true\"}\n";
    let (_directory, output, mut input) = earlier(lines, &before);
    let held = hold(&output, true, &mut input).unwrap();
    drop(held);
    assert_eq!(fs::read_to_string(&output).unwrap(), before);
    let held = hold(&output, true, &mut input).unwrap();
    let (opened, gone) = held.open(&input.counters.changed).unwrap();
    assert_eq!((opened.kept.total(), gone), (0, 1));
    assert_eq!(fs::read_to_string(&output).unwrap(), "");
}
