use super::*;
use crate::spec::digest::Digest;
use crate::spec::outcome::Status;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use tempfile::TempDir;

/// A directory with these files, as a source.
fn source(files: &[(&str, &[u8])]) -> (TempDir, SourceConfig) {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = files
        .iter()
        .map(|(name, content)| {
            let path = dir.path().join(name);
            fs::write(&path, content).unwrap();
            path
        })
        .collect();
    let config = SourceConfig {
        jobs: open_all(&paths).unwrap(),
        defaults: Arc::default(),
        shard: None,
        done: None,
        counters: Arc::default(),
    };
    (dir, config)
}

/// Everything the source delivers: items, then the error if there is one.
fn drain(config: &SourceConfig) -> (Vec<Item>, Option<SourceError>) {
    let mut receiver = start(config.clone());
    let mut items = Vec::new();
    while let Some(batch) = receiver.blocking_recv() {
        match batch {
            Ok(batch) => {
                assert!(!batch.is_empty() && batch.len() <= BATCH);
                items.extend(batch);
            }
            Err(error) => {
                assert!(receiver.blocking_recv().is_none());
                return (items, Some(error));
            }
        }
    }
    (items, None)
}

fn id(item: &Item) -> &str {
    match &item.work {
        Ok(episode) => &episode.id,
        Err(outcome) => &outcome.id,
    }
}

fn ids(config: &SourceConfig) -> Vec<String> {
    let (items, error) = drain(config);
    assert!(error.is_none(), "{error:?}");
    items.iter().map(|item| id(item).to_owned()).collect()
}

fn error(item: &Item) -> &str {
    let outcome = item.work.as_ref().expect_err("an invalid line");
    assert_eq!(outcome.verdict.status, Status::Invalid);
    outcome.verdict.error.as_deref().unwrap()
}

#[test]
fn a_bad_line_becomes_an_invalid_result_and_stops_nothing() {
    let text = b"{\"command\": \"a\"}\nnot json\n\n{\"id\": \"x\", \"command\": 1, \"group\": \"g\"}\n{\"command\": \"b\"}";
    let (_dir, config) = source(&[("a.jsonl", text)]);
    let (items, end) = drain(&config);
    assert!(end.is_none());
    let found: Vec<_> = items.iter().map(|item| (item.position, id(item))).collect();
    assert_eq!(
        found,
        [(0, "line-1"), (1, "line-2"), (2, "x"), (3, "line-5")]
    );
    assert!(error(&items[1]).contains("a.jsonl line 2: the line is not valid JSON"));
    assert!(error(&items[2]).ends_with("a.jsonl line 4: `command` must be a string, not 1"));
    assert_eq!(
        items[2].work.as_ref().unwrap_err().group.as_deref(),
        Some("g")
    );
    assert_eq!(config.counters.lines.load(Relaxed), 4);
}

#[test]
fn a_duplicate_id_names_both_lines() {
    let a = b"\n{\"id\": \"x\", \"command\": \"a\"}\n";
    let b = b"{\"id\": \"x\", \"command\": \"a\", \"meta\": 5}\n{\"id\": \"x\"}\n";
    let (_dir, config) = source(&[("a.jsonl", a), ("b.jsonl", b)]);
    let (items, _) = drain(&config);
    assert!(items[0].work.is_ok());
    let message = error(&items[1]);
    assert!(
        message.contains("b.jsonl line 1: id \"x\" is already used on "),
        "{message}"
    );
    assert!(
        message.ends_with("a.jsonl line 2; give each episode its own id"),
        "{message}"
    );
    assert_eq!(id(&items[1]), "x#3");
    assert_eq!(
        items[1]
            .work
            .as_ref()
            .unwrap_err()
            .meta
            .as_ref()
            .unwrap()
            .get(),
        "5"
    );
    assert!(error(&items[2]).contains("nothing to run"));
    assert_eq!(id(&items[2]), "x#4");
}

