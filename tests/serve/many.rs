//! Many sessions at once: what each takes, and that the last is as quick as the first.

use crate::common::Way;
use crate::common::client::{Client, Server};
use crate::common::wait_for;
use serde_json::json;
use std::time::Instant;

const SESSIONS: usize = 200;
/// For each, in all its processes.
const MAX_KB: u64 = 3 << 10;

#[test]
fn hundreds_of_idle_sessions_take_little_memory_each_and_answer_at_once() {
    let server = Server::start(Way::all()[0], &[]);
    let mut clients: Vec<(Client, String)> = Vec::new();
    for _ in 0..SESSIONS {
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        assert_eq!(session.output("echo fine"), "fine\n");
        let name = session.name.clone();
        clients.push((client, name));
    }
    if nix::unistd::geteuid().is_root() {
        let each = shares(server.pid()) / SESSIONS as u64;
        assert!(each < MAX_KB, "{each} kB for each session");
    }
    let mut times = Vec::new();
    for (client, name) in &mut clients {
        let begin = Instant::now();
        let answer = client.call("exec", json!({"session": name, "command": "true"}));
        assert_eq!(answer["result"]["status"], "ok");
        times.push(begin.elapsed());
    }
    times.sort();
    // The quicker ones: what else the machine does is no matter of how many sessions there are.
    let quick = times[SESSIONS / 10];
    assert!(quick.as_millis() < 20, "{quick:?}");
    drop(clients);
    wait_for(|| {
        let mut client = server.connect();
        client.call("stats", json!({}))["result"]["sessions"] == 0
    });
    // What is left are the server's ready slots.
    wait_for(|| {
        server.processes()
            <= 5 * 2 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
    });
}

/// The memory of a process and all below it, in kB; what several share counts once.
fn shares(pid: u32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let own = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let own: u64 = own.map_or(0, |kb| {
        kb.trim().trim_end_matches(" kB").parse().expect("kB")
    });
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    own + children
        .split_whitespace()
        .map(|pid| shares(pid.parse().expect("a pid")))
        .sum::<u64>()
}
