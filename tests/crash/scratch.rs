//! Programs that turn directories into links while the slot that they run in is ended: what a link leads to stays as it
//! is, and nothing of the slot stays in the temporary directory. Where a private root goes with its mount there is
//! nothing to remove.

use crate::common::{NOBODY, Way, command};
use crate::left::start;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Several processes in sessions of their own, each with directories that are links half of the time, and with closed
/// ones. The last argument is where the links lead.
const SWAPS: &str = include_str!("programs/swaps_directories_with_links.py");

/// Something of the host that only its owner may read, whose mode is the most that the runner's user could change.
struct Victim {
    directory: tempfile::TempDir,
}

impl Victim {
    fn new(way: Way) -> Victim {
        let directory = crate::common::scratch();
        let path = directory.path().join("victim");
        fs::write(&path, "x").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        if !way.root && nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        Victim { directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("victim")
    }

    #[track_caller]
    fn assert_untouched(&self, way: Way) {
        let mode = fs::metadata(self.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o640, "{way:?}");
    }

    fn program(&self) -> Value {
        json!(["python3", "-c", SWAPS, self.path()])
    }
}

#[test]
fn a_timeout_while_directories_become_links_changes_nothing_outside() {
    for way in Way::of_tier("landlock") {
        let victim = Victim::new(way);
        let jobs: Vec<Value> = (0..4)
            .map(|n| json!({"id": format!("{n}"), "argv": victim.program(), "timeout_s": 0.4}))
            .collect();
        let mut sweep = start(way, &jobs, &["--output", "out.jsonl"], Stdio::null());
        sweep.wait();
        victim.assert_untouched(way);
        sweep.assert_nothing_left();
        for (id, result) in sweep.results("out.jsonl") {
            assert_eq!(result["status"], "timeout", "{way:?}: {id}: {result}");
        }
    }
}

#[test]
fn an_init_that_is_killed_while_directories_become_links_leaves_nothing_and_changes_nothing_outside()
 {
    for way in Way::of_tier("landlock") {
        let victim = Victim::new(way);
        let jobs: Vec<Value> = (0..4)
            .map(|n| json!({"id": format!("{n}"), "argv": victim.program(), "timeout_s": 20}))
            .collect();
        let args = ["--retries", "0", "--concurrency", "2"];
        let mut sweep = start(way, &jobs, &args, Stdio::null());
        for _ in 0..2 {
            sweep.wait_running(14);
            std::thread::sleep(Duration::from_millis(200));
            for init in sweep.slot_processes("init") {
                let _ = kill(Pid::from_raw(init), Signal::SIGKILL);
            }
        }
        sweep.wait();
        victim.assert_untouched(way);
        sweep.assert_nothing_left();
    }
}

/// A server that talks over its stdin and stdout.
struct Server {
    child: Child,
}

impl Server {
    fn start(way: Way, directory: &Path) -> Server {
        let child = command(way.root)
            .args(["serve", "--stdio", "--isolation", way.tier])
            .current_dir(directory)
            .env("TMPDIR", directory.join("tmp"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Server { child }
    }

    fn send(&mut self, request: &Value) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(format!("{request}\n").as_bytes()).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[test]
fn a_session_that_is_stopped_while_directories_become_links_is_gone_with_the_answer() {
    for way in Way::of_tier("landlock") {
        let victim = Victim::new(way);
        let temporary = victim.directory.path().join("tmp");
        fs::create_dir(&temporary).unwrap();
        fs::set_permissions(&temporary, Permissions::from_mode(0o1777)).unwrap();
        let mut server = Server::start(way, victim.directory.path());
        let scratches = || fs::read_dir(&temporary).unwrap().count();
        let mut answers = BufReader::new(server.child.stdout.take().unwrap()).lines();
        let mut answer =
            || -> Value { serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap() };
        answer();
        for round in 0..6 {
            server.send(&json!({"id": 1, "op": "start"}));
            let session = answer()["result"]["session"].clone();
            server.send(
                &json!({"id": 2, "op": "exec", "session": session, "argv": victim.program()}),
            );
            std::thread::sleep(Duration::from_millis(400));
            server.send(&json!({"id": 3, "op": "stop", "session": session}));
            while answer()["id"] != 3 {}
            victim.assert_untouched(way);
            // Those that are left belong to slots that wait for the next session.
            let ready = 2 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            assert!(scratches() <= ready, "{way:?}: round {round}");
        }
        drop(server);
        let patience = Instant::now() + Duration::from_secs(5);
        while scratches() > 0 && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(scratches(), 0, "{way:?}");
    }
}

/// Then a slot can't remove its directory by itself.
#[test]
fn a_temporary_directory_that_only_root_may_write_to_is_left_empty() {
    for way in Way::of_tier("landlock").into_iter().filter(|way| way.root) {
        let directory = crate::common::scratch();
        let temporary = directory.path().join("temporary");
        fs::create_dir(&temporary).unwrap();
        fs::set_permissions(&temporary, Permissions::from_mode(0o755)).unwrap();
        let episode = json!({"id": "e", "command": "mkdir -p a/b; chmod 0 a; echo done"});
        fs::write(directory.path().join("jobs.jsonl"), episode.to_string()).unwrap();
        let run = command(way.root)
            .args(way.arguments())
            .current_dir(directory.path())
            .env("TMPDIR", &temporary)
            .output()
            .unwrap();
        assert_eq!(run.status.code(), Some(0), "{run:?}");
        assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "{run:?}");
    }
}
