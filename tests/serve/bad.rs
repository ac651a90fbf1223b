//! Bad input: each has a clear answer or a clean end, and other sessions notice nothing.

use crate::common::Way;
use crate::common::client::{Client, Server, code};
use crate::common::wait_for;
use serde_json::json;
use std::io::Write;
use std::os::unix::net::UnixStream;

fn server() -> Server {
    Server::start(Way::all()[0], &[])
}

/// Another client's session goes on.
fn assert_unharmed(other: &mut Client, session: &str) {
    let answer = other.call("exec", json!({"session": session, "command": "cat mark"}));
    assert_eq!(answer["result"]["output"], "mine\n", "{answer}");
}

/// A client with a session that has a mark.
fn bystander(server: &Server) -> (Client, String) {
    let mut client = server.connect();
    let mut session = client.start(json!({}));
    session.output("echo mine > mark");
    let name = session.name.clone();
    (client, name)
}

#[test]
fn a_line_that_is_no_request_is_answered_with_what_is_wrong() {
    let server = server();
    let (mut other, theirs) = bystander(&server);
    let mut client = server.connect();
    let lines: [(&[u8], &str); 14] = [
        (b"hello", "no JSON object"),
        (b"[]", "no JSON object"),
        (b"{", "can't be read"),
        (b"{\"op\":\"stats\"}", "`id`"),
        (b"{\"id\":1.5,\"op\":\"stats\"}", "`id`"),
        (b"{\"id\":{},\"op\":\"stats\"}", "`id`"),
        (b"{\"id\":1,\"op\":\"fly\"}", "there is no op \"fly\""),
        (b"{\"id\":1,\"op\":7}", "can't be read"),
        (
            b"{\"id\":1,\"op\":\"stats\",\"more\":1}",
            "no field \"more\"",
        ),
        (
            b"{\"id\":1,\"op\":\"start\",\"command\":\"true\"}",
            "no field \"command\"",
        ),
        (b"{\"id\":1,\"op\":\"start\",\"wait_s\":-1}", "`wait_s`"),
        (
            b"{\"id\":1,\"op\":\"exec\",\"command\":\"true\"}",
            "needs `session`",
        ),
        (
            b"{\"id\":1,\"op\":\"upload\",\"session\":\"s1\"}",
            "needs `path`",
        ),
        (b"{\"id\":\"\xff\",\"op\":\"stats\"}", "can't be read"),
    ];
    for (line, expected) in lines {
        client.send_raw(line);
        client.send_raw(b"\n");
        let answer = client.receive();
        assert_eq!(code(&answer), "bad_request", "{answer}");
        let message = answer["error"]["message"].as_str().expect("a message");
        assert!(
            message.contains(expected),
            "{message:?} has no {expected:?}"
        );
    }
    // Empty ones are no requests, and nothing is held against who sends them.
    client.send_raw(b"\n  \n");
    assert!(client.call("stats", json!({}))["result"].is_object());
    assert_unharmed(&mut other, &theirs);
}

#[test]
fn a_value_that_no_episode_could_have_is_named() {
    let server = server();
    let mut client = server.connect();
    let starts = [
        (
            json!({"resources": {"memory_mb": 0}}),
            "`resources.memory_mb`",
        ),
        (json!({"workdir": "../up"}), "`workdir`"),
        (json!({"env": {"A=B": "x"}}), "`env"),
        (json!({"network": "wide"}), "`network`"),
        (json!({"network": "host"}), "network"),
        (json!({"fs_readable": ["/root"]}), "fs_readable"),
        (
            json!({"files": {"a": {"host_path": "/etc/shadow"}}}),
            "host_path",
        ),
    ];
    for (fields, expected) in starts {
        let answer = client.call("start", fields);
        assert_eq!(code(&answer), "invalid", "{answer}");
        let message = answer["error"]["message"].as_str().expect("a message");
        assert!(
            message.contains(expected),
            "{message:?} has no {expected:?}"
        );
    }
    let mut session = client.start(json!({}));
    let execs = [
        (json!({}), "nothing to run"),
        (json!({"command": "true", "argv": ["true"]}), "both"),
        (json!({"command": "true", "timeout_s": 0}), "`timeout_s`"),
        (json!({"argv": []}), "`argv`"),
    ];
    for (fields, expected) in execs {
        let answer = session.call("exec", fields);
        assert_eq!(code(&answer), "invalid", "{answer}");
        let message = answer["error"]["message"].as_str().expect("a message");
        assert!(
            message.contains(expected) && !message.contains("steps["),
            "{message:?}"
        );
    }
    assert_eq!(session.output("echo fine"), "fine\n");
}

