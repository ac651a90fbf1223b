//! No way to a network or to a socket of the host.

use crate::case::{Control, assert_blocked, assert_control, blocked, inside, refused};
use crate::common::{NOBODY, Way, probe_program, scratch};
use crate::episodes::{outside, run_all};
use serde_json::json;
use std::fs::{self, Permissions};
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::time::Duration;

mod ipc;

refused! {
    a_tcp_socket_can_not_be_made: ["socket", "2", "1", "0"], Control::User;
    a_tcp_socket_of_ipv6_can_not_be_made: ["socket", "10", "1", "0"], Control::UserUnless("EAFNOSUPPORT");
    a_udp_socket_can_not_be_made: ["socket", "2", "2", "0"], Control::User;
    a_udp_socket_of_ipv6_can_not_be_made: ["socket", "10", "2", "0"], Control::UserUnless("EAFNOSUPPORT");
    a_raw_socket_can_not_be_made: ["socket", "2", "3", "255"], Control::Root;
    a_raw_socket_of_ipv6_can_not_be_made: ["socket", "10", "3", "255"], Control::RootUnless("EAFNOSUPPORT");
    a_ping_socket_can_not_be_made: ["socket", "2", "2", "1"], Control::RootUnless("EACCES");
    a_multipath_tcp_socket_can_not_be_made: ["socket", "2", "1", "262"], Control::UserUnless("EPROTONOSUPPORT");
    an_sctp_socket_can_not_be_made: ["socket", "2", "1", "132"], Control::UserUnless("EPROTONOSUPPORT");
    a_dccp_socket_can_not_be_made: ["socket", "2", "6", "33"], Control::UserUnless("ESOCKTNOSUPPORT");
    a_udp_lite_socket_can_not_be_made: ["socket", "2", "2", "136"], Control::UserUnless("EPROTONOSUPPORT");
    a_packet_socket_can_not_be_made: ["socket", "17", "3", "768"], Control::Root;
    a_vsock_socket_can_not_be_made: ["socket", "40", "1", "0"], Control::UserUnless("EAFNOSUPPORT");
    a_kernel_cipher_socket_can_not_be_made: ["socket", "38", "5", "0"], Control::UserUnless("EAFNOSUPPORT");
    a_bluetooth_socket_can_not_be_made: ["socket", "31", "3", "1"], Control::RootUnless("EAFNOSUPPORT");
    a_can_socket_can_not_be_made: ["socket", "29", "3", "1"], Control::RootUnless("EAFNOSUPPORT");
    a_tipc_socket_can_not_be_made: ["socket", "30", "5", "0"], Control::UserUnless("EAFNOSUPPORT");
    an_xdp_socket_can_not_be_made: ["socket", "44", "3", "0"], Control::RootUnless("EAFNOSUPPORT");
    a_kcm_socket_can_not_be_made: ["socket", "41", "5", "0"], Control::UserUnless("EAFNOSUPPORT");
    a_qualcomm_router_socket_can_not_be_made: ["socket", "42", "2", "0"], Control::UserUnless("EAFNOSUPPORT");
    an_smc_socket_can_not_be_made: ["socket", "43", "1", "0"], Control::UserUnless("EAFNOSUPPORT");
    an_rds_socket_can_not_be_made: ["socket", "21", "5", "0"], Control::UserUnless("EAFNOSUPPORT");
    an_iucv_socket_can_not_be_made: ["socket", "32", "1", "0"], Control::UserUnless("EAFNOSUPPORT");
    a_key_management_socket_can_not_be_made: ["socket", "15", "3", "2"], Control::RootUnless("EAFNOSUPPORT");
    no_netlink_socket_can_be_made_for_any_protocol: ["netlink"], Control::User;
    // 0x1_0000_0002 and 0xffff_ffff_0000_000a: the kernel looks at 32 bits.
    high_bits_do_not_hide_a_family: ["socket", "4294967298", "1", "0"], Control::User;
    all_high_bits_do_not_hide_a_family: ["socket", "18446744069414584322", "1", "0"], Control::User;
}

blocked! {
    a_port_can_not_be_listened_on: ["listen", "127.0.0.1:0"], Control::User;
    a_port_of_every_address_can_not_be_listened_on: ["listen", "0.0.0.0:0"], Control::User;
}

/// Families that have no number yet, too.
#[test]
fn of_all_families_and_types_only_unix_sockets_can_be_made() {
    for way in Way::all() {
        for probe in ["families", "pair-families"] {
            let answer = inside(way, &[probe]);
            let Some(list) = answer.strip_prefix("reached ") else {
                assert_eq!((answer.as_str(), probe), ("denied EPERM", "families"));
                assert!(!way.namespaces(), "{way:?}");
                continue;
            };
            for socket in list.split(' ') {
                assert!(socket.starts_with("1/"), "{way:?}: {probe} {socket}");
            }
            assert!(list.contains("1/1"), "{way:?}: {list}");
        }
    }
    assert_control(&["families"], Control::User);
    assert!(outside_probe(&["families"]).contains(" 2/1 "));
}

