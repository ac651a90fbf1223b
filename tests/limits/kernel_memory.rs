//! Memory of the kernel's that belongs to no process counts as the program's.

use super::{assert_limit, assert_ok, everywhere, in_namespaces};
use serde_json::{Value, json};

fn pair(program: &str, small_mb: u64) -> [Value; 2] {
    let body = format!(
        "import ctypes, fcntl, mmap, os, resource, select, socket, struct, time\nprint('kept', flush=True)\n{program}\n\
         time.sleep(float(os.environ['REST']))\nprint('done')"
    );
    // What is over the limit is ended, however late it is seen.
    let episode = |id: &str, memory_mb: u64| {
        let rest = if id == "over" { "60" } else { "0.5" };
        json!({"id": id, "argv": ["python3", "-c", body], "timeout_s": 120, "env": {"REST": rest},
               "resources": {"memory_mb": memory_mb, "disk_mb": 300}})
    };
    [episode("over", small_mb), episode("below", 2048)]
}

fn assert_pair(way: crate::common::Way, run: &crate::common::Run, small_mb: u64) {
    let limit = format!("the limit is {small_mb} MB");
    assert_limit(way, run, "over", "memory_limit", &limit);
    assert_eq!(run.output("over"), "kept\n", "{way:?}");
    assert_ok(way, run, "below");
    assert_eq!(run.output("below"), "kept\ndone\n", "{way:?}");
}

fn assert_counts(program: &str, small_mb: u64) {
    everywhere(&pair(program, small_mb), |way, run| {
        assert_pair(way, run, small_mb)
    });
}

fn assert_counts_in_namespaces(program: &str, small_mb: u64) {
    in_namespaces(&pair(program, small_mb), |way, run| {
        assert_pair(way, run, small_mb)
    });
}

/// Some 200 bytes for each.
#[test]
fn descriptors_that_epolls_watch_count() {
    assert_counts(
        "ends = [os.pipe() for _ in range(200)]\nepolls = [select.epoll() for _ in range(500)]\n\
         for e in epolls:\n    for a, b in ends: e.register(a, 1); e.register(b, 1)",
        40,
    );
}

/// Some 256 bytes for each.
#[test]
fn mappings_count() {
    assert_counts(
        "libc = ctypes.CDLL(None)\nlibc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]\n\
         for _ in range(4):\n    if os.fork() == 0:\n        \
         m = mmap.mmap(-1, 200 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n        \
         at = ctypes.addressof(ctypes.c_char.from_buffer(m))\n        \
         for i in range(0, 190 << 20, 8192): libc.mprotect(at + i, 4096, 1)\n        \
         time.sleep(60)\n        os._exit(0)\n\
         time.sleep(1)",
        48,
    );
}

/// A fork of a fork of a fork: each has 64 bytes for each mapping and each process before it.
#[test]
fn mappings_count_for_each_process_that_they_were_handed_down_from() {
    assert_counts_in_namespaces(
        "libc = ctypes.CDLL(None)\nlibc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]\n\
         m = mmap.mmap(-1, 4 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n\
         at = ctypes.addressof(ctypes.c_char.from_buffer(m))\n\
         for i in range(0, 4 << 20, 8192): libc.mprotect(at + i, 4096, 7)\n\
         for i in range(0, 4 << 20, 4096): m[i] = 1\n\
         first = os.getpid()\nfor _ in range(50):\n    if os.fork(): os.wait(); break\n\
         else: time.sleep(float(os.environ['REST']))\n\
         if os.getpid() != first: os._exit(0)",
        90,
    );
}

#[test]
fn files_without_content_count() {
    assert_counts_in_namespaces("for n in range(50000): open(f'f{n}', 'w').close()", 48);
}

#[test]
fn connections_that_are_never_accepted_count() {
    assert_counts_in_namespaces(
        "servers = []\nfor n in range(30):\n    \
         s = socket.socket(socket.AF_UNIX); s.bind(f'\\0n{n}'); s.listen(4096); servers.append(s)\n    \
         for _ in range(1000):\n        c = socket.socket(socket.AF_UNIX); c.connect(f'\\0n{n}'); c.close()",
        48,
    );
}

#[test]
fn pipes_count_where_there_are_many() {
    assert_counts(
        "for _ in range(10):\n    if os.fork() == 0:\n        ends = []\n        \
         for _ in range(900):\n            a, b = os.pipe(); os.write(b, b'x' * 4096); os.close(b); ends.append(a)\n        \
         time.sleep(60)\n        os._exit(0)\n\
         time.sleep(1)",
        80,
    );
}

/// In the landlock tier the process can't be looked into; what it has open counts as the most that it can be, and may be files
/// as well.
#[test]
fn the_sockets_of_a_process_that_forbids_inspection_count() {
    let program = "assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0\n\
        pairs = [socket.socketpair() for _ in range(200)]\nfor a, b in pairs:\n    for s in a, b:\n        \
        s.setblocking(False)\n        try:\n            while s.send(b'x' * 32768): pass\n        \
        except BlockingIOError: pass";
    let [mut over, below] = pair(program, 48);
    over["resources"]["disk_mb"] = 8000.into();
    everywhere(&[over, below], |way, run| {
        if way.namespaces() {
            assert_pair(way, run, 48)
        } else {
            assert_limit(way, run, "over", "memory_limit", "the limit is 48 MB");
            assert_limit(way, run, "below", "disk_limit", "forbid inspection");
        }
    });
}

