//! Memory of the whole tree.

use super::{assert_limit, assert_ok, everywhere, in_namespaces, number, number_after};
use serde_json::{Value, json};

/// The same program under a memory limit that is too small for it, and under one that is not.
fn pair(program: &str, small_mb: u64, large_mb: u64) -> [Value; 2] {
    // What is over the limit is ended, however late it is seen.
    let late = program.replace("time.sleep(2)", "time.sleep(60)");
    let episode = |id: &str, memory_mb: u64| {
        let program = if id == "over" { &late } else { program };
        json!({"id": id, "argv": ["python3", "-c", program], "timeout_s": 120,
               "resources": {"memory_mb": memory_mb, "disk_mb": 400}})
    };
    [episode("over", small_mb), episode("below", large_mb)]
}

/// The verdicts of such a pair, and that the larger one's peak is at least this.
fn assert_pair(way: crate::common::Way, run: &crate::common::Run, small_mb: u64, used_mb: f64) {
    assert_limit(
        way,
        run,
        "over",
        "memory_limit",
        &format!("the limit is {small_mb} MB"),
    );
    assert!(
        number_after(run.error("over"), "used") > small_mb as f64,
        "{way:?}: {}",
        run.error("over")
    );
    assert_eq!(
        run.get("over")["exit_code"],
        137,
        "{way:?}: {}",
        run.get("over")
    );
    assert!(
        run.output("over").starts_with("kept\n") && !run.output("over").contains("done"),
        "{way:?}"
    );
    assert!(
        number(run, "over", "peak_memory_mb") > small_mb as f64,
        "{way:?}: {}",
        run.get("over")
    );
    assert_ok(way, run, "below");
    assert_eq!(run.output("below"), "kept\ndone\n", "{way:?}");
    assert!(
        number(run, "below", "peak_memory_mb") >= used_mb,
        "{way:?}: {}",
        run.get("below")
    );
}

