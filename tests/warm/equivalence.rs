//! Runs cases cold and warm, and compares.

use crate::common::{Run, Way, run};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The cases of a file, numbered by line, with all the files they leave collected.
pub fn cases(text: &str) -> Vec<Value> {
    let numbered = text.lines().enumerate().map(|(i, line)| {
        let mut case: Value = serde_json::from_str(line).expect("a case is JSON");
        case["id"] = json!(format!("line {}", i + 1));
        case["collect"] = json!(["**"]);
        case
    });
    numbered.collect()
}

/// Runs them without and with warm interpreters. What differs fails the test, all at once. Returns how many ran
/// warm.
#[track_caller]
pub fn assert_same(way: Way, cases: &[Value]) -> usize {
    let lines: Vec<String> = cases.iter().map(Value::to_string).collect();
    let jobs = lines.join("\n");
    let cold = run(way, &jobs, &["--warm", "none"]);
    let warm = run(way, &jobs, &[]);
    let facts = |run: &Run| -> BTreeMap<String, Value> {
        let facts = run
            .results
            .iter()
            .map(|(id, result)| (id.clone(), facts(result)));
        facts.collect()
    };
    let (cold, warm_facts) = (facts(&cold), facts(&warm));
    let mut different = Vec::new();
    for case in cases {
        let id = case["id"].as_str().expect("an id");
        if cold[id] != warm_facts[id] {
            different.push(format!(
                "{case}\n  cold {}\n  warm {}",
                cold[id], warm_facts[id]
            ));
        }
    }
    assert!(different.is_empty(), "{way:?}:\n{}", different.join("\n"));
    warm.results.values().filter(|r| is_warm(r)).count()
}

/// What a program can influence.
fn facts(result: &Value) -> Value {
    let of = |execution: &Value| {
        let names = [
            "status",
            "exit_code",
            "signal",
            "output",
            "stdout",
            "stderr",
            "output_bytes",
        ];
        let kept = names.map(|name| (name.to_owned(), hide_scratch(&execution[name])));
        let mut facts = serde_json::Map::from_iter(kept);
        if facts["output"] != execution["output"] {
            // The directory's name is not always as long.
            facts.remove("output_bytes");
        }
        Value::Object(facts)
    };
    let steps = result["steps"].as_array().into_iter().flatten();
    json!({"whole": of(result), "steps": steps.map(of).collect::<Vec<_>>(), "files": result["files"]})
}

/// In the landlock tier paths hold the slot's own directory.
fn hide_scratch(value: &Value) -> Value {
    let Some(text) = value.as_str() else {
        return value.clone();
    };
    let mut parts = text.split("/runner-");
    let mut hidden = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_hexdigit() || c == '-');
        hidden += "/SCRATCH";
        hidden += rest;
    }
    json!(hidden)
}

fn is_warm(result: &Value) -> bool {
    let warm = |r: &Value| {
        r["start"]
            .as_str()
            .is_some_and(|start| start.starts_with("warm"))
    };
    warm(result)
        || result["steps"]
            .as_array()
            .is_some_and(|steps| steps.iter().any(warm))
}
