//! Files that are handed back: all that was asked for, or the reason.

use super::{assert_ok, everywhere, lines};
use crate::common::Way;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Why this path is not among the files; the empty path is the last entry, which has none.
#[track_caller]
fn reason<'a>(not_collected: &'a Value, path: &str) -> &'a str {
    let mut entries = not_collected.as_array().into_iter().flatten();
    let entry = entries.find(|entry| entry["path"].as_str().unwrap_or("") == path);
    let entry = entry.unwrap_or_else(|| panic!("{path:?} is not in {not_collected}"));
    entry["reason"].as_str().expect("a reason")
}

#[test]
fn collect_returns_the_files_that_match_as_text_or_base64() {
    let make = include_str!("programs/files_to_collect.sh");
    let episode = |id: &str, code: &str, collect: serde_json::Value| json!({"id": id, "command": make, "env": {"CODE": code}, "collect": collect});
    let episodes = [
        episode("glob", "0", json!(["out/*.txt", "out/*.bin"])),
        episode("deep", "0", json!(["out/**/*.txt"])),
        episode("absolute", "0", json!(["/tmp/*.txt"])),
        episode("nothing", "0", json!(["*.none"])),
        episode("failed", "3", json!(["out/a.txt"])),
    ];
    everywhere(&episodes, |way, run| {
        let files = |id: &str| &run.get(id)["files"];
        let bytes = json!({"base64": STANDARD.encode([255u8, 0])});
        // It leads out of what the episode can write.
        let left_out = &run.get("glob")["not_collected"];
        assert_eq!(left_out[0]["path"], "out/link.txt", "{way:?}");
        assert!(reason(left_out, "out/link.txt").contains("/etc/passwd"));
        assert_eq!(
            files("glob"),
            &json!({"out/a.txt": "text ✓\n", "out/b.bin": bytes}),
            "{way:?}"
        );
        assert_eq!(
            files("deep"),
            &json!({"out/a.txt": "text ✓\n", "out/deep/d.txt": "deep\n"}),
            "{way:?}"
        );
        assert_eq!(
            files("absolute"),
            &json!({"/tmp/abs.txt": "abs\n"}),
            "{way:?}"
        );
        assert_eq!(files("nothing"), &json!({}), "{way:?}");
        assert_eq!(run.status("failed"), "failed", "{way:?}");
        assert_eq!(
            files("failed"),
            &json!({"out/a.txt": "text ✓\n"}),
            "{way:?}"
        );
    });
}

#[test]
fn collect_also_returns_what_a_timed_out_episode_left() {
    let episodes = [
        json!({"id": "e", "command": "echo so far > log; sleep 60", "timeout_s": 6, "collect": ["log"]}),
    ];
    everywhere(&episodes, |way, run| {
        assert_eq!(run.status("e"), "timeout", "{way:?}");
        assert_eq!(run.get("e")["files"], json!({"log": "so far\n"}), "{way:?}");
    });
}

#[test]
fn collect_names_what_is_over_its_cap_without_the_content() {
    let command = "head -c 17000000 /dev/zero > a-large; echo small > b-small";
    let episodes = [json!({"id": "e", "command": command, "collect": ["*"]})];
    everywhere(&episodes, |way, run| {
        let files = &run.get("e")["files"];
        assert_eq!(files["b-small"], "small\n", "{way:?}");
        assert!(files["a-large"].is_null(), "{way:?}");
        let told = reason(&run.get("e")["not_collected"], "a-large");
        assert!(
            told.contains("17000000") && told.contains("16 MB"),
            "{way:?}: {told}"
        );
    });
}

#[test]
fn names_count_against_what_collect_returns_and_the_others_are_told_by_number() {
    let make = include_str!("programs/twelve_thousand_long_paths.py");
    let episode = json!({"id": "e", "argv": ["/usr/bin/python3", "-c", make], "collect": ["**/*"],
                         "resources": {"disk_mb": 512}});
    everywhere(&[episode], |way, run| {
        assert_ok(way, run, "e");
        let files = run.get("e")["files"].as_object().expect("files");
        let told = reason(&run.get("e")["not_collected"], "");
        let told = told
            .strip_prefix("and ")
            .and_then(|rest| rest.split(' ').next());
        let told: usize = told.and_then(|n| n.parse().ok()).expect("a number");
        let named = run.get("e")["not_collected"].as_array();
        // Those that there was no time to read stand with their path.
        let named = named.into_iter().flatten();
        let named = named.filter(|entry| entry["path"].is_string()).count();
        assert_eq!(files.len() + named + told, 12_001, "{way:?}");
        assert_eq!(files["a"], "kept", "{way:?}");
        let line = run.lines.first().expect("a line").len();
        assert!(line < 5 << 20, "{way:?}: a line of {line} bytes");
    });
}