fn outside_probe(probe: &[&str]) -> String {
    let program = probe_program();
    outside(NOBODY, &[&[program.to_str().unwrap()], probe].concat())
}

/// Addresses of this machine that a server can be reached at: loopback of both families, and its own others.
fn addresses() -> Vec<String> {
    let mut list = vec!["127.0.0.1:0".to_owned()];
    if TcpListener::bind("[::1]:0").is_ok() {
        list.push("[::1]:0".into());
    }
    // Connecting a datagram socket sends nothing, and tells which address would be used (udp(7)).
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    if socket.connect("192.0.2.1:9").is_ok() {
        list.push(format!("{}:0", socket.local_addr().unwrap().ip()));
    }
    list
}

fn assert_no_tcp(probe: &str, addresses: &[String]) {
    for address in addresses {
        let server = TcpListener::bind(address).unwrap();
        let target = server.local_addr().unwrap().to_string();
        assert_blocked(&[probe, &target], Control::User);
        // The control's connection, and no other.
        server.set_nonblocking(true).unwrap();
        assert!(
            server.accept().is_ok(),
            "{probe}: the control did not connect"
        );
        assert!(server.accept().is_err(), "{probe}: somebody else connected");
    }
}

#[test]
fn a_tcp_server_of_the_host_is_out_of_reach_at_every_address() {
    assert_no_tcp("tcp", &addresses());
}

#[test]
fn a_tcp_server_is_out_of_reach_by_fast_open() {
    assert_no_tcp("fast-open", &["127.0.0.1:0".into()]);
}

#[test]
fn a_tcp_server_is_out_of_reach_by_multipath_tcp() {
    if !outside_probe(&["socket", "2", "1", "262"]).starts_with("reached ") {
        eprintln!("no multipath TCP in this kernel");
        return;
    }
    assert_no_tcp("mptcp", &["127.0.0.1:0".into()]);
}

#[test]
fn a_udp_server_of_the_host_is_out_of_reach_at_every_address() {
    for address in addresses() {
        let server = UdpSocket::bind(address).unwrap();
        let target = server.local_addr().unwrap().to_string();
        assert_blocked(&["udp", &target], Control::User);
        server
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        assert!(server.recv(&mut [0; 8]).is_ok(), "the control's datagram");
        server.set_nonblocking(true).unwrap();
        assert!(
            server.recv(&mut [0; 8]).is_err(),
            "somebody else's datagram"
        );
    }
}

#[test]
fn a_unix_socket_of_the_host_is_out_of_reach() {
    let directory = scratch();
    let path = directory.path().join("socket");
    let _server = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    assert_blocked(&["unix", path.to_str().unwrap()], Control::User);
}

#[test]
fn a_unix_datagram_socket_of_the_host_is_out_of_reach() {
    let directory = scratch();
    let path = directory.path().join("socket");
    let _server = UnixDatagram::bind(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    assert_blocked(&["unix-datagram", path.to_str().unwrap()], Control::User);
}

#[test]
fn an_abstract_unix_socket_of_the_host_is_out_of_reach() {
    let name = format!("runner-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _server = UnixListener::bind_addr(&address).unwrap();
    assert_blocked(&["abstract", &name], Control::User);
}

/// A container engine's socket, granted by accident, would be a way out.
#[test]
fn a_socket_can_not_be_granted() {
    let directory = scratch();
    let path = directory.path().join("socket");
    let _server = UnixListener::bind(&path).unwrap();
    let path = path.to_str().unwrap();
    for way in Way::all() {
        for flag in ["--fs-readable", "--fs-writable"] {
            let run = run_all(
                way,
                &[json!({"id": "e", "argv": ["/bin/true"]})],
                &[flag, path],
            );
            assert_eq!(run.code, Some(2), "{way:?}: {}", run.stderr);
            assert!(
                run.stderr.contains("is a socket"),
                "{way:?}: {}",
                run.stderr
            );
        }
        for field in ["fs_readable", "fs_writable"] {
            let episode = json!({"id": "e", "argv": ["/bin/true"], field: [path]});
            let run = run_all(way, &[episode], &["--allow-path", "/tmp"]);
            assert_eq!(run.status("e"), "invalid", "{way:?}");
            assert!(
                run.error("e").contains("is a socket"),
                "{way:?}: {}",
                run.error("e")
            );
        }
    }
}

/// A read-only mount does not keep anybody from connecting.
#[test]
fn a_unix_socket_below_a_system_directory_is_covered() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let directory = tempfile::Builder::new()
        .prefix("runner-test-")
        .tempdir_in("/usr/local")
        .expect("a directory that slots see");
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    let path = directory.path().join("socket");
    let _listener = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    assert_blocked(&["unix", path.to_str().unwrap()], Control::User);
    let server = crate::common::client::Server::start(Way::of_tier("namespaces")[0], &[]);
    let mut client = server.connect();
    let mut session = client.start(json!({}));
    let code = format!("import socket; socket.socket(socket.AF_UNIX).connect({path:?})");
    let done = session.exec(json!({"argv": ["python3", "-c", code]}));
    assert_eq!(done["status"], "failed", "{done}");
}