/// Of the pool that the machine sets aside for them, which a program takes without having anonymous pages.
#[test]
fn huge_pages_count() {
    let free = std::fs::read_to_string("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
    if free.map_or(0, |free| free.trim().parse().unwrap_or(0)) < 160 {
        eprintln!("this machine has no 160 free huge pages of 2 MB");
        return;
    }
    let program = "import mmap, time\nprint('kept', flush=True)\n\
        m = mmap.mmap(-1, 150 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)\n\
        for at in range(0, 150 << 20, 2 << 20): m[at] = 1\n\
        time.sleep(2)\nprint('done')";
    everywhere(&pair(program, 64, 512), |way, run| {
        assert_pair(way, run, 64, 150.0)
    });
}

#[test]
fn a_process_that_holds_too_much_memory_is_ended() {
    let program = "import time\nprint('kept', flush=True)\nhog = b'x' * (150 << 20)\ntime.sleep(2)\nprint('done')";
    everywhere(&pair(program, 64, 512), |way, run| {
        assert_pair(way, run, 64, 150.0)
    });
}

#[test]
fn memory_is_that_of_the_whole_tree_each_with_its_own_copy_of_what_fork_shared() {
    // No process alone is over the limit.
    let program = "import os, time\nprint('kept', flush=True)\ndata = bytearray(b'x') * (40 << 20)\n\
        for _ in range(4):\n    if os.fork() == 0:\n        for i in range(0, len(data), 4096): data[i] = 1\n        \
        time.sleep(2)\n        os._exit(0)\n\
        for _ in range(4): os.wait()\nprint('done')";
    everywhere(&pair(program, 120, 512), |way, run| {
        assert_pair(way, run, 120, 150.0)
    });
}

#[test]
fn memory_that_fork_shares_counts_once() {
    let program = "import os, time\nprint('kept', flush=True)\ndata = b'x' * (200 << 20)\n\
        for _ in range(4):\n    if os.fork() == 0:\n        \
        total = sum(data[i] for i in range(0, len(data), 4096))\n        time.sleep(2)\n        os._exit(0)\n\
        for _ in range(4): os.wait()\nprint('done')";
    everywhere(&pair(program, 150, 400), |way, run| {
        assert_pair(way, run, 150, 200.0);
        assert!(
            number(run, "below", "peak_memory_mb") < 400.0,
            "{way:?}: {}",
            run.get("below")
        );
    });
}

#[test]
fn shared_anonymous_memory_counts() {
    let program = "import mmap, os, time\nprint('kept', flush=True)\nm = mmap.mmap(-1, 150 << 20)\n\
        for i in range(0, 150 << 20, 4096): m[i] = 1\n\
        if os.fork() == 0:\n    time.sleep(2)\n    os._exit(0)\nos.wait()\nprint('done')";
    everywhere(&pair(program, 64, 512), |way, run| {
        assert_pair(way, run, 64, 150.0)
    });
}

#[test]
fn shared_anonymous_memory_of_a_tree_counts_once() {
    let program = "import mmap, os, time\nprint('kept', flush=True)\nm = mmap.mmap(-1, 100 << 20)\n\
        for i in range(0, 100 << 20, 4096): m[i] = 1\n\
        for _ in range(4):\n    if os.fork() == 0:\n        sum(m[i] for i in range(0, 100 << 20, 4096))\n        \
        time.sleep(2)\n        os._exit(0)\n\
        for _ in range(4): os.wait()\nprint('done')";
    everywhere(&pair(program, 64, 250), |way, run| {
        assert_pair(way, run, 64, 100.0)
    });
}

/// What the machine has of shared memory bounds what such a mapping can hold, and other tests have some.
#[test]
fn shared_anonymous_memory_that_was_never_touched_does_not_count() {
    let program = "import mmap, os, time\nm = mmap.mmap(-1, 6 << 30)\nm[0] = 1\n\
        if os.fork() == 0:\n    m[5 << 30] = 1\n    time.sleep(2)\n    os._exit(0)\nos.wait()\nprint('done')";
    let episode =
        json!({"id": "a", "argv": ["python3", "-c", program], "resources": {"memory_mb": 5632}});
    everywhere(&[episode], |way, run| assert_ok(way, run, "a"));
}

/// Nobody has them mapped in: the child that filled them has ended, and those of the parent were given up.
#[test]
fn shared_anonymous_memory_counts_when_no_process_has_its_pages() {
    let program = "import mmap, os, time\nprint('kept', flush=True)\nm = mmap.mmap(-1, 150 << 20)\n\
        if os.fork() == 0:\n    for i in range(0, 150 << 20, 4096): m[i] = 1\n    os._exit(0)\n\
        os.wait()\nm.madvise(mmap.MADV_DONTNEED)\ntime.sleep(2)\nprint('done')";
    everywhere(&pair(program, 64, 512), |way, run| {
        assert_pair(way, run, 64, 150.0)
    });
}

#[test]
fn files_in_tmp_and_dev_shm_count_as_memory() {
    for place in ["/tmp/hog", "/dev/shm/hog", "/workspace/hog"] {
        let program = format!(
            "import time\nprint('kept', flush=True)\nf = open('{place}', 'wb')\n\
             for _ in range(150): f.write(b'x' * (1 << 20))\nf.flush()\ntime.sleep(2)\nprint('done')"
        );
        in_namespaces(&pair(&program, 64, 512), |way, run| {
            assert_pair(way, run, 64, 150.0)
        });
    }
}

#[test]
fn system_v_shared_memory_counts_even_when_no_process_has_it_mapped() {
    let program = "import ctypes, time\nprint('kept', flush=True)\nc = ctypes.CDLL(None, use_errno=True)\n\
        c.shmat.restype = ctypes.c_void_p\nc.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]\n\
        c.shmdt.argtypes = [ctypes.c_void_p]\n\
        id = c.shmget(0, ctypes.c_size_t(150 << 20), 0o1600)\nassert id >= 0, ctypes.get_errno()\n\
        at = c.shmat(id, None, 0)\nctypes.memset(at, 1, 150 << 20)\nc.shmdt(at)\ntime.sleep(2)\nprint('done')";
    in_namespaces(&pair(program, 64, 512), |way, run| {
        assert_pair(way, run, 64, 150.0)
    });
}

#[test]
fn system_v_objects_that_an_episode_leaves_are_gone_before_the_next_one() {
    // Readable by nobody, with a key that the next one asks for.
    let program = "import ctypes\nc = ctypes.CDLL(None)\n\
        get = [c.shmget(7, ctypes.c_size_t(4096), 0o3000), c.semget(7, 1, 0o3000), c.msgget(7, 0o3000)]\n\
        print([id >= 0 for id in get])";
    let episodes: Vec<Value> = (0..6)
        .map(|n| json!({"id": format!("{n}"), "argv": ["python3", "-c", program]}))
        .collect();
    in_namespaces(&episodes, |way, run| {
        for n in 0..6 {
            assert_ok(way, run, &n.to_string());
            assert_eq!(
                run.output(&n.to_string()),
                "[True, True, True]\n",
                "{way:?}"
            );
            assert_eq!(run.get(&n.to_string())["attempts"], 1, "{way:?}");
        }
    });
}

#[test]
fn what_an_episode_held_does_not_count_against_the_next_one_in_its_slot() {
    let write = "head -c 100000000 /dev/zero > /tmp/hog; sleep 0.3";
    let episodes: Vec<Value> = (0..4)
        .map(|n| json!({"id": format!("{n}"), "command": write, "resources": {"memory_mb": 160, "disk_mb": 160}}))
        .collect();
    everywhere(&episodes, |way, run| {
        (0..4).for_each(|n| assert_ok(way, run, &n.to_string()))
    });
}

#[test]
fn what_is_in_the_buffers_of_sockets_counts_and_idle_sockets_do_not() {
    // Asking for larger buffers changes nothing.
    let program = "import os, socket, time\nprint('kept', flush=True)\n\
        for _ in range(8):\n    if os.fork() == 0:\n        pairs = [socket.socketpair() for _ in range(120)]\n        \
        for a, b in pairs:\n            a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)\n            \
        a.setblocking(False)\n            \
        try:\n                while True: a.send(bytes(4096))\n            except BlockingIOError: pass\n            \
        a.close()\n        \
        time.sleep(3)\n        os._exit(0)\n\
        for _ in range(8): os.wait()\nprint('done')";
    let idle =
        "import socket, time\npairs = [socket.socketpair() for _ in range(200)]\ntime.sleep(4)";
    let [over, below] = pair(program, 96, 1024);
    let idle =
        json!({"id": "idle", "argv": ["python3", "-c", idle], "resources": {"memory_mb": 96}});
    everywhere(&[over, below, idle], |way, run| {
        assert_limit(way, run, "over", "memory_limit", "the limit is 96 MB");
        assert_ok(way, run, "below");
        assert!(
            number(run, "below", "peak_memory_mb") > 150.0,
            "{way:?}: {}",
            run.get("below")
        );
        assert_ok(way, run, "idle");
    });
}

#[test]
fn buffers_of_sockets_can_not_be_made_larger() {
    let program = "import socket\na, b = socket.socketpair()\nbefore = a.getsockopt(1, 7), a.getsockopt(1, 8)\n\
        for name in (7, 8): a.setsockopt(1, name, 4096)\nprint((a.getsockopt(1, 7), a.getsockopt(1, 8)) == before)\n\
        a.setsockopt(1, 16, 1)\nprint(a.getsockopt(1, 16))";
    let episodes = [json!({"id": "asks", "argv": ["python3", "-c", program]})];
    everywhere(&episodes, |way, run| {
        assert_ok(way, run, "asks");
        assert_eq!(run.output("asks"), "True\n1\n", "{way:?}");
    });
}
