//! How sessions end, and that nothing of them is left then.

use crate::common::client::{Server, code};
use crate::common::wait_for;
use crate::common::{Way, children, command};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn stop_answers_when_everything_is_gone_and_the_session_is_over_then() {
    for way in Way::all() {
        let server = Server::start(way, &[]);
        let rest = server.processes_at_rest();
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        session.output("(trap '' TERM HUP; while :; do sleep 1000; done) > /dev/null & setsid sleep 1000 > /dev/null & echo");
        let running = session.ask("exec", json!({"command": "sleep 1000"}));
        let begin = Instant::now();
        session.ask("stop", json!({}));
        let first = session.client.receive();
        assert_eq!(
            (code(&first), &first["id"]),
            ("stopped", &running.into()),
            "{way:?}"
        );
        assert_eq!(session.client.receive()["result"], json!({}), "{way:?}");
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "{:?}",
            begin.elapsed()
        );
        let answer = session.call("exec", json!({"command": "true"}));
        assert_eq!(code(&answer), "no_session");
        assert!(
            answer["error"]["message"]
                .as_str()
                .expect("a message")
                .contains("was stopped")
        );
        wait_for(|| server.processes() <= rest);
    }
}

#[test]
fn a_connection_that_closes_takes_its_sessions_with_it_before_the_server_closes_it() {
    for way in Way::all() {
        let server = Server::start(way, &[]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        session.output("sleep 1000 > /dev/null & echo");
        session.ask("exec", json!({"command": "sleep 1000"}));
        client.hang_up();
        let mut asking = server.connect();
        let stats = asking.call("stats", json!({}))["result"].clone();
        assert_eq!(stats["sessions"], 0, "{way:?}: {stats}");
    }
}

/// As of `runner serve --stdio < requests`: it has no more to ask, and reads on.
#[test]
fn what_runs_and_what_waits_when_a_client_sends_no_more_is_answered() {
    for way in Way::all() {
        let server = Server::start(way, &["--sessions", "1"]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        let running = session.ask("exec", json!({"command": "sleep 1000"}));
        let waiting = session.ask("exec", json!({"command": "true"}));
        let starting = session.client.ask("start", json!({}));
        // By then the first runs, and the others have been taken in.
        std::thread::sleep(Duration::from_millis(500));
        client.shut_down_writing();
        let mut answered: Vec<Value> = (0..3).map(|_| client.receive()).collect();
        answered.sort_by_key(|answer| answer["id"].as_u64());
        for (answer, id) in answered.iter().zip([running, waiting, starting]) {
            assert_eq!(
                (code(answer), &answer["id"]),
                ("stopped", &json!(id)),
                "{way:?}: {answer}"
            );
        }
        client.hang_up();
    }
}

#[test]
fn a_stop_is_answered_where_its_client_sends_no_more() {
    for way in Way::all() {
        let server = Server::start(way, &["--sessions", "1"]);
        for _ in 0..10 {
            let mut client = server.connect();
            let mut session = client.start(json!({}));
            let running = session.ask("exec", json!({"command": "sleep 1000"}));
            let stop = session.ask("stop", json!({}));
            client.shut_down_writing();
            let mut answered = [client.receive(), client.receive()];
            answered.sort_by_key(|answer| answer["id"].as_u64());
            let [of_running, of_stop] = &answered;
            assert_eq!(
                (&of_running["id"], &of_stop["id"]),
                (&json!(running), &json!(stop)),
                "{way:?}: {answered:?}"
            );
            assert_eq!(code(of_running), "stopped", "{way:?}: {of_running}");
            assert!(of_stop.get("result").is_some(), "{way:?}: {of_stop}");
            client.hang_up();
        }
    }
}

#[test]
fn a_session_without_a_request_for_idle_s_is_over() {
    let server = Server::start(Way::all()[0], &["--idle-s", "1000"]);
    let mut client = server.connect();
    let mut session = client.start(json!({"idle_s": 2}));
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(500));
        session.output("true");
    }
    wait_for(|| server.connect().call("stats", json!({}))["result"]["sessions"] == 0);
    let answer = session.call("exec", json!({"command": "true"}));
    assert_eq!(code(&answer), "no_session", "{answer}");
    assert!(
        answer["error"]["message"]
            .as_str()
            .expect("a message")
            .contains("idle")
    );
}

