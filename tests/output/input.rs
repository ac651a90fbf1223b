//! Where episodes come from.

use super::{assert_ok, lines};
use crate::common::{Way, command, parse, run_args, scratch};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

/// Long enough for any machine; only reached when the test fails.
const RESULT_TIMEOUT: Duration = Duration::from_secs(60);

fn echo(id: &str) -> String {
    lines(&[json!({"id": id, "argv": ["echo", id]})])
}

fn gzip(path: &Path, text: &str) {
    let mut file = flate2::write::GzEncoder::new(
        fs::File::create(path).expect("create"),
        flate2::Compression::fast(),
    );
    file.write_all(text.as_bytes())
        .and_then(|()| file.finish().map(drop))
        .expect("write gz");
}

fn zstd(path: &Path, text: &str) {
    fs::write(
        path,
        zstd::encode_all(text.as_bytes(), 1).expect("compress"),
    )
    .expect("write zst");
}

#[test]
fn several_jobs_files_compressed_or_not_and_stdin_make_one_run() {
    let directory = scratch();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("plain.jsonl"), echo("p1") + &echo("p2")).expect("write");
    gzip(&at("one.jsonl.gz"), &(echo("g1") + &echo("g2")));
    zstd(&at("two.jsonl.zst"), &(echo("z1") + &echo("z2")));
    for way in Way::all() {
        let mut command = command(way.root);
        command.args(["--isolation", way.tier, "--ordered"]);
        for jobs in ["plain.jsonl", "one.jsonl.gz", "two.jsonl.zst", "-"] {
            command.args(["--jobs", jobs]);
        }
        command
            .current_dir(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut runner = command.spawn().expect("the binary starts");
        runner
            .stdin
            .take()
            .expect("piped")
            .write_all((echo("s1") + &echo("s2")).as_bytes())
            .expect("written");
        let run = parse(runner.wait_with_output().expect("the binary ends"));
        assert_eq!(run.code, Some(0), "{way:?}: {}", run.stderr);
        let ids = ["p1", "p2", "g1", "g2", "z1", "z2", "s1", "s2"];
        assert_eq!(run.lines.len(), ids.len(), "{way:?}");
        for (line, id) in run.lines.iter().zip(ids) {
            assert!(
                line.starts_with(&format!("{{\"id\":\"{id}\",")),
                "{way:?}: {line}"
            );
            assert_ok(way, &run, id);
            assert_eq!(run.output(id), format!("{id}\n"), "{way:?}");
        }
    }
}

#[test]
fn concatenated_members_and_a_missing_trailing_newline_lose_no_episode() {
    let directory = scratch();
    let at = |name: &str| directory.path().join(name);
    gzip(&at("a.gz"), &echo("g1"));
    gzip(&at("b.gz"), echo("g2").trim_end());
    let both = [
        fs::read(at("a.gz")).expect("read"),
        fs::read(at("b.gz")).expect("read"),
    ]
    .concat();
    fs::write(at("both.jsonl.gz"), both).expect("write");
    zstd(&at("c.zst"), &echo("z1"));
    zstd(&at("d.zst"), echo("z2").trim_end());
    let both = [
        fs::read(at("c.zst")).expect("read"),
        fs::read(at("d.zst")).expect("read"),
    ]
    .concat();
    fs::write(at("both.jsonl.zst"), both).expect("write");
    let run = run_args(
        directory.path(),
        &[
            "--jobs",
            "both.jsonl.gz",
            "--jobs",
            "both.jsonl.zst",
            "--jobs",
            "-",
        ],
        echo("s").trim_end().as_bytes(),
    );
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(
        run.results.keys().map(String::as_str).collect::<Vec<_>>(),
        ["g1", "g2", "s", "z1", "z2"]
    );
}

#[test]
fn an_id_that_comes_twice_is_invalid_even_across_files() {
    let directory = scratch();
    fs::write(
        directory.path().join("a.jsonl"),
        echo("same") + &echo("other"),
    )
    .expect("write");
    fs::write(directory.path().join("b.jsonl"), echo("same")).expect("write");
    // Not through `run_args`, which refuses an id twice: here it has to be there twice.
    let mut runner = command(true);
    runner
        .args(["--jobs", "a.jsonl", "--jobs", "b.jsonl", "--ordered"])
        .current_dir(directory.path());
    let output = runner
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts");
    let results: Vec<Value> = output
        .stdout
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).expect("JSON"))
        .collect();
    assert_eq!(results.len(), 3);
    assert_eq!(results[0]["status"], "ok");
    assert_eq!(results[2]["status"], "invalid");
    let error = results[2]["error"].as_str().expect("an error");
    assert!(
        error.contains("a.jsonl line 1") && error.contains("b.jsonl line 1"),
        "both lines are named: {error}"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_result_comes_while_the_input_is_still_open() {
    for way in Way::all() {
        let mut command = command(way.root);
        command
            .args(["--isolation", way.tier, "--jobs", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut runner = command.spawn().expect("the binary starts");
        let mut input = runner.stdin.take().expect("piped");
        let output = BufReader::new(runner.stdout.take().expect("piped"));
        let (send, results) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let mut next = |sent: &str| {
            input
                .write_all(sent.as_bytes())
                .and_then(|()| input.flush())
                .expect("written");
            results.recv_timeout(RESULT_TIMEOUT)
        };
        let first = next(&echo("first"));
        let second = next(&echo("second"));
        drop(input);
        // Only now, so that a failure leaves no process behind.
        let ended = runner.wait().expect("the binary ends");
        reader.join().expect("the reader ends");
        assert!(
            first.is_ok_and(|line| line.starts_with("{\"id\":\"first\",\"status\":\"ok\"")),
            "{way:?}"
        );
        assert!(
            second.is_ok_and(|line| line.starts_with("{\"id\":\"second\",\"status\":\"ok\"")),
            "{way:?}"
        );
        assert_eq!(ended.code(), Some(0), "{way:?}");
    }
}
