//! An episode that runs in another slot at the same time: its processes and its directories are out of reach, even for
//! somebody who knows where they are.

use super::host_process;
use crate::common::{Run, Way, command, parse, probe_program, scratch};
use crate::episodes::{outside, shell, with};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const ATTACKS: [&str; 21] = [
    "kill PID 0",
    "kill PID",
    "tkill PID",
    "tgkill PID",
    "queue-signal PID",
    "queue-signal-thread PID",
    "signal-descriptor PID",
    "trace-attach PID",
    "trace-seize PID",
    "vm-read PID READABLE",
    "vm-write PID WRITABLE",
    "proc-memory PID READABLE",
    "take-descriptor PID",
    "compare PID",
    "limits PID",
    "priority PID",
    "affinity PID",
    "scheduler PID",
    "read /proc/PID/environ",
    "read /proc/PID/cwd/mark",
    "list /proc/PID/fd",
];

/// What the two are told about each other, in a directory that the attacker may read.
struct Meeting {
    directory: tempfile::TempDir,
    unique: String,
}

impl Meeting {
    fn new(way: Way) -> Meeting {
        let number = u32::from(way.root) + 2 * u32::from(way.namespaces());
        Meeting {
            directory: scratch(),
            unique: format!("12.{}{number}", std::process::id()),
        }
    }

    fn episodes(&self, place: &Path) -> String {
        let target = place.join("target");
        let target = target.display();
        // No fork between the shell and what is attacked, which then still answers for the whole episode.
        let neighbour = shell(
            "neighbour",
            &format!(
                "echo mark > mark; sleep {} & echo $! > pid; wait $!; echo $? alive",
                self.unique
            ),
        );
        let attacks: Vec<String> = ATTACKS
            .iter()
            .map(|attack| {
                let words = attack
                    .replace("PID", "$PID")
                    .replace("READABLE", "$READABLE");
                format!(
                    "echo \"{attack}: $(./probe {})\"",
                    words.replace("WRITABLE", "$WRITABLE")
                )
            })
            .collect();
        let script = format!(
            "until [ -e {target} ]; do sleep 0.02; done; . {target}; {}; \
             for name in mark pid new; do cat $DIRECTORY/$name && echo READ; echo x > $DIRECTORY/$name && echo WROTE; done \
             2> /dev/null; ls $DIRECTORY/.. 2> /dev/null | grep -v -e '^home$' -e '^tmp$' -e '^work' ; true",
            attacks.join("; ")
        );
        let attacker = with(
            shell("attacker", &script),
            json!({
                "fs_readable": [place],
                "files": {"probe": {"host_path": probe_program(), "mode": "0755"}},
            }),
        );
        format!("{neighbour}\n{attacker}\n")
    }

    /// Waits for the neighbour, tells the attacker where it is, and returns its uid.
    fn introduce(&self, place: &Path) -> u32 {
        let patience = Instant::now() + Duration::from_secs(60);
        let (pid, uid) = loop {
            if let Some(found) = host_process(&self.unique) {
                break found;
            }
            assert!(Instant::now() < patience, "the neighbour does not start");
            std::thread::sleep(Duration::from_millis(10));
        };
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        let first = |rights: &str| {
            let line = maps.lines().find(|line| line.contains(rights));
            line.and_then(|line| line.split('-').next())
                .map_or("0".into(), |start| format!("0x{start}"))
        };
        let directory = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
        let told = format!(
            "PID={pid} READABLE={} WRITABLE={} DIRECTORY={}\n",
            first("r--p"),
            first("rw-p"),
            directory.display()
        );
        fs::write(place.join("new"), told).expect("write");
        fs::rename(place.join("new"), place.join("target")).expect("rename");
        uid
    }
}

/// Both at once in one run; the attacker starts when it knows the other.
fn meet(way: Way) -> (Run, u32) {
    let meeting = Meeting::new(way);
    let place = meeting.directory.path().join("place");
    fs::create_dir(&place).expect("mkdir");
    let jobs = meeting.directory.path().join("jobs.jsonl");
    fs::write(&jobs, meeting.episodes(&place)).expect("write");
    let probe = probe_program();
    let child = command(way.root)
        .args(["--isolation", way.tier, "--concurrency", "2", "--jobs"])
        .arg(&jobs)
        .arg("--allow-path")
        .arg(meeting.directory.path())
        .arg("--allow-path")
        .arg(probe.parent().expect("a directory"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let uid = meeting.introduce(&place);
    // For control: nothing but the sandbox is between two processes of this uid.
    let pid = host_process(&meeting.unique).expect("it runs").0;
    if uid == crate::common::NOBODY {
        let probe = probe.display().to_string();
        let answer = outside(uid, &[&probe, "kill", &pid.to_string(), "0"]);
        assert!(answer.starts_with("reached "), "{way:?}: {answer}");
    }
    (
        parse(child.wait_with_output().expect("the binary ends")),
        uid,
    )
}

#[test]
fn neither_its_processes_nor_its_files_are_reached() {
    // At the same time: most of it is the neighbour's sleep.
    let meeting = |way| (way, std::thread::spawn(move || meet(way).0));
    let meetings: Vec<_> = Way::all().into_iter().map(meeting).collect();
    for (way, thread) in meetings {
        let run = thread
            .join()
            .unwrap_or_else(|_| panic!("{way:?}: see above"));
        let said = run.output("attacker");
        let answers: Vec<&str> = said.lines().filter(|line| line.contains(": ")).collect();
        assert_eq!(answers.len(), ATTACKS.len(), "{way:?}: {said}");
        for answer in answers {
            assert!(answer.contains(": denied "), "{way:?}: {answer}");
        }
        // In the namespaces tier the directory has the name that one's own has.
        let beyond: Vec<&str> = said.lines().filter(|line| !line.contains(": ")).collect();
        if !way.namespaces() {
            assert!(beyond.is_empty(), "{way:?}: {beyond:?}");
        }
        assert_eq!(run.output("neighbour"), "0 alive\n", "{way:?}");
        assert_eq!(run.get("neighbour")["attempts"], 1, "{way:?}");
    }
}
