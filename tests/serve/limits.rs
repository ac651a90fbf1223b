//! What clients can make the server hold is bounded, what is refused says so, and afterwards everything works as before.

use crate::common::client::{Client, Server, code};
use crate::common::wait_for;
use crate::common::{Way, killed_in, limit_cgroup, slot_cgroups};
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

const MB: usize = 1 << 20;

/// What the server may take beyond what it may hold for one client: its own memory, and one line as it is read.
const OVERHEAD_KB: u64 = 80 << 10;

/// What the server may hold for one client.
const CONNECTION_KB: u64 = 64 << 10;

fn server(sessions: &str) -> Server {
    Server::start(Way::all()[0], &["--sessions", sessions])
}

#[track_caller]
fn assert_holds_little(server: &Server) {
    let kb = server.memory_kb("VmHWM");
    assert!(kb < CONNECTION_KB + OVERHEAD_KB, "it held {kb} kB");
}

/// Nothing is left of what was refused, and a new client is served.
#[track_caller]
fn assert_nothing_is_left(server: &Server) {
    wait_for(|| server.count("connections") == 1);
    assert_eq!(server.count("sessions"), 0);
    assert_eq!(server.count("waiting"), 0);
    assert_eq!(server.count("held_bytes"), 0);
    assert_eq!(
        server.connect().start(json!({})).output("echo fine"),
        "fine\n"
    );
}

#[track_caller]
fn assert_busy(answer: &Value, remedy: &str) {
    assert_eq!(code(answer), "busy", "{answer}");
    let message = answer["error"]["message"].as_str().expect("a message");
    assert!(message.contains(remedy), "{message}");
}

#[test]
fn executions_that_wait_are_bounded_in_bytes() {
    let server = server("20");
    let mut client = server.connect();
    let sessions: Vec<String> = (0..5).map(|_| client.start(json!({})).name).collect();
    let stdin = "x".repeat(2 * MB);
    let mut asked = 0;
    for session in &sessions {
        client.ask("exec", json!({"session": session, "command": "sleep 1000"}));
        for _ in 0..8 {
            let fields = json!({"session": session, "command": "true", "stdin": stdin});
            client.ask("exec", fields);
            asked += 1;
        }
    }
    // As many as fit wait on, and the others are refused at once.
    let last = client.ask("stats", json!({}));
    let mut waiting = asked;
    loop {
        let answer = client.receive();
        if answer["id"] == last {
            break;
        }
        assert_busy(&answer, "wait for some answers");
        waiting -= 1;
    }
    assert!((25..=32).contains(&waiting), "{waiting}");
    let held = server.count("held_bytes");
    assert!(held > 50 * MB as u64 && held <= 64 * MB as u64, "{held}");
    assert_holds_little(&server);
    // Whatever it holds, it can be made to let go.
    for session in &sessions {
        client.ask("stop", json!({"session": session}));
    }
    let all = waiting + 2 * sessions.len();
    let mut answers: Vec<Value> = (0..all).map(|_| client.receive()).collect();
    answers.retain(|answer| answer["result"] != json!({}));
    assert!(answers.iter().all(|answer| code(answer) == "stopped"));
    assert_eq!(answers.len(), waiting + sessions.len());
    assert_eq!(server.count("held_bytes"), 0);
    assert_eq!(client.start(json!({})).output("echo on"), "on\n");
    drop(client);
    assert_nothing_is_left(&server);
}

#[test]
fn requests_that_wait_in_a_session_are_bounded_and_who_is_refused_is_told_by_what() {
    let server = server("1");
    let mut client = server.connect();
    let session = client.start(json!({})).name;
    client.ask("exec", json!({"session": session, "command": "sleep 1000"}));
    // The one that sleeps may wait among them for a moment.
    let ask =
        |client: &mut Client| client.ask("exec", json!({"session": session, "command": "true"}));
    let asked: Vec<u64> = (0..66).map(|_| ask(&mut client)).collect();
    let refused = client.receive();
    assert_busy(
        &refused,
        &format!("64 requests of session \"{session}\" wait already"),
    );
    assert_busy(
        &refused,
        "wait for some to be answered, then send this one again",
    );
    assert!(
        asked[63..].iter().any(|id| refused["id"] == *id),
        "{refused}"
    );
    drop(client);
    assert_nothing_is_left(&server);
}