#[test]
fn open_files_count_where_there_are_very_many() {
    assert_counts_in_namespaces(
        "for _ in range(20):\n    if os.fork() == 0:\n        files = [open('/proc/self/status') for _ in range(900)]\n        \
         for f in files: f.readline()\n        time.sleep(60)\n        os._exit(0)\n\
         time.sleep(1)",
        64,
    );
}

#[test]
fn what_waits_in_connections_of_its_own_network_counts() {
    let program = "s = socket.create_server(('127.0.0.1', 0), backlog=200)\nkept = []\n\
        for _ in range(100):\n    c = socket.create_connection(s.getsockname()); c.setblocking(False); kept.append(c)\n    \
        kept.append(s.accept()[0])\n    \
        try:\n        while True: c.send(bytes(65536))\n    except BlockingIOError: pass";
    let episodes = pair(program, 64).map(|mut episode| {
        episode["network"] = "loopback".into();
        episode
    });
    in_namespaces(&episodes, |way, run| assert_pair(way, run, 64));
}

/// A look at it takes long, and the program sees to it that it does: its timeout holds all the same.
#[test]
fn a_program_with_very_many_mappings_does_not_put_off_its_timeout() {
    let program = "import ctypes, mmap, os\n\
        libc = ctypes.CDLL(None)\nlibc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]\n\
        for _ in range(60):\n    if os.fork() == 0: break\n\
        m = mmap.mmap(-1, 512 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n\
        at = ctypes.addressof(ctypes.c_char.from_buffer(m))\n\
        for i in range(0, 400 << 20, 8192): libc.mprotect(at + i, 4096, 1)\n\
        while True: libc.mprotect(at, 4096, 1); libc.mprotect(at, 4096, 3)";
    let episode = json!({"id": "busy", "argv": ["python3", "-c", program], "timeout_s": 4,
        "resources": {"memory_mb": 4096}});
    everywhere(&[episode], |way, run| {
        let result = run.get("busy");
        assert_eq!(result["status"], "timeout", "{way:?}: {result}");
        assert_eq!(result["attempts"], 1, "{way:?}: {result}");
        // How soon is the test's business as far as that is not half a minute.
        assert!(
            result["wall_ms"].as_f64().unwrap() < 12_000.0,
            "{way:?}: {result}"
        );
    });
}

/// So does that of one with very many descriptors, among them epolls that watch all of them.
#[test]
fn a_program_with_very_many_descriptors_does_not_put_off_its_timeout() {
    let program = "import os, select\n\
        ends = [os.pipe()[0] for _ in range(300)]\n\
        for _ in range(12):\n    if os.fork() == 0: break\n\
        epolls = [select.epoll() for _ in range(300)]\n\
        for e in epolls:\n    for end in ends: e.register(end, 1)\n\
        while True: os.dup2(0, 3)";
    let episode = json!({"id": "busy", "argv": ["python3", "-c", program], "timeout_s": 4,
        "resources": {"memory_mb": 2048}});
    everywhere(&[episode], |way, run| {
        let result = run.get("busy");
        assert_eq!(result["attempts"], 1, "{way:?}: {result}");
        // Which of the two it is depends on how many of them there are by then.
        let status = result["status"].as_str().unwrap();
        assert!(
            ["timeout", "memory_limit"].contains(&status),
            "{way:?}: {result}"
        );
        assert!(
            result["wall_ms"].as_f64().unwrap() < 30_000.0,
            "{way:?}: {result}"
        );
    });
}

/// Each thread that has used some has a list as long as their sets (SEM_UNDO, semop(2)).
#[test]
fn what_is_kept_to_undo_semaphores_counts() {
    let program = "import ctypes, os, time\nlibc = ctypes.CDLL(None, use_errno=True)\n\
        print(libc.semget(0, 256, 0o600), flush=True)\n\
        sets = [libc.semget(0, 255, 0o600) for _ in range(1500)]\n\
        one = (ctypes.c_short * 3)(0, 1, 0x1000)\nr, w = os.pipe()\n\
        for _ in range(50):\n    if os.fork() == 0:\n        \
        for s in sets: libc.semop(s, one, 1)\n        os.write(w, b'x')\n        time.sleep(60)\n        os._exit(0)\n\
        for _ in range(50): os.read(r, 1)\ntime.sleep(float(os.environ['REST']))\nprint('done')";
    let episode = |id: &str, memory_mb: u64, rest: &str| {
        json!({"id": id, "argv": ["python3", "-c", program], "timeout_s": 120, "env": {"REST": rest},
               "resources": {"memory_mb": memory_mb}})
    };
    in_namespaces(
        &[episode("over", 96, "60"), episode("below", 512, "0.5")],
        |way, run| {
            assert_limit(way, run, "over", "memory_limit", "the limit is 96 MB");
            assert_ok(way, run, "below");
            assert_eq!(run.output("below"), "-1\ndone\n", "{way:?}");
        },
    );
}
