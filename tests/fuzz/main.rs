//! Replays what fuzzing has found so far: every file of `corpus` through the promise it was found for.
//!
//! `scripts/fuzz` looks for more, with the same promises.

mod promises {
    pub mod episode;
    pub mod lines;
    pub mod resume;
    pub mod wire_runner;
    pub mod wire_slot;
}

use promises::{episode, lines, resume, wire_runner, wire_slot};
use std::path::Path;

fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(target);
    let mut files = 0;
    for entry in std::fs::read_dir(&corpus).expect("a corpus directory") {
        let path = entry.expect("a corpus entry").path();
        // Shown only when the check panics.
        println!("{}", path.display());
        check(&std::fs::read(&path).expect("a corpus file"));
        files += 1;
    }
    assert!(files >= 5, "{} holds {files} files", corpus.display());
}

#[test]
fn any_line_is_an_episode_within_the_contract_or_a_sentence() {
    replay("episode", episode::check);
}

#[test]
fn any_stream_is_split_into_the_lines_that_a_simple_reader_sees() {
    replay("lines", lines::check);
}

#[test]
fn any_file_to_be_resumed_keeps_its_verdicts_or_is_left_alone() {
    replay("resume", resume::check);
}

#[test]
fn any_packets_from_a_slot_become_one_result_line_or_a_lost_slot() {
    replay("wire_runner", wire_runner::check);
}

#[test]
fn any_packets_to_a_slot_become_a_message_or_a_broken_link() {
    replay("wire_slot", wire_slot::check);
}
