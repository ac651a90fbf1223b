//! Whether programs do the same in warm interpreters as in new ones, in everything that a program can influence.

use super::Run;
use serde_json::{Map, Value, json};
use std::fmt::Debug;

/// Compares the results of two runs of the same episodes, one of which had warm interpreters. `lasting` gives of what was
/// printed, or left in files, that part which is the same in every run. What differs fails the test, all at once.
#[track_caller]
pub fn assert_same(of: impl Debug, cold: &Run, warm: &Run, lasting: fn(&str) -> String) {
    let ids = |run: &Run| run.results.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        ids(cold),
        ids(warm),
        "{of:?}:\n{}\n{}",
        cold.stderr,
        warm.stderr
    );
    let mut different = Vec::new();
    for (id, expected) in &cold.results {
        let [expected, found] = [expected, warm.get(id)].map(|result| facts(result, lasting));
        if expected != found {
            different.push(format!("{id}\n  cold {expected}\n  warm {found}"));
        }
    }
    assert!(different.is_empty(), "{of:?}:\n{}", different.join("\n"));
}

/// What a program can influence, of an episode and of each of its steps.
fn facts(result: &Value, lasting: fn(&str) -> String) -> Value {
    let of = |execution: &Value| facts_of(execution, lasting);
    let steps = result["steps"].as_array().into_iter().flatten();
    let files = result["files"].as_object().into_iter().flatten();
    let files = files.filter(|(name, file)| !is_dated(name, file));
    let files = files.map(|(name, file)| lasting(&format!("{name}: {file}")));
    json!({
        "whole": of(result),
        "steps": steps.map(of).collect::<Vec<_>>(),
        "files": files.collect::<Vec<_>>(),
    })
}

fn facts_of(execution: &Value, lasting: fn(&str) -> String) -> Value {
    let names = [
        "status",
        "exit_code",
        "signal",
        "output",
        "stdout",
        "stderr",
        "output_bytes",
        "error",
    ];
    let kept = names.map(|name| {
        let text = execution[name].to_string();
        (name.to_owned(), json!(lasting(&text)))
    });
    let mut facts = Map::from_iter(kept);
    let output = execution["output"].to_string();
    if lasting(&output) != output {
        // What differs is not always as long.
        facts.remove("output_bytes");
    }
    if !execution["stdout"].is_null() {
        // Which of two streams was read first is chance.
        facts.remove("output");
    }
    Value::Object(facts)
}

/// Compiled modules hold the time of their source, archives that of their files.
fn is_dated(name: &str, file: &Value) -> bool {
    let base64 = file["base64"].as_str();
    let is_archive = |text: &str| ["UEsD", "H4sI"].iter().any(|magic| text.starts_with(magic));
    name.contains("__pycache__") || base64.is_some_and(is_archive)
}

/// In the landlock tier paths hold the slot's own directory.
pub fn without_scratch(text: &str) -> String {
    let mut parts = text.split("/runner-");
    let mut hidden = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        hidden += "/SCRATCH";
        hidden += part.trim_start_matches(|c: char| c.is_ascii_hexdigit() || c == '-');
    }
    hidden
}

/// Without what differs from one Python to the next: addresses, directories of slots, uids, and times.
pub fn without_chance(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
            word.push(c);
            continue;
        }
        let long_number = word.len() >= 9 && word.bytes().all(|b| b.is_ascii_digit());
        // The fraction of a second that unittest and others took.
        let duration = word.len() == 4 && word.ends_with('s') && word[..3].parse::<u32>().is_ok();
        let varies = long_number
            || duration
            || word.starts_with("0x") && word.len() > 8
            || word.starts_with("runner-") && word.len() > 12
            || word.starts_with("tmp") && word.len() > 8;
        out.push_str(if varies { "#" } else { &word });
        word.clear();
        out.push(c);
    }
    out.pop();
    out
}