#[test]
fn starts_that_wait_are_bounded_in_number_and_bytes() {
    let server = server("1");
    let mut client = server.connect();
    let held = client.start(json!({})).name;
    for _ in 0..1024 {
        client.ask("start", json!({"wait_s": 1000}));
    }
    let refused = client.call("start", json!({"wait_s": 1000}));
    assert_busy(&refused, "1024 starts");
    assert_eq!(server.count("waiting"), 1024);
    // Each that is answered makes room for another.
    client.ask("stop", json!({"session": held}));
    let answers = [client.receive(), client.receive()];
    let next = answers.iter().find_map(|a| a["result"]["session"].as_str());
    let next = next.unwrap_or_else(|| panic!("{answers:?}")).to_owned();
    client.ask("start", json!({"wait_s": 1000}));
    let answer = client.call("exec", json!({"session": next, "command": "echo fine"}));
    assert_eq!(answer["result"]["output"], "fine\n");
    drop(client);
    assert_nothing_is_left(&server);

    let mut client = server.connect();
    client.start(json!({}));
    let large = json!({"wait_s": 1000, "files": {"a": "x".repeat(5 * MB)}});
    for _ in 0..13 {
        client.ask("start", large.clone());
    }
    assert_busy(&client.receive(), "wait for some answers");
    assert_holds_little(&server);
    drop(client);
    assert_nothing_is_left(&server);
}

#[test]
fn what_a_session_keeps_of_its_start_counts_and_files_are_not_kept() {
    let server = server("20");
    let mut client = server.connect();
    for _ in 0..4 {
        let mut session = client.start(json!({"files": {"a": "x".repeat(4 * MB)}}));
        assert_eq!(session.output("wc -c < a"), "4194304\n");
    }
    assert!(server.count("held_bytes") < MB as u64);
    let env = json!({"env": {"A": "x".repeat(100_000)}});
    let mut session = client.start(env);
    assert_eq!(session.output("echo ${#A}"), "100000\n");
    let held = server.count("held_bytes");
    assert!(held > 30_000 && held < 200_000, "{held}");
    drop(client);
    assert_nothing_is_left(&server);
}

#[test]
fn lines_that_are_not_finished_are_bounded_together_and_others_are_served() {
    let server = server("20");
    let half = vec![b'x'; 15 * MB];
    let mut clients = Vec::new();
    for _ in 0..24 {
        let mut client = UnixStream::connect(server.path()).expect("connect");
        let timeout = Some(Duration::from_millis(100));
        client.set_write_timeout(timeout).expect("timeout");
        let _ = client.write_all(&half);
        clients.push(client);
    }
    let held = server.count("held_bytes");
    assert!(held <= 256 * MB as u64, "{held}");
    let kb = server.memory_kb("VmHWM");
    assert!(kb < (256 << 10) + OVERHEAD_KB, "it held {kb} kB");
    // What is short has room all the same.
    let mut client = server.connect();
    assert_eq!(client.start(json!({})).output("echo fine"), "fine\n");
    // What is long waits for it, and is refused when there is none in time.
    let id = client.ask("start", json!({"files": {"a": "x".repeat(MB)}}));
    let answer = client.receive();
    assert_busy(&answer, "try again");
    assert!(answer["id"].is_null() || answer["id"] == id);
    drop(clients);
    wait_for(|| server.count("held_bytes") == 0);
    let mut session = client.start(json!({"files": {"a": "x".repeat(MB)}}));
    assert_eq!(session.output("wc -c < a"), "1048576\n");
    drop(client);
    assert_nothing_is_left(&server);
}

#[test]
fn a_line_of_many_small_values_takes_no_more_than_its_bytes() {
    let server = server("20");
    let mut client = server.connect();
    let session = client.start(json!({})).name;
    client.ask("exec", json!({"session": session, "command": "sleep 1000"}));
    let zeros = "0,".repeat(MB);
    for at in 0..8 {
        let exec = format!(
            "{{\"id\":\"z{at}\",\"op\":\"exec\",\"session\":\"{session}\",\"argv\":[{zeros}0]}}\n"
        );
        client.send_raw(exec.as_bytes());
    }
    assert!(client.call("stats", json!({}))["result"].is_object());
    assert_holds_little(&server);
    drop(client);
    assert_nothing_is_left(&server);
}

