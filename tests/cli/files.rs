//! Jobs files that can't be read and outputs that can't be written: one sentence each, before anything runs.

use super::common::{Run, command, parse, run_args, scratch};
use super::{one_sentence, quick};
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn gz(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Runs as the ordinary user, whom permissions bind.
fn run_as_nobody(directory: &Path, args: &[&str]) -> Run {
    parse(
        command(false)
            .args(args)
            .current_dir(directory)
            .output()
            .expect("the binary starts"),
    )
}

/// Nothing ran, and one sentence says why.
#[track_caller]
fn refused(run: &Run, parts: &[&str]) {
    assert_eq!((run.code, run.lines.len()), (Some(2), 0), "{}", run.stderr);
    one_sentence(&run.stderr, parts);
}

#[test]
fn a_jobs_file_that_is_missing_or_a_directory_is_named_and_nothing_runs() {
    let directory = scratch();
    fs::write(directory.path().join("good.jsonl"), quick("a")).unwrap();
    fs::create_dir(directory.path().join("dir")).unwrap();
    let run = |name| {
        run_args(
            directory.path(),
            &["--jobs", "good.jsonl", "--jobs", name],
            b"",
        )
    };
    refused(
        &run("none.jsonl"),
        &["none.jsonl does not exist", "check the path"],
    );
    refused(
        &run("dir"),
        &["dir is a directory", "name the .jsonl files in it"],
    );
    refused(&run("good.jsonl/x"), &["good.jsonl/x", "check the path"]);
}

#[test]
fn a_jobs_file_that_may_not_be_read_is_named() {
    let directory = scratch();
    let path = directory.path().join("closed.jsonl");
    fs::write(&path, quick("a")).unwrap();
    let args = ["--jobs", "closed.jsonl"];
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    refused(
        &run_as_nobody(directory.path(), &args),
        &["closed.jsonl may not be read", "change its permissions"],
    );
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(run_as_nobody(directory.path(), &args).code, Some(0));
}

#[test]
fn a_truncated_gz_file_gives_what_it_holds_and_says_where_it_broke() {
    let directory = scratch();
    let ids: Vec<String> = (0..200).map(|n| format!("episode-{n:03}")).collect();
    let text: String = ids.iter().map(|id| quick(id)).collect();
    let whole = gz(&text);
    fs::write(directory.path().join("whole.jsonl.gz"), &whole).unwrap();
    fs::write(
        directory.path().join("torn.jsonl.gz"),
        &whole[..whole.len() - 12],
    )
    .unwrap();
    let run = run_args(directory.path(), &["--jobs", "whole.jsonl.gz"], b"");
    assert_eq!((run.code, run.results.len()), (Some(0), 200));

    let args = ["--jobs", "torn.jsonl.gz", "--output", "out.jsonl"];
    let run = run_args(directory.path(), &args, b"");
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    one_sentence(
        &run.stderr,
        &[
            "torn.jsonl.gz cannot be read beyond line",
            "repair or fetch",
            "--resume",
        ],
    );
    let written = fs::read_to_string(directory.path().join("out.jsonl")).unwrap();
    assert!(written.lines().count() < 200);
    assert!(
        written
            .lines()
            .all(|line| line.contains("\"status\":\"ok\"")),
        "{written}"
    );

    // With the file repaired, --resume does the rest.
    fs::write(directory.path().join("torn.jsonl.gz"), &whole).unwrap();
    let run = run_args(directory.path(), &[&args[..], &["--resume"]].concat(), b"");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let written = fs::read_to_string(directory.path().join("out.jsonl")).unwrap();
    let mut found: Vec<String> = written.lines().map(id_of).collect();
    found.sort();
    assert_eq!(found, ids);
}

fn id_of(line: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    value["id"].as_str().unwrap().to_owned()
}

#[test]
fn strict_with_a_truncated_gz_runs_nothing() {
    let directory = scratch();
    let whole = gz(&(quick("a") + &quick("b")));
    fs::write(
        directory.path().join("torn.jsonl.gz"),
        &whole[..whole.len() - 4],
    )
    .unwrap();
    let run = run_args(
        directory.path(),
        &["--jobs", "torn.jsonl.gz", "--strict"],
        b"",
    );
    refused(&run, &["torn.jsonl.gz cannot be read beyond line"]);
}

#[test]
fn a_file_that_is_not_what_its_name_says_is_named() {
    let directory = scratch();
    fs::write(directory.path().join("plain.jsonl.gz"), quick("a")).unwrap();
    fs::write(directory.path().join("a.xz"), b"\xFD7zXZ\0rest").unwrap();
    let run = |name| run_args(directory.path(), &["--jobs", name], b"");
    refused(
        &run("plain.jsonl.gz"),
        &["plain.jsonl.gz is named as gzip", "rename it"],
    );
    refused(&run("a.xz"), &["a.xz is xz-compressed", "unpack"]);
}

#[test]
fn plain_gzip_zstandard_and_stdin_give_the_same_results() {
    let directory = scratch();
    let text = quick("a") + &quick("b");
    fs::write(directory.path().join("j.jsonl"), &text).unwrap();
    fs::write(directory.path().join("j.jsonl.gz"), gz(&text)).unwrap();
    fs::write(
        directory.path().join("j.jsonl.zst"),
        zstd::encode_all(text.as_bytes(), 1).unwrap(),
    )
    .unwrap();
    for name in ["j.jsonl", "j.jsonl.gz", "j.jsonl.zst", "-"] {
        let run = run_args(directory.path(), &["--jobs", name], text.as_bytes());
        assert_eq!(
            (run.code, run.status("a"), run.status("b")),
            (Some(0), "ok", "ok"),
            "{name}"
        );
    }
}

#[test]
fn an_output_that_cannot_be_written_is_named_and_nothing_runs() {
    let directory = scratch();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("jobs.jsonl"), quick("a")).unwrap();
    fs::create_dir(at("dir")).unwrap();
    fs::write(at("read-only.jsonl"), "").unwrap();
    fs::set_permissions(at("read-only.jsonl"), Permissions::from_mode(0o444)).unwrap();
    fs::create_dir(at("closed")).unwrap();
    fs::set_permissions(at("closed"), Permissions::from_mode(0o555)).unwrap();
    let run = |output| {
        run_as_nobody(
            directory.path(),
            &["--jobs", "jobs.jsonl", "--output", output],
        )
    };
    refused(
        &run("none/out.jsonl"),
        &[
            "none/out.jsonl",
            "the directory none does not exist",
            "mkdir -p",
        ],
    );
    refused(
        &run("dir"),
        &["--output dir is a directory", "dir/results.jsonl"],
    );
    refused(
        &run("read-only.jsonl"),
        &[
            "read-only.jsonl",
            "denied",
            "permissions",
            "another --output",
        ],
    );
    refused(
        &run("closed/out.jsonl"),
        &[
            "closed/out.jsonl",
            "denied",
            "permissions",
            "another --output",
        ],
    );
    assert_eq!(run("fine.jsonl").code, Some(0));
}

#[test]
fn results_are_never_overwritten() {
    let directory = scratch();
    fs::write(directory.path().join("jobs.jsonl"), quick("a")).unwrap();
    let args = ["--jobs", "jobs.jsonl", "--output", "out.jsonl"];
    assert_eq!(run_args(directory.path(), &args, b"").code, Some(0));
    let before = fs::read(directory.path().join("out.jsonl")).unwrap();
    refused(
        &run_args(directory.path(), &args, b""),
        &["out.jsonl already holds results", "--resume"],
    );
    assert_eq!(
        fs::read(directory.path().join("out.jsonl")).unwrap(),
        before
    );
}

#[test]
fn statistics_that_cannot_be_written_are_named_before_anything_runs() {
    let directory = scratch();
    fs::write(directory.path().join("jobs.jsonl"), quick("a")).unwrap();
    let args = [
        "--jobs",
        "jobs.jsonl",
        "--output",
        "out.jsonl",
        "--stats",
        "none/s.json",
    ];
    refused(
        &run_args(directory.path(), &args, b""),
        &["none/s.json", "choose another file with --stats"],
    );
    let results = fs::read_to_string(directory.path().join("out.jsonl")).unwrap_or_default();
    assert_eq!(results, "", "something ran");
}