#[test]
fn a_session_whose_sandbox_dies_is_over_and_says_so() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let server = Server::start(Way::all()[0], &["--sessions", "1"]);
    let mut client = server.connect();
    let mut session = client.start(json!({}));
    session.ask("exec", json!({"command": "sleep 1000"}));
    // Each is a child of the slot's zygote, or of its warm bash.
    let below = |pids: Vec<u32>| pids.into_iter().flat_map(children).collect::<Vec<u32>>();
    wait_for(|| {
        let forked = below(below(vec![server.pid()]));
        let is_sleep = |pid: &u32| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
            name.is_ok_and(|name| name == "sleep\n")
        };
        forked.iter().chain(&below(forked.clone())).any(is_sleep)
    });
    let slots = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", server.pid()));
    for slot in slots.expect("children").split_whitespace() {
        let pid = nix::unistd::Pid::from_raw(slot.parse().expect("a pid"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("kill");
    }
    let answer = session.client.receive();
    assert_eq!(code(&answer), "infra", "{answer}");
    assert_eq!(
        code(&session.call("exec", json!({"command": "true"}))),
        "no_session"
    );
    assert_eq!(client.start(json!({})).output("echo next"), "next\n");
}

#[test]
fn starts_wait_for_a_slot_in_order_and_no_longer_than_they_say() {
    let server = Server::start(Way::all()[0], &["--sessions", "2"]);
    let mut client = server.connect();
    let held = [client.start(json!({})).name, client.start(json!({})).name];
    let begin = Instant::now();
    let answer = client.call("start", json!({"wait_s": 0.3}));
    assert_eq!(code(&answer), "busy", "{answer}");
    assert!(
        answer["error"]["message"]
            .as_str()
            .expect("a message")
            .contains("--sessions")
    );
    assert!(begin.elapsed() >= Duration::from_millis(300));
    let waiting = [
        client.ask("start", json!({})),
        client.ask("start", json!({})),
    ];
    std::thread::sleep(Duration::from_millis(100));
    for (name, next) in held.iter().zip(waiting) {
        client.ask("stop", json!({"session": name}));
        let answers = [client.receive(), client.receive()];
        let started = answers.iter().find(|a| a["result"]["session"].is_string());
        let started = started.unwrap_or_else(|| panic!("{answers:?}"));
        assert_eq!(started["id"], next, "out of order");
        assert!(started["result"]["queue_ms"].as_f64().expect("a number") >= 50.0);
    }
}

#[test]
fn a_signal_ends_the_server_and_everything_of_it() {
    for way in Way::all() {
        let server = Server::start(way, &[]);
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        session.output("sleep 1000 > /dev/null & echo");
        session.ask("exec", json!({"command": "sleep 1000"}));
        let (path, pid) = (server.path(), server.pid());
        assert_eq!(server.end(), Some(0), "{way:?}");
        assert!(!path.exists(), "{way:?}: the socket is still there");
        assert_eq!(scratch_directories(pid), Vec::<String>::new(), "{way:?}");
    }
}

#[test]
fn a_signal_ends_the_server_whatever_waits_for_clients_that_do_not_read() {
    for way in Way::all() {
        let server = Server::start(way, &["--sessions", "2", "--idle-s", "0"]);
        let (path, pid) = (server.path(), server.pid());
        let mut clients = [server.connect(), server.connect()];
        let names = clients
            .each_mut()
            .map(|client| client.start(json!({})).name);
        for (client, name) in clients.iter_mut().zip(names) {
            // Answers that nobody reads, then requests that wait, then starts that wait.
            let large = json!({"session": name, "command": "head -c 500000 /dev/zero"});
            for _ in 0..40 {
                client.ask("exec", large.clone());
            }
            client.ask("exec", json!({"session": name, "command": "sleep 1000"}));
            for _ in 0..20 {
                client.ask("start", json!({"wait_s": 1000}));
            }
        }
        std::thread::sleep(Duration::from_millis(500));
        let begin = Instant::now();
        assert_eq!(server.end(), Some(0), "{way:?}");
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "{way:?}: {:?}",
            begin.elapsed()
        );
        assert!(!path.exists(), "{way:?}: the socket is still there");
        let own = format!("runner-{pid}-");
        let left = std::fs::read_dir(std::env::temp_dir()).expect("a temporary directory");
        let names = left.flatten().map(|entry| entry.file_name());
        let left: Vec<_> = names
            .filter(|name| name.to_string_lossy().starts_with(&own))
            .collect();
        assert!(left.is_empty(), "{way:?}: {left:?} is left");
    }
}