#[test]
fn uploads_side_by_side_wait_for_each_other_and_all_come_through() {
    let server = server("20");
    let mut client = server.connect();
    let sessions: Vec<String> = (0..8).map(|_| client.start(json!({})).name).collect();
    let mut uploads = Vec::new();
    for session in &sessions {
        uploads.push(client.ask("upload", json!({"session": session, "path": "f"})));
    }
    for _ in &uploads {
        assert_eq!(client.receive()["ready"], true);
    }
    let entry = json!({"path": "", "kind": "file"});
    let data = "AAAA".repeat(3 * MB);
    for id in &uploads {
        client.send(&json!({"id": id, "entry": entry}));
    }
    for _ in 0..2 {
        for id in &uploads {
            client.send(&json!({"id": id, "data": data}));
        }
    }
    for id in &uploads {
        client.send(&json!({"id": id, "end": true}));
    }
    for _ in &uploads {
        let answer = client.receive();
        assert_eq!(answer["result"]["bytes"], 18 * MB, "{answer}");
    }
    let kb = server.memory_kb("VmHWM");
    assert!(kb < CONNECTION_KB + OVERHEAD_KB, "it held {kb} kB");
    drop(client);
    assert_nothing_is_left(&server);
}

#[test]
fn a_message_quotes_only_the_beginning_of_what_was_sent() {
    let server = server("1");
    let mut client = server.connect();
    let long = "\u{1}é".repeat(MB);
    let requests = [
        json!({"id": 1, "op": long}),
        json!({"id": 1, "op": "stop", "session": long}),
        json!({"id": 1, "op": "stats", long.clone(): 1}),
        json!({"id": 1, "op": "start", "wait_s": long}),
    ];
    for request in requests {
        client.send(&request);
        let answer = client.receive();
        assert!(answer["error"].is_object(), "{answer}");
        assert!(answer.to_string().len() < 32 << 10);
    }
}

#[test]
fn connections_are_bounded_and_the_one_that_is_refused_is_told_the_flag() {
    let server = Server::start(Way::all()[0], &["--connections", "3"]);
    let mut clients: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    for _ in 0..5 {
        let refused = Client::try_connect(&server.path());
        assert_busy(&refused.greeting, "--connections");
        assert!(refused.greeting["id"].is_null());
        refused.hang_up();
    }
    assert_eq!(clients[0].start(json!({})).output("echo fine"), "fine\n");
    assert_eq!(
        clients[1].call("stats", json!({}))["result"]["connections"],
        3
    );
    clients.pop().expect("a client").hang_up();
    clients.push(server.connect());
}

/// Where the machine gives the server memory cgroups. What is over the limit when nothing runs is nobody's command.
#[test]
fn a_background_process_that_the_kernel_kills_does_not_cost_the_next_command() {
    for way in Way::all() {
        let server = Server::start(way, &[]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        let grows = "(until [ -e go ]; do sleep 0.05; done; head -c 100000000 /dev/zero | tail > sink; sleep 60) &";
        session.output(grows);
        let cgroups = slot_cgroups(server.pid());
        if cgroups.is_empty() {
            eprintln!("{way:?}: no memory cgroups here");
            continue;
        }
        cgroups
            .iter()
            .for_each(|cgroup| limit_cgroup(cgroup, "50000000"));
        session.output("touch go");
        wait_for(|| cgroups.iter().map(|cgroup| killed_in(cgroup)).sum::<u64>() > 0);
        let next = session.exec(json!({"command": "sleep 0.3; echo fine"}));
        assert_eq!(
            (next["status"].as_str(), next["output"].as_str()),
            (Some("ok"), Some("fine\n")),
            "{way:?}: {next}"
        );
    }
}

/// Every piece of a file is an order of its own, and each comes sooner than the next look would be due.
#[test]
fn what_runs_in_the_background_is_looked_at_while_files_are_moved() {
    let grows = include_str!("programs/grows_in_the_background.py");
    for way in Way::all() {
        let server = Server::start(way, &["--memory-mb", "1536", "--disk-mb", "512"]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        session.output("truncate -s 100M holes");
        session.output(&format!("python3 -c \"{grows}\" > /dev/null 2>&1 &"));
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(8) {
            session.download("holes");
        }
        let said = session.output("[ -e whole ] && echo whole || echo ended");
        assert_eq!(said, "ended\n", "{way:?}");
    }
}
