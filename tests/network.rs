//! Promise: an episode gets the network it asks for, and no more.

mod common;

use common::{Way, run};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};

fn python(id: &str, network: &str, code: &str) -> Value {
    json!({"id": id, "network": network, "argv": ["/usr/bin/python3", "-c", code], "timeout_s": 20})
}

/// The same, with an argument.
fn python_with(id: &str, network: &str, code: &str, argument: &str) -> Value {
    let mut episode = python(id, network, code);
    let argv = episode["argv"].as_array_mut().expect("an array");
    argv.push(argument.into());
    episode
}

/// What it prints outside of a sandbox, for control.
fn outside(code: &str, argument: &str) -> Vec<u8> {
    let control = std::process::Command::new("/usr/bin/python3")
        .args(["-c", code, argument])
        .output();
    control.expect("python3 starts").stdout
}

fn run_all(way: Way, episodes: &[Value], args: &[&str]) -> common::Run {
    let lines: Vec<String> = episodes.iter().map(Value::to_string).collect();
    run(way, &lines.join("\n"), args)
}

/// A server and a client in one program, on a fixed port.
const TALK: &str = include_str!("network/programs/talks_to_itself.py");
const TALKED: &str = "over 127.0.0.1\nover ::1\nudp\n";

#[test]
fn programs_of_one_episode_talk_over_its_own_loopback() {
    for way in Way::of_tier("namespaces") {
        let run = run_all(way, &[python("e", "loopback", TALK)], &[]);
        assert_eq!(run.output("e"), TALKED, "{way:?}: {}", run.get("e"));
    }
}

#[test]
fn two_episodes_at_once_bind_the_same_port() {
    let code = include_str!("network/programs/binds_a_port.py");
    for way in Way::of_tier("namespaces") {
        let episodes = [python("a", "loopback", code), python("b", "loopback", code)];
        let run = run_all(way, &episodes, &["--concurrency", "2"]);
        for id in ["a", "b"] {
            assert_eq!(run.output(id), "bound\n", "{way:?}: {}", run.get(id));
            // Both held it at the same time.
            assert!(run.get(id)["queue_ms"].as_f64().unwrap() < 5000.0);
        }
    }
}

#[test]
fn a_port_is_free_again_for_the_next_episode_in_the_same_slot() {
    for way in Way::of_tier("namespaces") {
        let episodes: Vec<Value> = (0..5)
            .map(|i| python(&i.to_string(), "loopback", TALK))
            .collect();
        let run = run_all(way, &episodes, &["--concurrency", "1"]);
        for i in 0..5 {
            assert_eq!(run.output(&i.to_string()), TALKED, "{way:?}");
        }
    }
}

#[test]
fn connections_left_open_do_not_reach_the_next_episode() {
    let leave = include_str!("network/programs/leaves_connections.py");
    let look = include_str!("network/programs/looks_for_connections.py");
    for way in Way::of_tier("namespaces") {
        let run = run_all(
            way,
            &[
                python("a", "loopback", leave),
                python("b", "loopback", look),
            ],
            &["--concurrency", "1", "--ordered"],
        );
        assert_eq!(run.output("a"), "left\n", "{way:?}");
        assert_eq!(run.output("b"), "ConnectionRefusedError\nfree\n", "{way:?}");
    }
}

#[test]
fn a_server_of_one_step_serves_the_next() {
    let episode = json!({"id": "e", "network": "loopback", "steps": [
        {"command": include_str!("network/programs/leaves_a_server.sh")},
        {"argv": ["python3", "-c", include_str!("network/programs/asks_a_server.py")]},
    ]});
    for way in Way::of_tier("namespaces") {
        let run = run_all(way, std::slice::from_ref(&episode), &[]);
        assert_eq!(
            run.get("e")["steps"][1]["output"],
            "hello\n",
            "{way:?}: {}",
            run.get("e")
        );
    }
}

