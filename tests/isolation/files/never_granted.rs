//! What is the slots' own, and the run's, is granted to nobody; and what is granted stays the host's.

use super::host::{host_directory, make_for_all};
use crate::common::{Way, binary, command, parse, run_args, scratch};
use crate::episodes::{shell, with};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// Where there are no namespaces, all slots' files lie below TMPDIR.
#[test]
fn the_directories_of_the_landlock_tier_s_slots_are_granted_to_nobody() {
    for way in Way::of_tier("landlock") {
        let above = scratch();
        let tmp = above.path().join("tmp");
        make_for_all(&tmp);
        let narrow = above.path().join("tmp/narrow");
        fs::create_dir(&narrow).unwrap();
        let run = |lines: &[Value], args: &[&str]| {
            let jobs: Vec<String> = lines.iter().map(Value::to_string).collect();
            fs::write(above.path().join("jobs.jsonl"), jobs.join("\n")).unwrap();
            let mut command = command(way.root);
            command.args(["--isolation", "landlock", "--jobs", "jobs.jsonl"]);
            let command = command.args(args).env("TMPDIR", &tmp);
            parse(command.current_dir(above.path()).output().unwrap())
        };
        let asks =
            |id: &str, field: &str, path: &Path| with(shell(id, "ls"), json!({field: [path]}));
        let allowed = ["--allow-path", "/tmp"];
        let lines = [
            asks("a", "fs_writable", &tmp),
            asks("b", "fs_readable", &tmp),
            asks("c", "fs_readable", Path::new("/tmp")),
            asks("d", "fs_readable", &narrow),
        ];
        let ran = run(&lines, &allowed);
        for id in ["a", "b", "c"] {
            // Elsewhere, with another TMPDIR, it may be had.
            assert_eq!(ran.status(id), "infra_error", "{way:?}: {}", ran.get(id));
            assert_eq!(ran.get(id)["attempts"], 1, "{way:?}: {}", ran.get(id));
            assert!(ran.error(id).contains("TMPDIR"), "{way:?}: {}", ran.get(id));
        }
        assert_eq!(ran.status("d"), "ok", "{way:?}: {}", ran.get("d"));
        let tmp = tmp.to_str().unwrap();
        let ran = run(&[shell("e", "ls")], &["--fs-readable", tmp]);
        assert_eq!(ran.code, Some(3), "{way:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("TMPDIR"), "{way:?}: {}", ran.stderr);
    }
}

/// A slot's own start-up happens in its home directory: what was granted there is the host's.
#[test]
fn what_is_granted_in_place_of_a_slot_s_own_directory_stays_as_it_was() {
    if !nix::unistd::geteuid().is_root() || !Path::new("/home").is_dir() {
        return println!(
            "skipped: only root can put a directory at /home/runner, where there is /home"
        );
    }
    for way in Way::of_tier("namespaces") {
        let above = scratch();
        let home = above.path().join("home/runner");
        make_for_all(&home);
        fs::write(home.join(".bash_profile"), "echo its own").unwrap();
        let fifo = "mkfifo -m 666 ~/.bash_login; touch ~/.runner-interpreter.so; echo ran";
        let granted = json!({"fs_writable": ["/home/runner"]});
        let lines = [
            with(shell("a", fifo), granted.clone()),
            with(shell("b", "true"), granted),
            shell("c", "echo ran"),
        ];
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        fs::write(above.path().join("jobs.jsonl"), lines.join("\n")).unwrap();
        let user = if way.root {
            ""
        } else {
            "setpriv --reuid 65534 --regid 65534 --clear-groups"
        };
        let line = format!(
            "mount --bind home /home && exec {user} timeout 60 {} --isolation namespaces --allow-path /home \
             --jobs jobs.jsonl --concurrency 1 --ordered",
            binary().display()
        );
        let mut unshare = std::process::Command::new("unshare");
        let unshare = unshare
            .args(["-m", "sh", "-c", &line])
            .current_dir(above.path());
        let ran = parse(unshare.output().unwrap());
        for (id, output) in [("a", "its own\nran\n"), ("b", "its own\n"), ("c", "ran\n")] {
            assert_eq!(
                ran.output(id),
                output,
                "{way:?}: {} {}",
                ran.get(id),
                ran.stderr
            );
        }
        let mut left: Vec<_> = fs::read_dir(&home)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(
            left,
            [".bash_login", ".bash_profile", ".runner-interpreter.so"],
            "{way:?}"
        );
        assert_eq!(
            fs::read(home.join(".bash_profile")).unwrap(),
            b"echo its own",
            "{way:?}"
        );
    }
}

/// Others may write to what is granted while a slot is built, and their files are nothing that its start-up has left.
#[test]
fn files_that_appear_in_a_granted_directory_while_slots_are_built_stay() {
    for way in Way::of_tier("namespaces") {
        let grants: Vec<_> = (0..12).map(|_| host_directory()).collect();
        let line = |(at, grant): (usize, &tempfile::TempDir)| {
            let granted = json!({"fs_writable": ["/tmp", grant.path()]});
            with(shell(&at.to_string(), "true"), granted).to_string() + "\n"
        };
        let lines: String = grants.iter().enumerate().map(line).collect();
        let begun = AtomicBool::new(false);
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let maker = scope.spawn(|| {
                let mut files = Vec::new();
                while !ended.load(Relaxed) && files.len() < 20_000 {
                    let file = tempfile::NamedTempFile::with_prefix_in("runner-test-", "/tmp");
                    files.push(file.unwrap().into_temp_path());
                    begun.store(true, Relaxed);
                    std::thread::sleep(Duration::from_millis(1));
                }
                files.iter().filter(|file| !file.exists()).count()
            });
            while !begun.load(Relaxed) {
                std::thread::yield_now();
            }
            // Not from a file below what is granted.
            let mut command = command(way.root);
            command.args([
                "--isolation",
                "namespaces",
                "--jobs",
                "-",
                "--allow-path",
                "/tmp",
            ]);
            command
                .args(["--concurrency", "2", "--warm", "bash"])
                .current_dir("/");
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            child
                .stdin
                .take()
                .unwrap()
                .write_all(lines.as_bytes())
                .unwrap();
            let output = child.wait_with_output();
            ended.store(true, Relaxed);
            let gone = maker.join().unwrap();
            let run = parse(output.unwrap());
            for at in 0..grants.len() {
                let id = at.to_string();
                assert_eq!(run.status(&id), "ok", "{way:?}: {}", run.get(&id));
            }
            assert_eq!(gone, 0, "{way:?}: files of the host are gone");
        });
    }
}

