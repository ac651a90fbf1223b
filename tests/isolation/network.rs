//! No way to a network or to a socket of the host.

use crate::common::{NOBODY, Way, scratch};
use crate::probe::{output_of, outside, python};
use std::fs::{self, Permissions};
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

/// Tries one connection and prints REACHED or the error.
fn connect(family: &str, kind: &str, address: &str) -> String {
    format!(
        "import socket\ntry:\n s=socket.socket(socket.{family},socket.{kind})\n s.settimeout(2)\n s.connect({address})\n s.send(b'x')\n print('REACHED')\nexcept OSError as e: print('denied',e)"
    )
}

fn assert_only_outside(code: &str) {
    for way in Way::all() {
        let inside = output_of(way, &python("e", code));
        assert!(inside.contains("denied"), "{way:?}: {inside}");
    }
    let control = outside(NOBODY, &["/usr/bin/python3", "-c", code]);
    assert_eq!(control, "REACHED\n");
}

#[test]
fn a_tcp_server_on_the_hosts_loopback_is_out_of_reach() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    assert_only_outside(&connect(
        "AF_INET",
        "SOCK_STREAM",
        &format!("('127.0.0.1',{port})"),
    ));
}

#[test]
fn a_udp_server_on_the_hosts_loopback_is_out_of_reach() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let port = server.local_addr().unwrap().port();
    let code = connect("AF_INET", "SOCK_DGRAM", &format!("('127.0.0.1',{port})"));
    assert_only_outside(&code);
    // Exactly the control's datagram arrived.
    assert!(server.recv(&mut [0; 8]).is_ok());
    assert!(server.recv(&mut [0; 8]).is_err());
}

#[test]
fn a_unix_socket_of_the_host_is_out_of_reach() {
    let directory = scratch();
    let path = directory.path().join("socket");
    let _server = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    assert_only_outside(&connect(
        "AF_UNIX",
        "SOCK_STREAM",
        &format!("'{}'", path.display()),
    ));
}

#[test]
fn an_abstract_unix_socket_of_the_host_is_out_of_reach() {
    let name = format!("runner-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _server = UnixListener::bind_addr(&address).unwrap();
    assert_only_outside(&connect("AF_UNIX", "SOCK_STREAM", &format!("'\\0{name}'")));
}

#[test]
fn no_socket_of_an_unusual_family_can_be_made() {
    let code = "import socket\nfor f in (2,10,16,17,40,38):\n for t in (1,2,3):\n  try:\n   socket.socket(f,t); print('MADE',f,t)\n  except OSError: pass\nfor p in (262,):\n try:\n  socket.socket(2,1,p); print('MADE mptcp')\n except OSError: pass";
    for way in Way::all() {
        assert_eq!(output_of(way, &python("e", code)), "", "{way:?}");
    }
    assert!(outside(NOBODY, &["/usr/bin/python3", "-c", code]).contains("MADE 2 1"));
}