#[test]
fn default_ids_count_on_over_files_and_are_checked_against_explicit_ones() {
    let a = b"{\"command\": \"a\"}\n{\"id\": \"line-4\", \"command\": \"a\"}\n";
    let b = b"{\"command\": \"a\"}\n{\"command\": \"a\"}";
    let (_dir, config) = source(&[("a.jsonl", a), ("b.jsonl", b)]);
    let (items, _) = drain(&config);
    let found: Vec<_> = items.iter().map(id).collect();
    assert_eq!(found, ["line-1", "line-4", "line-3", "line-4#4"]);
    assert!(error(&items[3]).contains("id \"line-4\" is already used on"));
}

#[test]
fn shards_split_every_item_and_still_see_each_others_ids() {
    let text = b"{\"id\": \"a\", \"command\": \"a\"}\n{\"id\": \"a\", \"command\": \"a\"}\n\n{bad\n{\"command\": \"b\"}\n";
    let (_dir, mut config) = source(&[("a.jsonl", text)]);
    config.shard = Some("1/2".parse().unwrap());
    assert_eq!(ids(&config), ["a", "line-4"]);
    config.shard = Some("2/2".parse().unwrap());
    assert_eq!(ids(&config), ["a#2", "line-5"]);
}

#[test]
fn what_is_done_is_skipped_and_counted() {
    let (_dir, mut config) = source(&[(
        "a.jsonl",
        b"{\"id\": \"a\", \"command\": \"a\"}\nbad\n{\"id\": \"b\", \"command\": \"a\"}\n",
    )]);
    config.done = Some(Arc::new(|id| (id != "b").then_some(Asked::Unknown)));
    assert_eq!(ids(&config), ["b"]);
    assert_eq!(config.counters.skipped.load(Relaxed), 2);
}

