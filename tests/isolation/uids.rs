//! Two runners as root at the same time never give two slots the same uid.

use crate::common::{binary, scratch};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::{self, DirEntry};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Programs that stay until they are killed, with a name by which they are found.
fn sleepers(directory: &Path, count: usize) -> String {
    let mark = directory.file_name().unwrap().to_str().unwrap();
    let episode =
        |n: usize| json!({"id": n.to_string(), "command": format!("exec -a {mark} sleep 60")});
    (0..count).map(|n| format!("{}\n", episode(n))).collect()
}

/// Running programs with this name, and their uids.
fn running(directory: &Path) -> Vec<(Pid, u32)> {
    let mark = directory.file_name().unwrap().to_str().unwrap();
    let program = |process: DirEntry| {
        let line = fs::read(process.path().join("cmdline")).ok()?;
        let pid = process.file_name().to_str()?.parse().ok()?;
        let uid = process.metadata().ok()?.uid();
        line.starts_with(mark.as_bytes())
            .then_some((Pid::from_raw(pid), uid))
    };
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(program).collect()
}

/// Their uids, once there are so many of them.
#[track_caller]
fn uids_of(directory: &Path, count: usize) -> Vec<u32> {
    let patience = Instant::now() + Duration::from_secs(40);
    loop {
        let found = running(directory);
        if found.len() >= count {
            return found.into_iter().map(|(_, uid)| uid).collect();
        }
        assert!(Instant::now() < patience, "{} of {count} run", found.len());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn end(directory: &Path) {
    for (pid, _) in running(directory) {
        let _ = kill(pid, Signal::SIGKILL);
    }
}

fn feed(mut command: Command, jobs: &str) -> Child {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(jobs.as_bytes())
        .unwrap();
    child
}

#[track_caller]
fn assert_all_ran(output: &Output, count: usize) {
    let results = String::from_utf8_lossy(&output.stdout);
    let killed = |line: &&str| serde_json::from_str::<Value>(line).unwrap()["signal"] == 9;
    assert_eq!(results.lines().filter(killed).count(), count, "{output:?}");
}

#[test]
fn runners_with_the_same_process_id_in_containers_of_their_own_share_no_uid() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    for tier in ["namespaces", "landlock"] {
        let directory = scratch();
        let jobs = sleepers(directory.path(), 3);
        let start = |_| {
            let mut command = Command::new("unshare");
            // Each is PID 1, as in a container; uids are the host's.
            command
                .args(["--pid", "--fork", "--mount-proc", "--kill-child"])
                .arg(binary())
                .args(["--jobs", "-", "--concurrency", "3", "--isolation", tier]);
            feed(command, &jobs)
        };
        let runners: Vec<Child> = (0..2).map(start).collect();
        let uids = uids_of(directory.path(), 6);
        end(directory.path());
        for runner in runners {
            assert_all_ran(&runner.wait_with_output().unwrap(), 3);
        }
        let different: BTreeSet<u32> = uids.iter().copied().collect();
        assert_eq!((uids.len(), different.len()), (6, 6), "{tier}: {uids:?}");
    }
}

/// Runs a command of the shell as root of a user namespace with so many uids, as in a rootless container.
fn in_user_namespace(uids: u32, command: &str, directory: &Path) -> Child {
    let mut child = Command::new("unshare")
        .args(["--user", "bash", "-c", &format!("read; {command}")])
        .env("RUNNER", binary())
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let proc = format!("/proc/{}", child.id());
    let own = fs::read_link("/proc/self/ns/user").unwrap();
    let patience = Instant::now() + Duration::from_secs(10);
    while fs::read_link(format!("{proc}/ns/user")).is_ok_and(|theirs| theirs == own) {
        assert!(Instant::now() < patience, "unshare does not");
        std::thread::sleep(Duration::from_millis(5));
    }
    // Root inside is root outside, so that it may enter what it has to.
    for map in ["uid_map", "gid_map"] {
        let lines = format!("0 0 1\n1 300000 {}\n", uids - 1);
        fs::write(format!("{proc}/{map}"), lines).unwrap();
    }
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    child
}

#[test]
fn in_a_user_namespace_with_few_uids_runners_share_none_and_say_when_they_would_have_to() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let directory = scratch();
    fs::write(
        directory.path().join("jobs.jsonl"),
        sleepers(directory.path(), 4),
    )
    .unwrap();
    // From a stream, of which it can't be told beforehand that it needs fewer slots.
    let run = |concurrency: usize| {
        let command = format!(
            "exec \"$RUNNER\" --jobs - --warm none --isolation landlock --concurrency {concurrency} < jobs.jsonl"
        );
        in_user_namespace(201, &command, directory.path())
    };
    // The upper half of 200 is 100: one takes 64, the next one what is left of it, and there is nothing for a third.
    let first = run(4);
    uids_of(directory.path(), 4);
    let second = run(20);
    let uids: BTreeSet<u32> = uids_of(directory.path(), 8).into_iter().collect();
    let third = run(30).wait_with_output().unwrap();
    end(directory.path());
    assert_all_ran(&first.wait_with_output().unwrap(), 4);
    assert_all_ran(&second.wait_with_output().unwrap(), 4);
    assert_eq!(uids.len(), 8, "{uids:?}");
    let few = run(101).wait_with_output().unwrap();
    for (output, message) in [
        (third, "no 30 in a row are left"),
        (few, "100 uids for slots"),
    ] {
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(message), "{stderr}");
    }
}
