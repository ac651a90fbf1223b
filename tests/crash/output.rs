//! Results that can't be written: the reader is gone, does not read, or the disk is full.

use crate::common::{Way, binary};
use crate::left::{Sweep, start, whole_lines};
use flate2::read::MultiGzDecoder;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

fn talker(n: usize, kb: usize) -> Value {
    json!({"id": format!("e{n}"), "command": format!("(setsid sleep 300 >/dev/null 2>&1 &); head -c {} /dev/zero | tr '\\0' x", kb * 1024)})
}

#[test]
fn a_reader_that_goes_away_ends_the_run_with_a_sentence() {
    for way in Way::all() {
        let jobs: Vec<Value> = (0..300).map(|n| talker(n, 4)).collect();
        let mut sweep = start(way, &jobs, &[], Stdio::piped());
        let mut reader = BufReader::new(sweep.child.stdout.take().unwrap());
        let mut first = String::new();
        reader.read_line(&mut first).unwrap();
        whole_lines(&first);
        drop(reader);
        assert_eq!(sweep.wait(), Some(130), "{way:?}");
        assert!(
            sweep.stderr().contains("went away"),
            "{way:?}: {}",
            sweep.stderr()
        );
        sweep.assert_nothing_left();
    }
}

#[test]
fn a_reader_that_never_reads_does_not_keep_ctrl_c_from_ending_the_run() {
    for way in Way::all() {
        let jobs: Vec<Value> = (0..60).map(|n| talker(n, 900)).collect();
        let mut sweep = start(way, &jobs, &["--concurrency", "2"], Stdio::piped());
        // Its programs may be over before anybody sees them.
        sweep.wait_until("slots", |sweep| !sweep.slot_processes("init").is_empty());
        std::thread::sleep(Duration::from_millis(600));
        sweep.signal(Signal::SIGINT);
        // Two that come before it has seen one are one.
        sweep.wait_said("runner: stopping");
        sweep.signal(Signal::SIGINT);
        assert_eq!(
            sweep.wait_at_most(Duration::from_secs(30)),
            Some(130),
            "{way:?}"
        );
        sweep.assert_nothing_left();
        let mut got = String::new();
        sweep
            .child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut got)
            .unwrap();
        // A pipe holds less than one of these lines: what is there may stop in the first of them, not between two.
        let whole = got.rfind('\n').map_or("", |end| &got[..=end]);
        whole_lines(whole);
    }
}

#[test]
fn a_full_disk_keeps_whole_lines_and_is_resumed_after_making_room() {
    if !nix::unistd::geteuid().is_root() {
        return; // mounting the small disk takes root
    }
    for tier in ["namespaces", "landlock"] {
        let way = Way { root: true, tier };
        let jobs: Vec<Value> = (0..40).map(|n| talker(n, 32)).collect();
        // Only to have the jobs file and the checks; the run itself is in a mount namespace of its own.
        let mut sweep = start(way, &jobs, &["--output", "/dev/null"], Stdio::null());
        sweep.wait();
        let output = Command::new("unshare")
            .args([
                "-m",
                "bash",
                "-c",
                include_str!("programs/fills_a_disk_and_resumes.sh"),
            ])
            .arg(binary())
            .arg(tier)
            .current_dir(sweep.directory.path())
            .output()
            .unwrap();
        let (said, errors) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(said, "first=130\nsecond=0\n", "{errors}");
        assert!(
            errors.contains("no space left for disk/out.jsonl"),
            "{errors}"
        );
        let first = sweep.results("first.jsonl");
        assert!(!first.is_empty() && first.len() < 40, "{}", first.len());
        assert_eq!(sweep.results("second.jsonl").len(), 40);
        sweep.assert_nothing_left();
    }
}

#[test]
fn a_killed_runner_leaves_a_compressed_output_that_is_read_and_resumed() {
    for way in Way::all() {
        for name in ["out.jsonl.gz", "out.jsonl.zst"] {
            // However late it is killed, there is something left to do.
            let waits = "until [ -e {gate} ]; do sleep 0.1; done; echo done";
            let jobs: Vec<Value> = (0..60)
                .map(|n| json!({"id": format!("e{n}"), "command": if n < 20 { "echo done" } else { waits }}))
                .collect();
            let args = ["--concurrency", "2", "--output", name, "--resume"];
            let mut sweep = start(way, &jobs, &args, Stdio::null());
            let written = |sweep: &Sweep| {
                let file = fs::metadata(sweep.directory.path().join(name));
                file.is_ok_and(|file| file.len() > 0)
            };
            sweep.wait_until("results", written);
            sweep.signal(Signal::SIGKILL);
            sweep.child.wait().unwrap();
            let decode = |sweep: &Sweep| {
                let file = fs::File::open(sweep.directory.path().join(name)).unwrap();
                let text = if name.ends_with("gz") {
                    io::read_to_string(MultiGzDecoder::new(file))
                } else {
                    io::read_to_string(zstd::Decoder::new(file).unwrap())
                };
                fs::write(sweep.directory.path().join("plain"), text.unwrap()).unwrap();
                sweep.results("plain")
            };
            let first = decode(&sweep).len();
            assert!(first > 0 && first <= 20, "{way:?} {name}: {first}");
            sweep.open_gate();
            assert_eq!(sweep.again(&args), Some(0), "{way:?}: {}", sweep.stderr());
            assert_eq!(decode(&sweep).len(), 60, "{way:?} {name}");
            sweep.assert_nothing_left();
        }
    }
}

#[test]
fn a_full_device_as_output_is_a_sentence_and_not_a_panic() {
    for way in Way::all() {
        let jobs: Vec<Value> = (0..20).map(|n| talker(n, 4)).collect();
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let mut sweep = start(way, &jobs, &[], Stdio::from(full));
        assert_eq!(sweep.wait(), Some(130), "{way:?}: {}", sweep.stderr());
        assert!(
            sweep.stderr().contains("no space left"),
            "{way:?}: {}",
            sweep.stderr()
        );
        sweep.assert_nothing_left();
    }
}
