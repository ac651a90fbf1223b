//! The socket: who may connect, and what is done about what is there already.

use crate::common::client::{Client, Server};
use crate::common::{Way, command, scratch};
use serde_json::json;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// What a server says that can't start, and its exit status.
fn refused(directory: &Path, arguments: &[&str]) -> (String, Option<i32>) {
    let output = command(true)
        .arg("serve")
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("the binary starts");
    (
        String::from_utf8_lossy(&output.stderr).into_owned(),
        output.status.code(),
    )
}

#[test]
fn only_its_user_may_connect() {
    let server = Server::start(Way::all()[0], &[]);
    let meta = fs::symlink_metadata(server.path()).expect("the socket");
    assert!(meta.file_type().is_socket());
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_second_server_on_the_same_path_is_refused_and_the_first_goes_on() {
    let server = Server::start(Way::all()[0], &[]);
    let mut client = server.connect();
    let mut session = client.start(json!({}));
    let (said, code) = refused(server.directory.path(), &["--socket", "s"]);
    assert!(said.contains("another server listens there"), "{said}");
    assert_eq!(code, Some(2));
    assert_eq!(session.output("echo fine"), "fine\n");
    assert_eq!(server.connect().greeting["protocol"], 1);
}

/// Which would keep whoever connects waiting.
#[test]
fn a_socket_whose_server_takes_nobody_is_taken_all_the_same() {
    use nix::sys::socket::{
        AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
    };
    use std::os::fd::AsRawFd;
    let directory = scratch();
    let path = directory.path().join("s");
    let flags = SockFlag::SOCK_CLOEXEC;
    let full = socket(AddressFamily::Unix, SockType::Stream, flags, None).expect("a socket");
    bind(full.as_raw_fd(), &UnixAddr::new(&path).expect("a path")).expect("bind");
    listen(&full, Backlog::new(0).expect("a backlog")).expect("listen");
    let _waits = std::os::unix::net::UnixStream::connect(&path).expect("connect");
    let server = std::process::Command::new("timeout")
        .args(["--signal=KILL", "30"])
        .arg(crate::common::binary())
        .args(["serve", "--socket", "s"])
        .current_dir(directory.path())
        .output()
        .expect("timeout starts");
    let said = String::from_utf8_lossy(&server.stderr);
    assert!(said.contains("another server listens there"), "{said}");
    assert_eq!(server.status.code(), Some(2), "{said}");
}

#[test]
fn a_socket_that_a_dead_server_left_is_replaced() {
    let directory = scratch();
    let path = directory.path().join("s");
    drop(UnixListener::bind(&path).expect("bind"));
    assert!(path.exists());
    let mut child = command(true)
        .args(["serve", "--socket", "s"])
        .current_dir(directory.path())
        .spawn()
        .expect("the binary starts");
    crate::common::wait_for(|| std::os::unix::net::UnixStream::connect(&path).is_ok());
    assert_eq!(
        Client::connect(&path).start(json!({})).output("echo fine"),
        "fine\n"
    );
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("kill");
    assert_eq!(child.wait().expect("wait").code(), Some(0));
    assert!(
        fs::read_dir(directory.path())
            .expect("list")
            .next()
            .is_none()
    );
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let directory = scratch();
    let path = directory.path().join("s");
    fs::write(&path, "precious").expect("write");
    symlink("s", directory.path().join("link")).expect("link");
    for name in ["s", "link"] {
        let (said, code) = refused(directory.path(), &["--socket", name]);
        assert!(said.contains("is no socket"), "{said}");
        assert_eq!(code, Some(2));
    }
    assert_eq!(fs::read_to_string(&path).expect("read"), "precious");
}

#[test]
fn a_directory_that_somebody_keeps_locked_holds_the_start_up_for_a_moment_only() {
    use nix::fcntl::{Flock, FlockArg};
    let directory = scratch();
    let file = || fs::File::open(directory.path()).expect("open");
    let locked = Flock::lock(file(), FlockArg::LockExclusive).expect("lock");
    let mut waiting = command(true)
        .args(["serve", "--socket", "s"])
        .current_dir(directory.path())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let begin = Instant::now();
    let status = loop {
        match waiting.try_wait().expect("wait") {
            Some(status) => break status.code(),
            None if begin.elapsed() > Duration::from_secs(20) => {
                waiting.kill().expect("kill");
                waiting.wait().expect("wait");
                panic!("it waits for ever");
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let mut said = String::new();
    let mut stderr = waiting.stderr.take().expect("piped");
    stderr.read_to_string(&mut said).expect("read");
    assert!(
        said.contains("locked") && said.contains("try again"),
        "{said}"
    );
    assert_eq!(status, Some(2));
    drop(locked);
    // One that is starting is waited for.
    let starting = Flock::lock(file(), FlockArg::LockExclusive).expect("lock");
    let unlock = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        drop(starting);
    });
    let server = Server::start_in(directory, Way::all()[0], &[]);
    unlock.join().expect("unlocked");
    assert_eq!(server.connect().greeting["protocol"], 1);
}

#[test]
fn a_path_that_can_t_be_a_socket_is_said_with_the_remedy() {
    let directory = scratch();
    let long = "x".repeat(120);
    for (path, expected) in [
        (long.as_str(), "107 bytes"),
        ("no/such/s", "directory that exists"),
    ] {
        let (said, code) = refused(directory.path(), &["--socket", path]);
        assert!(said.contains(expected), "{said}");
        assert_eq!(code, Some(2));
    }
    let (said, code) = refused(directory.path(), &[]);
    assert!(
        said.contains("--socket") && said.contains("--stdio"),
        "{said}"
    );
    assert_eq!(code, Some(2));
    let (said, code) = refused(directory.path(), &["--stdio", "--sessions", "0"]);
    assert!(said.contains("--sessions"), "{said}");
    assert_eq!(code, Some(2));
}
