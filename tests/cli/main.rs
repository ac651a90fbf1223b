//! What people type and what they get told: bad lines, bad files, flags, summaries, exit statuses.

#[path = "../common/mod.rs"]
mod common;

mod bad;
mod doctor;
mod files;
mod help;
mod lines;
mod log;
mod people;
mod refusal;
mod run;
mod scarce;
mod shell;
mod trace;
mod usage;

/// An episode that is over at once.
fn quick(id: &str) -> String {
    format!("{{\"id\": {id:?}, \"argv\": [\"/bin/true\"]}}\n")
}

/// Exactly one line on stderr, by the runner, that holds all `parts`.
#[track_caller]
fn one_sentence(stderr: &str, parts: &[&str]) {
    let said: Vec<&str> = stderr
        .lines()
        .filter(|line| line.starts_with("runner: "))
        .collect();
    assert_eq!(said.len(), 1, "not one sentence: {stderr}");
    for part in parts {
        assert!(said[0].contains(part), "{part:?} is not in {stderr:?}");
    }
}
