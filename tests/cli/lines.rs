//! A bad line becomes an `invalid` result with one clear sentence; its neighbours run; `--strict` runs none.

use super::bad::BAD;
use super::common::{Run, Way, run, run_args, scratch};
use super::{one_sentence, quick};
use serde_json::json;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

/// `BAD`, each line after a good one, and a good one at the end. Good lines have odd numbers.
fn mixed() -> String {
    let good = |n: usize| quick(&format!("good-{n}"));
    let lines = BAD.iter().enumerate();
    lines
        .map(|(n, (bad, _))| good(n) + bad + "\n")
        .collect::<String>()
        + &good(BAD.len())
}

/// The result of a line that names no usable id of its own.
#[track_caller]
fn invalid(run: &Run, line: usize, parts: &[&str]) {
    assert_invalid(run, &format!("line-{line}"), line, parts);
}

#[track_caller]
fn assert_invalid(run: &Run, id: &str, line: usize, parts: &[&str]) {
    let result = run.get(id);
    assert_eq!(
        (&result["status"], &result["fault"]),
        (&"invalid".into(), &"spec".into()),
        "{result}"
    );
    assert!(
        result["exit_code"].is_null() && result["output"] == "",
        "{result}"
    );
    let error = run.error(id);
    assert!(
        error.starts_with(&format!("jobs.jsonl line {line}: ")),
        "{error}"
    );
    assert!(
        !error.contains('\n') && error.len() < 700,
        "not one sentence: {error}"
    );
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in {error:?}");
    }
}

#[test]
fn each_bad_line_gets_its_sentence_and_its_neighbours_run() {
    for way in Way::all() {
        let run = run(way, &mixed(), &[]);
        assert_eq!(run.results.len(), 2 * BAD.len() + 1, "{way:?}");
        for (n, (_, parts)) in BAD.iter().enumerate() {
            assert_eq!(run.status(&format!("good-{n}")), "ok", "{way:?}");
            invalid(&run, 2 * n + 2, parts);
        }
        assert_eq!(run.code, Some(1), "{}", run.stderr);
    }
}

#[test]
fn strict_prints_the_sentences_and_neither_runs_nor_writes_anything() {
    let directory = scratch();
    let (first, rest) = BAD.split_at(12);
    for bad in [first, rest] {
        let text: String = bad
            .iter()
            .map(|(line, _)| quick(line.len().to_string().as_str()) + line + "\n")
            .collect();
        fs::write(directory.path().join("jobs.jsonl"), text).unwrap();
        let args = [
            "--jobs",
            "jobs.jsonl",
            "--strict",
            "--output",
            "out.jsonl",
            "--stats",
            "stats.json",
        ];
        let run = run_args(directory.path(), &args, b"");
        assert_eq!(run.code, Some(1));
        assert!(run.lines.is_empty());
        for (n, (_, parts)) in bad.iter().enumerate().take(15) {
            let place = format!("jobs.jsonl line {}: ", 2 * n + 2);
            let said = run.stderr.lines().find(|line| line.contains(&place));
            let said = said.unwrap_or_else(|| panic!("nothing on {place}{}", run.stderr));
            assert!(parts.iter().all(|part| said.contains(part)), "{said}");
        }
        assert!(
            run.stderr.contains("leave --strict out to run the others"),
            "{}",
            run.stderr
        );
        let left: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(left, ["jobs.jsonl"], "something was written");
    }
}

#[test]
fn strict_runs_everything_when_all_lines_are_valid_even_from_stdin() {
    let directory = scratch();
    let jobs = quick("a") + &quick("b");
    let run = run_args(
        directory.path(),
        &["--jobs", "-", "--strict"],
        jobs.as_bytes(),
    );
    assert_eq!(
        (run.code, run.results.len()),
        (Some(0), 2),
        "{}",
        run.stderr
    );
    let run = run_args(
        directory.path(),
        &["--jobs", "-", "--strict"],
        (jobs + "x\n").as_bytes(),
    );
    assert_eq!(
        (run.code, run.results.len()),
        (Some(1), 0),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("stdin line 3: "), "{}", run.stderr);
}

/// Runs bytes that may not be UTF-8 as `jobs.jsonl`.
fn run_bytes(bytes: &[u8], args: &[&str]) -> Run {
    let directory = scratch();
    fs::write(directory.path().join("jobs.jsonl"), bytes).unwrap();
    run_args(
        directory.path(),
        &[&["--jobs", "jobs.jsonl"], args].concat(),
        b"",
    )
}

#[test]
fn a_duplicate_id_names_both_lines_and_the_first_runs() {
    let run = run_bytes(
        (quick("a") + &quick("b") + "\n" + &quick("a")).as_bytes(),
        &[],
    );
    assert_eq!((run.status("a"), run.status("b")), ("ok", "ok"));
    assert_invalid(
        &run,
        "a#4",
        4,
        &[
            "id \"a\" is already used on jobs.jsonl line 1",
            "its own id",
        ],
    );
    assert_eq!(run.code, Some(1));
}

#[test]
fn a_duplicate_in_another_file_names_both_files() {
    let directory = scratch();
    fs::write(directory.path().join("one.jsonl"), quick("x") + &quick("a")).unwrap();
    fs::write(directory.path().join("two.jsonl"), quick("a")).unwrap();
    let run = run_args(
        directory.path(),
        &["--jobs", "one.jsonl", "--jobs", "two.jsonl"],
        b"",
    );
    let error = run.error("a#3");
    assert!(
        error.starts_with("two.jsonl line 1: ") && error.contains("one.jsonl line 2"),
        "{error}"
    );
    assert_eq!(run.results.len(), 3);
}

