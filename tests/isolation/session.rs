//! A session's root is open to be written to as a container's is; nothing else is weaker than in an episode: every kind
//! of probe gets the same answer.

use crate::common::client::Server;
use crate::common::{Way, probe_program};
use crate::episodes::{output_of, outside, run_all, shell};
use crate::warm::PROBES;
use runner::sandbox::layout;
use serde_json::json;
use std::collections::BTreeMap;

/// Attempts on what an open root must not open.
const ON_FILES: [&str; 18] = [
    "echo x > /usr/bin/x",
    "echo x > /etc/passwd",
    "echo x >> /etc/profile",
    "echo x > /etc/profile.d/x.sh",
    "rm /etc/passwd",
    "mv /etc/passwd /etc/other",
    "chmod 777 /usr/bin/env",
    "chmod 777 /etc/profile",
    "touch /usr/bin/env",
    "echo 1 > /proc/sys/kernel/panic",
    "echo 0 > /proc/self/oom_score_adj",
    "echo x > /proc/self/mem",
    "chmod 777 /dev/null",
    "touch /dev/x",
    "cat /etc/shadow",
    "ls /etc/ssh",
    "ls /.host",
    "cat /proc/keys",
];

#[test]
fn every_kind_of_probe_gets_the_same_answer_in_a_session() {
    let program = probe_program();
    let code = std::fs::read(program).expect("the probe");
    let directory = program.parent().expect("a directory").display().to_string();
    for way in Way::all() {
        let episode = |probe: &&str| {
            let files = json!({"probe": {"host_path": program, "mode": "0755"}});
            json!({"id": probe, "command": format!("./probe {probe}"), "files": files})
        };
        let probes: Vec<&str> = PROBES.split('|').collect();
        let episodes: Vec<_> = probes.iter().map(episode).collect();
        let run = run_all(way, &episodes, &["--allow-path", &directory]);
        let server = Server::start(way, &[]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        let entry = json!({"path": "", "kind": "file", "mode": "0755"});
        session.upload("probe", &[(entry, code.clone())]);
        let mut differ = BTreeMap::new();
        for probe in probes {
            let result = session.exec(json!({"command": format!("./probe {probe}")}));
            let (here, there) = (&result["output"], &run.get(probe)["output"]);
            let answer = here.as_str().expect("a string");
            assert!(answer.starts_with("denied "), "{way:?}: {probe}: {result}");
            if here != there {
                differ.insert(probe, (here.clone(), there.clone()));
            }
        }
        // What is not there, what is read-only and what Landlock closes are all denied, each in its own words.
        differ.retain(|probe, _| !probe.starts_with("open ") && !probe.starts_with("read "));
        assert!(differ.is_empty(), "{way:?}: {differ:?}");
    }
}

/// In an episode, and in a session.
#[test]
fn what_proc_tells_of_the_machine_is_closed() {
    let count = |path: &&str| format!("cat /proc/{path} 2>/dev/null | wc -c");
    let look = layout::HOST_LAYOUT
        .proc_closed
        .iter()
        .map(count)
        .collect::<Vec<_>>();
    let look = look.join("; ");
    let nothing = "0\n".repeat(layout::HOST_LAYOUT.proc_closed.len());
    for way in Way::of_tier("namespaces") {
        assert_eq!(output_of(way, &shell("look", &look)), nothing, "{way:?}");
        let server = Server::start(way, &[]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        let result = session.exec(json!({"command": look}));
        assert_eq!(result["output"], nothing, "{way:?}: {result}");
    }
    let told = outside(0, &["sh", "-c", &look]);
    assert_ne!(told, nothing, "for control");
}

#[test]
fn an_open_root_opens_no_file_of_the_host() {
    for way in Way::of_tier("namespaces") {
        let server = Server::start(way, &[]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        for attempt in ON_FILES {
            let result = session.exec(json!({"command": attempt}));
            assert_eq!(result["status"], "failed", "{way:?}: {attempt}: {result}");
        }
    }
}