#[test]
fn an_oversized_line_is_skipped_and_the_next_one_served() {
    let server = server();
    let mut client = server.connect();
    client.send_raw(&vec![b'x'; 17 << 20]);
    client.send_raw(b"\n");
    assert_eq!(code(&client.receive()), "too_long");
    assert!(client.call("stats", json!({}))["result"].is_object());
}

#[test]
fn an_oversized_line_is_answered_by_its_id() {
    let server = server();
    let mut client = server.connect();
    client.send_raw(b"{\"id\":\"mine\",\"op\":\"exec\",\"stdin\":\"");
    client.send_raw(&vec![b'x'; 17 << 20]);
    client.send_raw(b"\"}\n");
    let answer = client.receive();
    assert_eq!(
        (code(&answer), &answer["id"]),
        ("too_long", &json!("mine")),
        "{answer}"
    );
}

/// Of one file, whose data comes next; the id of its request.
fn begin_upload(client: &mut Client) -> u64 {
    let session = client.start(json!({})).name;
    let id = client.ask("upload", json!({"session": session, "path": "f"}));
    assert_eq!(client.receive()["ready"], true);
    client.send(&json!({"id": id, "entry": {"path": "", "kind": "file"}}));
    id
}

/// Or it would have a hole.
#[test]
fn an_upload_of_which_a_piece_is_skipped_fails() {
    for id_first in [true, false] {
        let server = server();
        let mut client = server.connect();
        let id = begin_upload(&mut client);
        let data = "A".repeat(17 << 20);
        let piece = if id_first {
            format!("{{\"id\":{id},\"data\":\"{data}\"}}\n")
        } else {
            format!("{{\"data\":\"{data}\",\"id\":{id}}}\n")
        };
        client.send_raw(piece.as_bytes());
        client.send(&json!({"id": id, "end": true}));
        let mut answers = vec![client.receive()];
        if !id_first {
            answers.push(client.receive());
        }
        let of_upload = answers.iter().find(|answer| answer["id"] == id);
        let of_upload = of_upload.unwrap_or_else(|| panic!("{answers:?}"));
        assert_eq!(code(of_upload), "too_long", "{answers:?}");
        assert!(client.call("stats", json!({}))["result"].is_object());
    }
}

#[test]
fn an_upload_of_which_a_piece_can_t_be_read_fails_and_is_answered_once() {
    let server = server();
    let mut client = server.connect();
    let id = begin_upload(&mut client);
    client.send_raw(format!("{{\"id\":{id},\"data\":\"AAAA\n").as_bytes());
    let answer = client.receive();
    assert_eq!(
        (code(&answer), &answer["id"]),
        ("bad_request", &json!(id)),
        "{answer}"
    );
    // What is still on its way is of an upload that is over.
    client.send(&json!({"id": id, "data": "AAAA"}));
    client.send_raw(format!("{{\"id\":{id},\"data\":\"AAAA\n").as_bytes());
    client.send(&json!({"id": id, "end": true}));
    assert!(client.call("stats", json!({}))["result"].is_object());
}

#[test]
fn a_request_that_says_not_what_it_is_for_is_told_so() {
    let server = server();
    let mut client = server.connect();
    client.send(&json!({"id": 5, "session": "s1"}));
    let answer = client.receive();
    assert_eq!(
        (code(&answer), &answer["id"]),
        ("bad_request", &json!(5)),
        "{answer}"
    );
}

