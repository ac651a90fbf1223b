//! Two episodes at the same time, in two slots, share no object by name or key; inside one, all of it works.

use crate::common::{NOBODY, Way, scratch};
use crate::episodes::{output_of, outside, python, run_all};
use std::fmt::Write;

/// What each of the two does: `make()` and, in the other, once that is done, `find()`, which says what it got.
const MEETING: &str = r"
import ctypes, os, sys, time
meeting, role = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
def wait(name):
    for _ in range(3000):
        if os.path.exists(f'{meeting}/{name}'): return
        time.sleep(0.01)
    raise SystemExit('nobody came')
def say(name): open(f'{meeting}/{name}', 'w').close()
def main():
    if role == 'maker':
        try: make()
        except OSError as e: print('not made', e)
        say('made'); wait('found')
    else:
        wait('made')
        try: print('FOUND' if find() else 'nothing')
        except OSError as e: print('nothing', e)
        say('found')
";

/// Two episodes, two slots, one granted directory to meet in; then two programs outside.
fn assert_apart(make_and_find: &str) {
    let code = format!("{MEETING}{make_and_find}\nmain()\n");
    let episode = |meeting: &str, role: &str| {
        let mut episode = python(role, &code);
        let argv = episode["argv"].as_array_mut().unwrap();
        argv.extend([meeting.into(), role.into()]);
        episode
    };
    for way in Way::all() {
        let directory = scratch();
        let meeting = directory.path().to_str().unwrap();
        let both = [episode(meeting, "maker"), episode(meeting, "finder")];
        let run = run_all(
            way,
            &both,
            &["--concurrency", "2", "--fs-writable", meeting],
        );
        let answer = run.output("finder");
        assert!(
            answer.starts_with("nothing"),
            "{way:?}: {answer} {}",
            run.output("maker")
        );
        assert_eq!(run.status("maker"), "ok", "{way:?}: {}", run.get("maker"));
    }
    let directory = scratch();
    let meeting = directory.path().to_str().unwrap().to_owned();
    let python = |role: &str| outside(NOBODY, &["/usr/bin/python3", "-c", &code, &meeting, role]);
    let found = std::thread::scope(|scope| {
        scope.spawn(|| python("maker"));
        python("finder")
    });
    assert_eq!(found, "FOUND\n");
}

#[test]
fn shared_memory_of_system_v_is_not_seen_by_another_slot() {
    assert_apart(
        "def make(): libc.shmget(0x5ca1ab1e, 4096, 0o1666)\ndef find():\n i = libc.shmget(0x5ca1ab1e, 0, 0)\n if i >= 0: libc.shmctl(i, 0, None)\n return i >= 0",
    );
}

#[test]
fn a_semaphore_of_system_v_is_not_seen_by_another_slot() {
    assert_apart(
        "def make(): libc.semget(0x5ca1ab1f, 1, 0o1666)\ndef find():\n i = libc.semget(0x5ca1ab1f, 0, 0)\n if i >= 0: libc.semctl(i, 0, 0)\n return i >= 0",
    );
}

#[test]
fn a_message_queue_of_system_v_is_not_seen_by_another_slot() {
    assert_apart(
        "def make(): libc.msgget(0x5ca1ab20, 0o1666)\ndef find():\n i = libc.msgget(0x5ca1ab20, 0)\n if i >= 0: libc.msgctl(i, 0, None)\n return i >= 0",
    );
}

#[test]
fn shared_memory_of_posix_is_not_seen_by_another_slot() {
    assert_apart(
        "import _posixshmem\ndef make(): _posixshmem.shm_open('/runner-test-shm', os.O_CREAT | os.O_RDWR, mode=0o666)\ndef find():\n os.close(_posixshmem.shm_open('/runner-test-shm', os.O_RDWR, mode=0))\n _posixshmem.shm_unlink('/runner-test-shm'); return True",
    );
}

#[test]
fn a_semaphore_of_posix_is_not_seen_by_another_slot() {
    assert_apart(
        "libc.sem_open.restype = ctypes.c_void_p\ndef make(): libc.sem_open(b'/runner-test-sem', os.O_CREAT, 0o666, 1)\ndef find():\n s = libc.sem_open(b'/runner-test-sem', 0)\n if s: libc.sem_unlink(b'/runner-test-sem')\n return s",
    );
}

#[test]
fn a_message_queue_of_posix_is_not_seen_by_another_slot() {
    assert_apart(
        "def make(): libc.mq_open(b'/runner-test-mq', os.O_CREAT | os.O_RDWR, 0o666, None)\ndef find():\n q = libc.mq_open(b'/runner-test-mq', os.O_RDWR)\n if q >= 0: libc.mq_unlink(b'/runner-test-mq')\n return q >= 0",
    );
}

/// Descriptors travel over connected sockets only (unix(7), SCM_RIGHTS): no connection, no descriptor.
#[test]
fn no_descriptor_can_be_passed_to_another_slot() {
    for address in ["'\\0runner-test-rights'", "'/tmp/runner-test-rights'"] {
        let code = format!(
            "import socket\ndef make():\n global s; s = socket.socket(socket.AF_UNIX); s.bind({address}); s.listen()\n import threading; threading.Thread(target=lambda: socket.send_fds(s.accept()[0], [b'x'], [0]), daemon=True).start()\ndef find():\n c = socket.socket(socket.AF_UNIX); c.connect({address})\n got = socket.recv_fds(c, 1, 1)[1]\n try: os.unlink({address})\n except (OSError, ValueError): pass\n return got"
        );
        assert_apart(&code);
    }
}

/// What tmux, multiprocessing and asyncio need.
#[test]
fn unix_sockets_pipes_and_passed_descriptors_work_inside_an_episode() {
    let mut code = String::from(
        "import os, socket
def talk(a, b):
    a.send(b'ping'); assert b.recv(9) == b'ping'
    r, w = os.pipe(); os.write(w, b'through')
    socket.send_fds(a, [b'x'], [r]); got = socket.recv_fds(b, 1, 1)[1][0]
    assert os.read(got, 9) == b'through'
def named(kind, address):
    s = socket.socket(socket.AF_UNIX, kind); s.bind(address)
    c = socket.socket(socket.AF_UNIX, kind)
    if kind == socket.SOCK_DGRAM: c.connect(address); talk(c, s)
    else: s.listen(); c.connect(address); talk(c, s.accept()[0])
for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
    talk(*socket.socketpair(socket.AF_UNIX, kind))
os.mkfifo('fifo')
if os.fork() == 0:
    open('fifo', 'w').write('named pipe'); os._exit(0)
assert open('fifo').read() == 'named pipe'; os.wait()
",
    );
    let anywhere = code.clone() + "print('works')";
    write!(
        code,
        "for i, kind in enumerate((socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)):
    named(kind, f'/tmp/s{{i}}'); named(kind, f'\\0s{{i}}')
talk(*socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
print('works')"
    )
    .unwrap();
    for way in Way::all() {
        let code = if way.namespaces() { &code } else { &anywhere };
        assert_eq!(output_of(way, &python("e", code)), "works\n", "{way:?}");
    }
}
