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

fn run_all(way: Way, episodes: &[Value], args: &[&str]) -> common::Run {
    let lines: Vec<String> = episodes.iter().map(Value::to_string).collect();
    run(way, &lines.join("\n"), args)
}

/// A server and a client in one program, on a fixed port.
const TALK: &str = "
import socket, threading
def talk(family, host):
    server = socket.socket(family); server.bind((host, 8080)); server.listen()
    client = socket.create_connection((host, 8080)); peer, _ = server.accept()
    client.sendall(b'over ' + host.encode()); print(peer.recv(99).decode())
    for s in (peer, client, server): s.close()
talk(socket.AF_INET, '127.0.0.1'); talk(socket.AF_INET6, '::1')
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 8081))
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'udp', ('localhost', 8081)); print(u.recv(9).decode())
";
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
    let code = "import socket,time\ns=socket.socket(); s.bind(('127.0.0.1',8080)); s.listen(); print('bound', flush=True); time.sleep(5)";
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
    let leave = "import socket,os,time\ns=socket.socket(); s.bind(('127.0.0.1',8080)); s.listen()\nc=[socket.create_connection(('127.0.0.1',8080)) for _ in range(20)]\nfor x in c: x.send(b'x'*100000) if x is c[0] else None\nif os.fork()==0: os.setsid(); time.sleep(60)\nprint('left')";
    let look = "import socket\ntry: socket.create_connection(('127.0.0.1',8080),1); print('REACHED')\nexcept OSError as e: print(type(e).__name__)\ns=socket.socket(); s.bind(('127.0.0.1',8080)); print('free')";
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
        {"command": "echo hello > index.txt; python3 -m http.server 8080 --bind 127.0.0.1 >/dev/null 2>&1 & for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null && exit 0; sleep 0.1; done; exit 1"},
        {"command": "python3 -c \"import urllib.request as u; print(u.urlopen('http://localhost:8080/index.txt').read().decode(), end='')\""},
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

/// Tries a TCP connection to a port of the host and prints REACHED or the error.
fn connect(port: u16) -> String {
    format!(
        "import socket\ntry: socket.create_connection(('127.0.0.1',{port}),2); print('REACHED')\nexcept OSError as e: print('denied')"
    )
}

#[test]
fn only_the_hosts_network_reaches_a_server_of_the_host() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let code = connect(server.local_addr().unwrap().port());
    for way in Way::all() {
        let episodes = [
            python("none", "none", &code),
            python("host", "host", &code),
            python("after", "none", &code),
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
        let run = run_all(way, &[python("e", "loopback", &code)], &[]);
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
    let code = "import socket
for family, kind, protocol in ((2,3,1), (10,3,58), (2,2,1), (2,1,262), (2,1,132), (2,2,136), (16,3,0), (17,3,0), (40,1,0), (38,5,0)):
    try: socket.socket(family, kind, protocol); print('MADE', family, kind, protocol)
    except OSError as e: assert e.errno == 1, e
print('end')";
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
    let code = format!(
        "import socket\ntry: socket.socket(socket.AF_UNIX).connect('\\0{name}'); print('REACHED')\nexcept OSError as e: print(e.errno)"
    );
    for way in Way::all() {
        let run = run_all(
            way,
            &[python("e", "host", &code)],
            &["--allow-host-network"],
        );
        assert_eq!(
            run.output("e"),
            "1\n",
            "{way:?}: EPERM of Landlock or of the filter"
        );
    }
    let control = std::process::Command::new("/usr/bin/python3")
        .args(["-c", &code])
        .output()
        .unwrap();
    assert_eq!(control.stdout, b"REACHED\n");
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
    let code = format!(
        "import socket\ntry: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'x', '{}'); print('SENT')\nexcept OSError: print('denied')",
        path.display()
    );
    for way in Way::all() {
        for network in ["none", "host"] {
            let run = run_all(
                way,
                &[python("e", network, &code)],
                &["--allow-host-network"],
            );
            assert_eq!(run.output("e"), "denied\n", "{way:?} {network}");
            assert!(server.recv(&mut [0; 8]).is_err(), "{way:?} {network}");
        }
    }
    let control = std::process::Command::new("/usr/bin/python3")
        .args(["-c", &code])
        .output()
        .unwrap();
    assert_eq!(control.stdout, b"SENT\n");
    assert!(server.recv(&mut [0; 8]).is_ok());
}