#[test]
fn a_line_of_100_mb_is_refused_without_being_held() {
    let mut bytes = quick("before").into_bytes();
    bytes.extend_from_slice(b"{\"id\": \"long\", \"stdin\": \"");
    bytes.resize(bytes.len() + (100 << 20), b'x');
    bytes.extend_from_slice(b"\", \"command\": \"true\"}\n");
    bytes.extend_from_slice(quick("after").as_bytes());
    let directory = scratch();
    fs::write(directory.path().join("jobs.jsonl"), bytes).unwrap();
    let run = run_args(
        directory.path(),
        &["--jobs", "jobs.jsonl", "--stats", "s.json"],
        b"",
    );
    assert_eq!((run.status("before"), run.status("after")), ("ok", "ok"));
    invalid(&run, 2, &["longer than 32 MB", "name it with `host_path`"]);
    let stats = fs::read_to_string(directory.path().join("s.json")).unwrap();
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    let peak = stats["runner"]["peak_memory_mb"].as_f64().unwrap();
    assert!(peak < 100.0, "{peak} MB");
}

#[test]
fn invalid_utf8_names_the_byte_and_its_neighbours_run() {
    let mut bytes = quick("before").into_bytes();
    bytes.extend_from_slice(b"{\"id\": \"bad\", \"command\": \"echo \xff\"}\n");
    bytes.extend_from_slice(quick("after").as_bytes());
    let run = run_bytes(&bytes, &[]);
    assert_invalid(
        &run,
        "bad",
        2,
        &["not valid UTF-8 at byte 32", "save the file as UTF-8"],
    );
    assert_eq!((run.status("before"), run.status("after")), ("ok", "ok"));
}

#[test]
fn byte_order_mark_crlf_blank_lines_and_a_missing_last_newline_are_no_mistakes() {
    let text = format!(
        "\u{feff}{}\r\n\r\n \t\r\n{}",
        quick("a").trim(),
        quick("b").trim()
    );
    let run = run_bytes(text.as_bytes(), &["--strict"]);
    assert_eq!(
        (run.status("a"), run.status("b"), run.results.len()),
        ("ok", "ok", 2)
    );
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn a_program_that_is_missing_or_not_executable_is_named_with_what_to_do() {
    let jobs = r##"{"id": "missing", "argv": ["no-such-program"]}
{"id": "missing-path", "argv": ["./no-such-file"]}
{"id": "not-executable", "argv": ["./a"], "files": {"a": "#!/bin/sh\n"}}
{"id": "executable", "argv": ["./a"], "files": {"a": {"base64": "IyEvYmluL3NoCg==", "mode": "0755"}}}
{"id": "directory", "argv": ["/usr"]}
"##;
    for way in Way::all() {
        let run = run(way, jobs, &[]);
        assert_invalid(
            &run,
            "missing",
            1,
            &[
                "argv",
                "\"no-such-program\"",
                "PATH",
                "install it on the host",
            ],
        );
        assert_invalid(
            &run,
            "missing-path",
            2,
            &["argv", "\"./no-such-file\"", "add it to files"],
        );
        assert_invalid(
            &run,
            "not-executable",
            3,
            &["argv", "\"./a\"", "\"mode\": \"0755\""],
        );
        assert_invalid(&run, "directory", 5, &["argv", "\"/usr\""]);
        assert_eq!(
            (run.status("executable"), run.code),
            ("ok", Some(1)),
            "{way:?}"
        );
    }
}

/// What stands in the episode is its author's doing, a program of the host's that can't be run is the spec's.
#[test]
fn a_script_whose_interpreter_is_missing_is_told_from_a_missing_file() {
    let host = scratch();
    let tool = host.path().join("tool");
    fs::write(&tool, "#!/no/such/interpreter\n").unwrap();
    let readable = Permissions::from_mode(0o755);
    fs::set_permissions(host.path(), readable.clone()).unwrap();
    fs::set_permissions(&tool, readable).unwrap();
    let tool = tool.to_str().unwrap();
    // "#!/bin/sh\r\necho hi\r\n", as written on Windows.
    let script = json!({"a": {"base64": "IyEvYmluL3NoDQplY2hvIGhpDQo=", "mode": "0755"}});
    let episodes = [
        json!({"id": "script", "argv": ["./a"], "files": script}),
        json!({"id": "tool", "argv": [tool], "fs_readable": [tool]}),
    ];
    let jobs = episodes.map(|episode| format!("{episode}\n")).concat();
    let allowed = host.path().to_str().unwrap();
    for way in Way::all() {
        let run = run(way, &jobs, &["--allow-path", allowed]);
        let result = run.get("script");
        assert_eq!(result["status"], "failed", "{way:?}: {result}");
        assert_eq!(result["exit_code"], 127, "{way:?}: {result}");
        assert_eq!(result["fault"], "program", "{way:?}: {result}");
        assert!(
            run.error("script").contains("carriage return"),
            "{way:?}: {result}"
        );
        assert_invalid(&run, "tool", 2, &["argv", tool, "the file is there"]);
    }
}

#[test]
fn a_jobs_file_without_episodes_says_so() {
    for text in ["", "\n \n", "\u{feff}"] {
        let run = run_bytes(text.as_bytes(), &[]);
        assert_eq!((run.code, run.lines.len()), (Some(0), 0));
        one_sentence(
            &run.stderr,
            &["hold no episodes", "one JSON object per line"],
        );
    }
}