#[test]
fn files_at_the_end_of_any_path_are_collected() {
    let make = include_str!("programs/files_at_the_end_of_any_path.py");
    let episodes =
        [json!({"id": "e", "argv": ["/usr/bin/python3", "-c", make], "collect": ["**/*"]})];
    everywhere(&episodes, |way, run| {
        let result = run.get("e");
        let files = result["files"].as_object().expect("files");
        assert_eq!(files["a"], "kept", "{way:?}");
        assert_eq!(files.len(), 46, "{way:?}");
        assert_eq!(
            files[&format!("{}f", format!("{}/", "d".repeat(200)).repeat(45))],
            "44"
        );
        assert!(result["not_collected"].is_null(), "{way:?}");
    });
}

#[test]
fn a_name_without_wildcards_is_opened_whatever_lies_beside_it_and_its_absence_is_told() {
    let make = include_str!("programs/two_hundred_thousand_files.py");
    let collect = json!(["zzz", "none", "directory", "a\\*b"]);
    let episodes = [
        json!({"id": "e", "argv": ["/usr/bin/python3", "-c", make], "collect": collect,
                           "timeout_s": 600, "resources": {"disk_mb": 1024, "memory_mb": 2048}}),
    ];
    for way in Way::all() {
        // Half a minute each, where files are made on a disk.
        if !way.namespaces() && way.root {
            continue;
        }
        let run = crate::common::run(way, &lines(&episodes), &[]);
        assert_ok(way, &run, "e");
        let result = run.get("e");
        assert_eq!(result["files"], json!({"zzz": "found"}), "{way:?}");
        let told = |path| reason(&result["not_collected"], path);
        assert!(told("none").contains("no such file"), "{way:?}");
        assert!(told("a*b").contains("no such file"), "{way:?}");
        assert!(told("directory").contains("directory"), "{way:?}");
    }
}

#[test]
fn links_come_as_the_files_in_the_sandbox_that_they_lead_to_and_others_are_listed() {
    let make = include_str!("programs/links_to_collect.sh");
    let episodes = [
        json!({"id": "glob", "command": make, "collect": ["out/*.txt"]}),
        json!({"id": "outside", "command": "ln -s /etc d", "collect": ["d/passwd"]}),
        json!({"id": "slashes", "command": make, "collect": ["out//v1/*.txt", "out/*//./log.txt"]}),
        json!({"id": "through", "command": make, "collect": ["out/latest/*.txt", "out/latest/log.txt"]}),
    ];
    everywhere(&episodes, |way, run| {
        let result = run.get("glob");
        let expected =
            json!({"out/log.txt": "one\n", "out/two.txt": "two\n", "out/chain.txt": "one\n"});
        assert_eq!(result["files"], expected, "{way:?}");
        let told = |path| reason(&result["not_collected"], path);
        assert!(told("out/host.txt").contains("/etc/hostname"), "{way:?}");
        assert!(told("out/gone.txt").contains("No such file"), "{way:?}");
        assert!(told("out/up.txt").contains("link to"), "{way:?}");
        assert!(told("out/pipe.txt").contains("pipe"), "{way:?}");
        let through = json!({"out/latest/log.txt": "one\n"});
        assert_eq!(run.get("through")["files"], through, "{way:?}");
        let outside = &run.get("outside")["not_collected"];
        assert!(reason(outside, "d/passwd").contains("lies in"), "{way:?}");
        let slashes = json!({"out/v1/log.txt": "one\n"});
        assert_eq!(run.get("slashes")["files"], slashes, "{way:?}");
    });
}

#[test]
fn names_that_are_not_utf8_are_told_apart_and_closed_files_come_too() {
    let make = include_str!("programs/names_that_are_no_text_and_closed_files.py");
    for way in Way::all() {
        // Without a uid of its own an episode can't change modes.
        let close = if way.root || way.namespaces() {
            "1"
        } else {
            ""
        };
        // Names and patterns side by side, in episodes of their own: what is closed is opened up for both, on ways through
        // links too.
        let episode = |id: &str, collect: Value| json!({"id": id, "argv": ["/usr/bin/python3", "-c", make], "env": {"CLOSE": close}, "collect": collect});
        let names = json!(["closed", "barred/in/deep/file", "to/deep/file"]);
        let episodes = [
            episode(
                "patterns",
                json!(["out-*", "closed", "shut/**", "barred/*/d*/file", "to/*/f*"]),
            ),
            episode("names", names),
        ];
        let run = crate::common::run(way, &lines(&episodes), &[]);
        let expected = json!({"out-\\xff": "aff", "out-\\xfe": "afe", "out-\\x5cxff": "a66", "out-é": "aa9",
                              "closed": "", "shut/in/file": "in", "barred/in/deep/file": "deep",
                              "to/deep/file": "deep"});
        let names = json!({"closed": "", "barred/in/deep/file": "deep", "to/deep/file": "deep"});
        for (id, expected) in [("patterns", expected), ("names", names)] {
            assert_ok(way, &run, id);
            assert_eq!(run.get(id)["files"], expected, "{way:?}");
            assert!(run.get(id)["not_collected"].is_null(), "{way:?}");
        }
    }
}
