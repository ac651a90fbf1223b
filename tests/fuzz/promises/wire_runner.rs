//! Any packets from a slot that was taken over: a lost slot, or facts that become one result line of the contract.

use runner::sink::{Ending, RunReport, Statistics};
use runner::spec::episode::Episode;
use runner::spec::execution::Execution;
use runner::spec::outcome::Outcome;
use runner::spec::parse::{Defaults, FileContext, parse};
use runner::wire::answer::Expected;
use runner::wire::message::{EpisodeRequest, Reply};
use runner::wire::packet::{Assembler, encode};
use serde_json::Value;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// One of each shape of result.
const EPISODES: [&str; 4] = [
    r#"{"id":"one","command":"true","meta":{"a":[1]},"group":"g"}"#,
    r#"{"id":"split","argv":["/bin/true"],"capture":"split","resources":{"output_kb":1,"cpu_time_s":1}}"#,
    r#"{"id":"steps","steps":[{"name":"a","argv":["x"]},{"command":"y","timeout_s":1}],"timeout_s":2}"#,
    r#"{"id":"collect","argv":["a/b"],"collect":["*"],"files":{"a/b":"x"}}"#,
];

/// What every request of these was sent at; an honest slot returns it.
const HANDED_NS: u64 = 1_000;

static CASES: LazyLock<Vec<Episode>> = LazyLock::new(|| {
    let file = FileContext::new(
        "a.jsonl".into(),
        Path::new("."),
        Arc::new(Defaults::default()),
    );
    let case = |line: &&str| parse(line.as_bytes(), 1, 1, &file).expect("a valid line");
    EPISODES.iter().map(case).collect()
});

/// The first byte chooses the episode; what follows is packets, each after its length in two bytes.
pub fn check(data: &[u8]) {
    let Some((&which, mut stream)) = data.split_first() else {
        return;
    };
    let episode = &CASES[usize::from(which) % EPISODES.len()];
    let request = EpisodeRequest::new(episode, &episode.steps, HANDED_NS);
    let expected = Expected::of_episode(&request);
    let mut assembler = Assembler::default();
    assembler.limit(expected.most_bytes());
    while let Some((length, rest)) = stream.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (packet, rest) = rest.split_at(length);
        stream = rest;
        match assembler.push::<Reply>(packet) {
            Ok(None) => {}
            Ok(Some(Reply::Ended(facts))) if expected.fits(&facts) => {
                return becomes_a_line(episode, &expected, *facts);
            }
            Ok(Some(Reply::Refused(failure))) => {
                assert!(!failure.to_string().contains('\n'));
                return;
            }
            // A slot that is lost: nothing more is read from it.
            Ok(Some(_)) | Err(_) => return,
        }
    }
}

fn becomes_a_line(episode: &Episode, expected: &Expected, facts: Execution) {
    let encoded = encode(&Reply::Ended(Box::new(facts.clone()))).len();
    assert!(encoded <= expected.most_bytes());
    let outcome = Outcome::of(episode, facts, Vec::new(), u64::MAX);
    let line = serde_json::to_string(&outcome).expect("a result is JSON");
    assert!(!line.contains('\n'));
    let json: Value = serde_json::from_str(&line).expect("and is read as JSON");
    assert_eq!(json["id"], episode.id.as_str());
    check_verdict(&json);
    for step in json["steps"].as_array().into_iter().flatten() {
        check_verdict(step);
    }
    assert_eq!(json["steps"].is_array(), episode.multi_step);
    assert_eq!(json["files"].is_object(), !episode.collect.is_empty());
    let mut statistics = Statistics::new(Duration::from_millis(5));
    statistics.record(&outcome);
    let report = RunReport::new(&statistics, &Ending::default());
    assert!(!report.to_string().is_empty());
}

/// Status, fault and exit code as the contract pairs them; times and sizes finite and not negative.
fn check_verdict(json: &Value) {
    let fault = match json["status"].as_str().expect("a status") {
        "ok" => Value::Null,
        "failed" | "signaled" => "program".into(),
        "timeout" | "cpu_limit" | "memory_limit" | "disk_limit" | "output_limit" => "limit".into(),
        "invalid" => "spec".into(),
        other => panic!("{other}"),
    };
    assert_eq!(json["fault"], fault);
    match json["status"].as_str() {
        Some("ok") => assert_eq!(json["exit_code"], 0),
        Some("invalid") => assert!(json["error"].is_string()),
        _ => assert!(
            json["exit_code"]
                .as_i64()
                .is_none_or(|code| (1..=255).contains(&code))
        ),
    }
    assert!(json["output"].is_string());
    for field in ["wall_ms", "cpu_ms", "peak_memory_mb"] {
        assert!(
            json[field].as_f64().is_some_and(|n| n >= 0.0),
            "{field}: {}",
            json[field]
        );
    }
}
