//! Files that nobody granted because everybody has them: the system's secrets, the runner's own, other slots',
//! device nodes.

use super::host::SECRET;
use crate::case::{Control, assert_blocked, assert_control, blocked, inside};
use crate::common::{NOBODY, Way, binary, command, scratch};
use crate::episodes::{outside, run_all, shell};
use serde_json::json;
use std::fs;
use std::process::Stdio;

blocked! {
    the_password_hashes_are_not_read: ["read", "/etc/shadow"], Control::Root;
    no_descriptor_but_the_standard_ones_is_open_or_missing: ["descriptors"],
        Control::Impossible("what a shell leaves open outside is chance; see the callers' descriptors");
}

#[test]
fn no_character_device_is_made() {
    assert_no_device("tty", "0x21b6", "0x103");
}

#[test]
fn no_block_device_is_made() {
    assert_no_device("disk", "0x61b6", "0x800");
}

fn assert_no_device(name: &str, mode: &str, number: &str) {
    let path = format!("/tmp/probe-{name}-{}", std::process::id());
    assert_blocked(&["device", &path, mode, number], Control::Root);
    let _ = fs::remove_file(path);
}

#[test]
fn a_fifo_is_made() {
    for way in Way::all() {
        assert_eq!(inside(way, &["mkfifo", "./fifo"]), "reached it", "{way:?}");
    }
}

#[test]
fn the_runners_binary_is_not_read() {
    let path = binary().to_str().expect("UTF-8");
    assert_blocked(&["read", path], Control::User);
}

/// The test's binary lies where the build does; the one that runs is asked for through /proc as well.
#[test]
fn the_binaries_of_init_and_zygote_are_not_read() {
    for process in ["1", "self/../1", "2"] {
        let path = format!("/proc/{process}/exe");
        for way in Way::all() {
            let answer = inside(way, &["read", &path]);
            assert!(answer.starts_with("denied "), "{way:?} {path}: {answer}");
        }
    }
    assert_control(&["read", "/proc/self/exe"], Control::User);
}

#[test]
fn jobs_and_results_of_the_run_are_neither_read_nor_changed() {
    for way in Way::all() {
        let directory = scratch();
        let at = |name: &str| directory.path().join(name).display().to_string();
        let attack = format!(
            "cat {0} {1}; echo x >> {0}; echo x >> {1}; rm -f {0} {1}; : > {1}; true",
            at("jobs.jsonl"),
            at("out.jsonl"),
        );
        let jobs = format!(
            "{}\n",
            json!({"id": "e", "command": attack, "meta": SECRET})
        );
        fs::write(directory.path().join("jobs.jsonl"), &jobs).expect("write");
        let status = command(way.root)
            .args([
                "--isolation",
                way.tier,
                "--jobs",
                "jobs.jsonl",
                "--output",
                "out.jsonl",
            ])
            .current_dir(directory.path())
            .stderr(Stdio::null())
            .status()
            .expect("the binary starts");
        assert!(status.success(), "{way:?}");
        assert_eq!(
            fs::read_to_string(at("jobs.jsonl")).expect("read"),
            jobs,
            "{way:?}"
        );
        let results = fs::read_to_string(at("out.jsonl")).expect("read");
        let result: serde_json::Value = serde_json::from_str(&results).expect("one whole line");
        assert!(
            !result["output"].to_string().contains(SECRET),
            "{way:?}: {result}"
        );

        fs::set_permissions(
            at("jobs.jsonl"),
            std::os::unix::fs::PermissionsExt::from_mode(0o666),
        )
        .expect("chmod");
        outside(NOBODY, &["bash", "-c", &attack]);
        assert!(
            !directory.path().join("jobs.jsonl").exists(),
            "the control removes it"
        );
    }
}

#[test]
fn files_of_one_running_slot_are_invisible_in_another() {
    for way in Way::all() {
        let write =
            "echo private > $TMPDIR/mark; echo private > mark; echo private > $HOME/mark; sleep 1";
        let look = include_str!("../programs/looks_for_marks_of_a_neighbour.sh");
        let run = run_all(
            way,
            &[shell("a", write), shell("b", look)],
            &["--concurrency", "2"],
        );
        assert_eq!(run.output("b"), "", "{way:?}");
        let same = run_all(way, &[shell("c", &format!("{write}; cat mark"))], &[]);
        assert_eq!(same.output("c"), "private\n", "the control sees its own");
    }
}

/// chmod u+s on a program of one's own, run by the next step.
#[test]
fn a_set_user_id_copy_of_a_program_gains_nothing() {
    let copy = "cp /usr/bin/id copy; chmod 6777 copy; ls -l copy";
    for way in Way::all() {
        let steps = json!([
            {"command": copy, "on_failure": "continue"},
            {"command": "./copy; id"},
        ]);
        let run = run_all(way, &[json!({"id": "e", "steps": steps})], &[]);
        let output = run.get("e")["steps"][1]["output"]
            .as_str()
            .expect("output")
            .to_owned();
        let lines: Vec<&str> = output.lines().collect();
        assert_eq!(lines.len(), 2, "{way:?}: {output}");
        assert_eq!(lines[0], lines[1], "{way:?}");
        assert!(!output.contains("euid"), "{way:?}: {output}");
    }
    if nix::unistd::geteuid().is_root() {
        let directory = scratch();
        let copy = directory.path().join("copy");
        fs::copy("/usr/bin/id", &copy).expect("copy");
        fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o4755))
            .expect("chmod");
        let control = outside(NOBODY, &[copy.to_str().expect("UTF-8")]);
        assert!(
            control.contains("euid=0"),
            "the control gains root: {control}"
        );
    }
}

/// What a file is extended by is zero, not what somebody left in memory or on disk. (In the landlock tier nothing is reserved.)
#[test]
fn a_file_made_longer_holds_zeros() {
    let dirty = "head -c 30000000 /dev/zero | tr '\\0' S > dirty; cp dirty $TMPDIR/dirty";
    let look = "truncate -s 20M a; fallocate -l 20M b 2>/dev/null; cat [ab] | tr -d '\\0' | wc -c";
    for way in Way::all() {
        let run = crate::episodes::run_in_turn(way, &[shell("dirty", dirty), shell("look", look)]);
        assert_eq!(run.status("dirty"), "ok", "{way:?}: {}", run.get("dirty"));
        let lines: Vec<_> = run.output("look").lines().map(str::to_owned).collect();
        assert_eq!(lines, ["0"], "{way:?}: {}", run.get("look"));
    }
}