#[test]
fn a_client_that_hangs_up_and_does_not_read_keeps_no_session() {
    let server = Server::start(Way::all()[0], &["--idle-s", "0"]);
    let mut client = server.connect();
    let mut session = client.start(json!({}));
    for _ in 0..40 {
        session.ask("exec", json!({"command": "head -c 500000 /dev/zero"}));
    }
    std::thread::sleep(Duration::from_millis(200));
    client.shut_down_writing();
    wait_for(|| server.count("sessions") == 0);
    // Its connection is over a moment later.
    wait_for(|| server.count("connections") == 1);
}

/// Directories of a server's slots in the landlock tier.
fn scratch_directories(server: u32) -> Vec<String> {
    let entries = std::fs::read_dir(std::env::temp_dir()).expect("a temporary directory");
    let names = entries.flatten().map(|entry| entry.file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names
        .filter(|name| name.starts_with(&format!("runner-{server}-")))
        .collect()
}

#[test]
fn a_server_that_is_killed_leaves_no_process() {
    let server = Server::start(Way::all()[0], &[]);
    let mut client = server.connect();
    let mut session = client.start(json!({"env": {"MARK": "of-a-killed-server"}}));
    session.output("sleep 1000 > /dev/null & echo");
    let marked = || {
        let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
        let environment =
            |entry: std::fs::DirEntry| std::fs::read(entry.path().join("environ")).ok();
        let mark = b"MARK=of-a-killed-server";
        let all = processes.filter_map(environment);
        all.filter(|text| text.windows(mark.len()).any(|part| part == mark))
            .count()
    };
    if nix::unistd::geteuid().is_root() {
        // A child of the shell has it from its exec on.
        wait_for(|| marked() > 0);
    }
    let pid = nix::unistd::Pid::from_raw(server.pid() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("kill");
    wait_for(|| marked() == 0);
}

#[test]
fn a_server_on_stdin_and_stdout_ends_with_its_client() {
    let directory = crate::common::scratch();
    let mut child = command(true)
        .args(["serve", "--stdio", "--socket", "s"])
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut input = child.stdin.take().expect("piped");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    output.read_line(&mut line).expect("a greeting");
    // By now others can connect too.
    let mut other = crate::common::client::Client::connect(&directory.path().join("s"));
    assert_eq!(other.start(json!({})).output("echo other"), "other\n");
    input
        .write_all(b"{\"id\":\"a\",\"op\":\"start\"}\n{\"id\":\"b\",\"op\":\"exec\",\"session\":\"s1\",\"command\":\"echo hi\"}\n")
        .expect("send");
    let mut next = || {
        let mut line = String::new();
        output.read_line(&mut line).expect("an answer");
        serde_json::from_str::<Value>(&line).expect("JSON")
    };
    // The second came before the first was done: there was no such session yet.
    let answers = [next(), next()];
    let started = answers.iter().any(|a| a["result"]["session"] == "s1");
    assert!(started, "{answers:?}");
    input
        .write_all(
            b"{\"id\":\"c\",\"op\":\"exec\",\"session\":\"s1\",\"command\":\"sleep 1000\"}\n",
        )
        .expect("send");
    std::thread::sleep(Duration::from_millis(200));
    let begin = Instant::now();
    drop(input);
    assert_eq!(child.wait().expect("wait").code(), Some(0));
    assert!(
        begin.elapsed() < Duration::from_secs(30),
        "{:?}",
        begin.elapsed()
    );
    let mut rest = String::new();
    output.read_to_string(&mut rest).expect("the end");
    assert!(!directory.path().join("s").exists());
}