#[test]
fn a_line_that_asks_for_something_else_than_its_verdict_is_on_runs_again() {
    let valid = r#"{"id": "a", "command": "a"}"#;
    let invalid = r#"{"id": "b", "command": "b", "group": 5}"#;
    let earlier = |id: &str| {
        let digest = match id {
            "a" => Digest::of_request(valid.as_bytes()),
            _ => Some(Digest::of_bytes(invalid.as_bytes())),
        };
        digest.map(Asked::For)
    };
    let run = |a: &str, b: &str| {
        let (_dir, mut config) = source(&[("a.jsonl", format!("{a}\n{b}\n").as_bytes())]);
        config.done = Some(Arc::new(earlier));
        find_changed(&config);
        assert_eq!(config.counters.skipped.load(Relaxed), 0);
        let ids = ids(&config);
        let changed = config.counters.changed.summary();
        assert_eq!(ids.len(), changed.as_ref().map_or(0, |(count, _)| *count));
        (ids, changed.map(|(_, first)| first))
    };
    let ids = |found: &(Vec<String>, Option<String>)| found.0.join(" ");
    assert_eq!(ids(&run(valid, invalid)), "");
    assert_eq!(
        ids(&run(r#"{"command":"a","meta":1,"id":"a"}"#, invalid)),
        ""
    );
    let changed = run(&valid.replace("\"a\"}", "\"c\"}"), invalid);
    assert_eq!(ids(&changed), "a");
    assert!(changed.1.unwrap().ends_with("a.jsonl line 1, id \"a\""));
    // What made it invalid is no part of what it asks for.
    assert_eq!(ids(&run(valid, &invalid.replace('5', "\"g\""))), "b");
    // The same line as before, which can't be run any more: its verdict stays.
    let unknown = format!(
        "{}, \"files\": {{\"f\": {{\"host_path\": \"gone\"}}}}}}",
        &valid[..valid.len() - 1]
    );
    let (_dir, mut config) = source(&[("a.jsonl", unknown.as_bytes())]);
    let asked = Digest::of_request(unknown.as_bytes()).map(Asked::For);
    config.done = Some(Arc::new(move |_| asked));
    assert!(self::ids(&config).is_empty());
}

#[test]
fn an_over_long_line_is_an_invalid_result_of_its_own() {
    let mut text = b"{\"command\": \"a\"}\n".to_vec();
    text.resize(MAX_LINE + 100, b'x');
    text.extend_from_slice(b"\n{\"command\": \"b\"}\n");
    let (_dir, config) = source(&[("a.jsonl", &text)]);
    let (items, _) = drain(&config);
    assert_eq!(items.len(), 3);
    assert!(error(&items[1]).contains("a.jsonl line 2: the line is longer than 32 MB; put large"));
    assert!(items[2].work.is_ok());
}

#[test]
fn no_episode_at_all_is_no_error() {
    let (_dir, config) = source(&[("a.jsonl", b""), ("b.jsonl", b"\n \r\n")]);
    assert!(ids(&config).is_empty());
    assert_eq!(config.counters.lines.load(Relaxed), 0);
    assert_eq!(count_lines(&config.jobs), Some(0));
}

#[test]
fn a_torn_gzip_file_delivers_what_was_readable_and_then_its_error() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    for _ in 0..20_000 {
        encoder.write_all(b"{\"command\": \"a\"}\n").unwrap();
    }
    let whole = encoder.finish().unwrap();
    let (_dir, config) = source(&[
        ("a.jsonl.gz", &whole[..whole.len() / 2]),
        ("b.jsonl", b"{}\n"),
    ]);
    let (items, end) = drain(&config);
    assert!((9_000..11_000).contains(&items.len()), "{}", items.len());
    let message = end.unwrap().to_string();
    assert!(
        message.contains(&format!(
            "a.jsonl.gz cannot be read beyond line {} (",
            items.len()
        )),
        "{message}"
    );
    assert_eq!(count_lines(&config.jobs), None);
}

#[test]
fn many_lines_arrive_in_order_in_small_batches() {
    let text: String = (0..5_000)
        .map(|i| format!("{{\"id\": \"{i}\", \"command\": \"a\"}}\n"))
        .collect();
    let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
    let (_dir, config) = source(&[("a.jsonl", text.as_bytes())]);
    let expected: Vec<String> = (0..5_000).map(|i| i.to_string()).collect();
    assert_eq!(ids(&config), expected);
    let (_dir, config) = source(&[("a.jsonl.zst", &packed)]);
    assert_eq!(ids(&config), expected);
    assert_eq!(count_lines(&config.jobs), Some(5_000));
    assert_eq!(count_until(&config.jobs, 64), Some(64));
}

#[test]
fn dropping_the_receiver_ends_the_source() {
    let text = "{\"command\": \"a\"}\n".repeat(50_000);
    let (_dir, config) = source(&[("a.jsonl", text.as_bytes())]);
    let counters = Arc::clone(&config.counters);
    let mut receiver = start(config);
    receiver.blocking_recv().unwrap().unwrap();
    drop(receiver);
    // The thread held the other reference to the counters.
    while Arc::strong_count(&counters) > 1 {
        thread::yield_now();
    }
    assert!(counters.lines.load(Relaxed) < 50_000);
}

#[test]
fn strict_checks_everything_and_keeps_the_first_messages() {
    let (_dir, mut config) =
        source(&[("a.jsonl", b"{\"command\": \"a\"}\n{\"command\": \"b\"}\n")]);
    config.shard = Some("1/2".parse().unwrap());
    assert_eq!(check_all(&mut config).unwrap(), 2);
    assert_eq!(config.counters.lines.load(Relaxed), 0);

    let (_dir, mut config) = source(&[
        ("a.jsonl", "bad\n".repeat(30).as_bytes()),
        ("b.jsonl", b"{\"command\": \"a\"}\n"),
    ]);
    let refusal = check_all(&mut config).unwrap_err();
    assert!(
        refusal
            .to_string()
            .starts_with("30 of 31 lines are not valid episodes"),
        "{refusal}"
    );
    let StrictError::Invalid { first, total, .. } = refusal else {
        panic!("{refusal}")
    };
    assert_eq!((first.len(), total), (20, 30));
    assert!(first[0].contains("a.jsonl line 1: "));
}