#[test]
fn half_a_line_and_a_client_that_vanishes_are_a_clean_end() {
    let server = server();
    let (mut other, theirs) = bystander(&server);
    let idle = server.processes_at_rest();
    for at in 0..4 {
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        match at {
            0 => session.client.send_raw(b"{\"id\":9,\"op\":\"ex"),
            1 => {
                session.ask("exec", json!({"command": "sleep 1000"}));
            }
            2 => {
                let id = session.ask("upload", json!({"path": "x"}));
                assert_eq!(session.client.receive()["ready"], true);
                let entry = json!({"path": "", "kind": "file"});
                session.client.send(&json!({"id": id, "entry": entry}));
                session.client.send(&json!({"id": id, "data": "eHh4"}));
            }
            _ => {
                session.output("head -c 20000000 /dev/zero > zeros");
                session.ask("download", json!({"path": "zeros"}));
            }
        }
        drop(client);
    }
    wait_for(|| {
        let mut asking = server.connect();
        asking.call("stats", json!({}))["result"]["sessions"] == 1
    });
    wait_for(|| server.processes() <= idle);
    assert_unharmed(&mut other, &theirs);
}

#[test]
fn a_client_that_never_reads_holds_up_only_itself() {
    let server = server();
    let (mut other, theirs) = bystander(&server);
    let mut silent = UnixStream::connect(server.path()).expect("connect");
    silent
        .write_all(b"{\"id\":1,\"op\":\"start\"}\n")
        .expect("send");
    silent
        .set_write_timeout(Some(std::time::Duration::from_secs(2)))
        .expect("timeout");
    // Until the server takes no more from it.
    let big = "{\"id\":2,\"op\":\"exec\",\"session\":\"s1\",\"command\":\"head -c 1000000 /dev/zero\"}\n{\"id\":3,\"op\":\"stats\"}\n";
    for _ in 0..20_000 {
        if silent.write_all(big.as_bytes()).is_err() {
            break;
        }
    }
    assert_unharmed(&mut other, &theirs);
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("it runs");
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("RSS");
    let kb: u64 = resident.trim().trim_end_matches(" kB").parse().expect("kB");
    assert!(kb < 200 << 10, "the server holds {kb} kB");
    drop(silent);
    wait_for(|| {
        let mut asking = server.connect();
        asking.call("stats", json!({}))["result"]["sessions"] == 1
    });
    assert_unharmed(&mut other, &theirs);
}

#[test]
fn one_connection_can_t_use_the_session_of_another() {
    let server = server();
    let (mut other, theirs) = bystander(&server);
    let mut client = server.connect();
    for op in ["exec", "stop", "upload", "download", "cancel"] {
        let fields = match op {
            "exec" => json!({"session": theirs, "command": "cat mark"}),
            "stop" => json!({"session": theirs}),
            "cancel" => json!({"session": theirs, "of": 1}),
            _ => json!({"session": theirs, "path": "mark"}),
        };
        assert_eq!(code(&client.call(op, fields)), "no_session", "{op}");
    }
    assert_unharmed(&mut other, &theirs);
}

#[test]
fn an_id_in_use_is_refused_and_too_many_waiting_requests_too() {
    let server = server();
    let mut client = server.connect();
    let mut session = client.start(json!({}));
    let name = session.name.clone();
    let running = session.ask("exec", json!({"command": "sleep 60"}));
    let again = json!({"id": running, "op": "exec", "session": name, "command": "true"});
    session.client.send(&again);
    assert_eq!(code(&session.client.receive()), "bad_request");
    for _ in 0..70 {
        session.ask("exec", json!({"command": "true"}));
    }
    assert_eq!(code(&session.client.receive()), "busy");
    // Whatever waits is answered before the stop is.
    let stop = session.ask("stop", json!({}));
    let mut stopped = 0;
    loop {
        let answer = session.client.receive();
        match answer["id"] == stop {
            true => break,
            false if code(&answer) == "stopped" => stopped += 1,
            false => assert_eq!(code(&answer), "busy"),
        }
    }
    assert_eq!(stopped, 65);
    // What has been answered is an id like any other.
    let name = client.start(json!({})).name;
    let again = json!({"id": running, "op": "exec", "session": name, "command": "true"});
    client.send(&again);
    assert_eq!(client.receive()["result"]["status"], "ok");
}