#[test]
fn what_the_run_itself_reads_and_writes_is_not_granted_for_writing() {
    let directory = scratch();
    let path = directory.path().to_str().unwrap();
    let lines = [
        with(shell("a", "true"), json!({"fs_writable": [path]})),
        with(shell("b", "true"), json!({"fs_readable": [path]})),
    ];
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    fs::write(directory.path().join("jobs.jsonl"), lines.join("\n")).unwrap();
    let args = ["--jobs", "jobs.jsonl", "--warm", "none"];
    let ran = run_args(directory.path(), &args, b"");
    assert_eq!(ran.status("a"), "invalid", "{}", ran.get("a"));
    assert!(ran.error("a").contains("jobs.jsonl"), "{}", ran.get("a"));
    assert_eq!(ran.status("b"), "ok", "{}", ran.get("b"));
    let elsewhere = scratch();
    let (other, output) = (elsewhere.path(), elsewhere.path().join("out.jsonl"));
    let output = output.to_str().unwrap();
    let writable = ["--fs-writable", other.to_str().unwrap(), "--output", output];
    let ran = run_args(directory.path(), &[&args[..], &writable].concat(), b"");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("out.jsonl"), "{}", ran.stderr);
    // The link that leads to a jobs file is the run's too.
    std::os::unix::fs::symlink(
        directory.path().join("jobs.jsonl"),
        other.join("linked.jsonl"),
    )
    .unwrap();
    let linked = other.join("linked.jsonl");
    let args = [
        "--jobs",
        linked.to_str().unwrap(),
        "--fs-writable",
        other.to_str().unwrap(),
    ];
    let ran = run_args(directory.path(), &args, b"");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("linked.jsonl"), "{}", ran.stderr);
}