#[test]
fn only_the_hosts_network_reaches_a_server_of_the_host() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    let connects = include_str!("network/programs/connects_to_a_port.py");
    let connect = |id: &str, network: &str| python_with(id, network, connects, &port);
    for way in Way::all() {
        let episodes = [
            connect("none", "none"),
            connect("host", "host"),
            connect("after", "none"),
        ];
        let run = run_all(
            way,
            &episodes,
            &["--allow-host-network", "--concurrency", "1", "--ordered"],
        );
        assert_eq!(run.output("none"), "denied\n", "{way:?}");
        assert_eq!(
            run.output("host"),
            "REACHED\n",
            "{way:?}: {}",
            run.get("host")
        );
        assert_eq!(run.output("after"), "denied\n", "{way:?}");
    }
    for way in Way::of_tier("namespaces") {
        let run = run_all(way, &[connect("e", "loopback")], &[]);
        assert_eq!(run.output("e"), "denied\n", "{way:?}");
    }
}

#[test]
fn the_hosts_network_takes_its_flag() {
    for way in Way::all() {
        let run = run_all(way, &[python("e", "host", "print(1)")], &[]);
        assert_eq!(run.status("e"), "invalid", "{way:?}");
        assert!(
            run.error("e").contains("`network`") && run.error("e").contains("--allow-host-network"),
            "{}",
            run.error("e")
        );
    }
}

#[test]
fn loopback_is_refused_where_it_can_not_be_private() {
    for way in Way::of_tier("landlock") {
        let episodes = [
            python("e", "loopback", "print(1)"),
            python("other", "none", "print(1)"),
        ];
        let run = run_all(way, &episodes, &[]);
        assert_eq!(run.status("e"), "infra_error", "{way:?}: {}", run.get("e"));
        assert_eq!(
            run.get("e")["attempts"],
            1,
            "another attempt would not help"
        );
        assert!(
            run.error("e").contains("namespaces tier"),
            "{}",
            run.error("e")
        );
        assert_eq!(run.status("other"), "ok", "{way:?}");
        assert_eq!(run.code, Some(1));
    }
}

#[test]
fn a_network_brings_no_socket_of_another_kind() {
    let code = include_str!("network/programs/makes_other_sockets.py");
    for way in Way::all() {
        for network in ["loopback", "host"] {
            if network == "loopback" && !way.namespaces() {
                continue;
            }
            let run = run_all(
                way,
                &[python("e", network, code)],
                &["--allow-host-network"],
            );
            assert_eq!(run.output("e"), "end\n", "{way:?}: {}", run.get("e"));
        }
    }
}

#[test]
fn the_hosts_network_does_not_bring_its_unix_sockets() {
    let name = format!("runner-test-network-{}", std::process::id());
    let _server = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let connects = include_str!("network/programs/connects_to_an_abstract_socket.py");
    for way in Way::all() {
        let run = run_all(
            way,
            &[python_with("e", "host", connects, &name)],
            &["--allow-host-network"],
        );
        assert_eq!(
            run.output("e"),
            "1\n",
            "{way:?}: EPERM of Landlock or of the filter"
        );
    }
    assert_eq!(outside(connects, &name), b"REACHED\n");
}

#[test]
fn names_are_resolved_with_the_hosts_network_alone() {
    if !std::path::Path::new("/etc/resolv.conf").exists() {
        eprintln!("skipped: this host has no /etc/resolv.conf");
        return;
    }
    let host = std::fs::read_to_string("/etc/resolv.conf").unwrap();
    let code =
        "try: print(open('/etc/resolv.conf').read(), end='')\nexcept OSError as e: print('denied')";
    for way in Way::all() {
        let episodes = [python("host", "host", code), python("none", "none", code)];
        let run = run_all(way, &episodes, &["--allow-host-network"]);
        assert_eq!(run.output("host"), host, "{way:?}");
        assert_eq!(run.output("none"), "denied\n", "{way:?}");
    }
}

#[test]
fn a_pair_of_datagram_sockets_sends_to_no_socket_of_the_host() {
    let directory = common::scratch();
    let path = directory.path().join("log");
    let server = UnixDatagram::bind(&path).unwrap();
    server.set_nonblocking(true).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
    let path = path.to_str().expect("UTF-8");
    let sends = include_str!("network/programs/sends_to_a_socket.py");
    for way in Way::all() {
        for network in ["none", "host"] {
            let run = run_all(
                way,
                &[python_with("e", network, sends, path)],
                &["--allow-host-network"],
            );
            assert_eq!(run.output("e"), "denied\n", "{way:?} {network}");
            assert!(server.recv(&mut [0; 8]).is_err(), "{way:?} {network}");
        }
    }
    assert_eq!(outside(sends, path), b"SENT\n");
    assert!(server.recv(&mut [0; 8]).is_ok());
}
