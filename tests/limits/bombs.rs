//! Programs that hide their memory from the watch, or look as if they held more than they do.

use super::{assert_limit, assert_ok, everywhere};
use serde_json::{Value, json};

fn python(id: &str, program: &str, memory_mb: u64) -> Value {
    json!({"id": id, "argv": ["python3", "-c", program], "timeout_s": 120,
           "resources": {"memory_mb": memory_mb}})
}

/// The program is over a limit of 96 MB, and below one of 1024 MB.
fn assert_seen(program: &str) {
    // What is over the limit is ended, however late it is seen.
    let late = program.replace("time.sleep(2)", "time.sleep(60)");
    let episodes = [python("over", &late, 96), python("below", program, 1024)];
    everywhere(&episodes, |way, run| {
        assert_limit(way, run, "over", "memory_limit", "the limit is 96 MB");
        assert_eq!(run.output("over"), "kept\n", "{way:?}");
        assert_ok(way, run, "below");
        assert_eq!(run.output("below"), "kept\ndone\n", "{way:?}");
    });
}

#[test]
fn a_process_that_forbids_inspection_counts() {
    // PR_SET_DUMPABLE is 4.
    assert_seen(
        "import ctypes, time\nprint('kept', flush=True)\nassert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0\n\
         hog = b'x' * (200 << 20)\ntime.sleep(2)\nprint('done')",
    );
}

#[test]
fn shared_memory_that_a_child_filled_counts_when_the_child_is_gone() {
    assert_seen(
        "import mmap, os, time\nprint('kept', flush=True)\nm = mmap.mmap(-1, 200 << 20)\n\
         if os.fork() == 0:\n    for i in range(0, 200 << 20, 4096): m[i] = 1\n    os._exit(0)\n\
         os.wait()\ntime.sleep(2)\nprint('done')",
    );
}

#[test]
fn shared_memory_that_is_mapped_out_again_counts() {
    assert_seen(
        "import mmap, time\nprint('kept', flush=True)\nm = mmap.mmap(-1, 200 << 20)\n\
         for i in range(0, 200 << 20, 4096): m[i] = 1\nm.madvise(mmap.MADV_DONTNEED)\ntime.sleep(2)\nprint('done')",
    );
}

/// It is neither data nor, as long as nobody writes to it, what else a program can share.
#[test]
fn shared_memory_that_is_executable_counts() {
    assert_seen(
        "import ctypes, mmap, time\nprint('kept', flush=True)\nlibc, size = ctypes.CDLL(None), 4 << 20\n\
         libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]\nkept = []\n\
         for _ in range(50):\n    m = mmap.mmap(-1, size)\n    m.write(b'x' * size)\n    \
         m.madvise(mmap.MADV_DONTNEED)\n    at = ctypes.addressof(ctypes.c_char.from_buffer(m))\n    \
         assert libc.mprotect(at, size, 5) == 0\n    kept.append(m)\n\
         time.sleep(2)\nprint('done')",
    );
}

#[test]
fn page_tables_count() {
    // Reading fresh memory maps the one page of zeros, and every 2 MB of it take a page of tables.
    assert_seen(
        "import mmap, time\nprint('kept', flush=True)\nsize = 100 << 30\n\
         m = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=mmap.PROT_READ)\n\
         for i in range(0, size, 2 << 20): m[i]\ntime.sleep(2)\nprint('done')",
    );
}

#[test]
fn memory_that_is_handed_from_parent_to_child_counts() {
    assert_seen(
        "import mmap, os, time\nprint('kept', flush=True)\n\
         for _ in range(10):\n    m = mmap.mmap(-1, 20 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n    \
         for i in range(0, 20 << 20, 4096): m[i] = 1\n    \
         if os.fork() == 0:\n        time.sleep(2.5)\n        os._exit(0)\n    m.close()\n\
         time.sleep(2)\nprint('done')",
    );
}

#[test]
fn a_large_program_that_starts_many_small_ones_does_not_count_twice() {
    // Between vfork and exec, a child has the memory of its parent.
    let program = "import subprocess\nhog = bytearray(b'x') * (200 << 20)\n\
        for _ in range(150): subprocess.run(['/bin/true'], check=True)\nprint('done')";
    everywhere(&[python("spawns", program, 320)], |way, run| {
        assert_ok(way, run, "spawns");
        assert_eq!(run.output("spawns"), "done\n", "{way:?}");
    });
}

#[test]
fn a_program_that_is_stopped_to_be_counted_goes_on_and_one_that_stopped_itself_does_not() {
    // Each of five processes maps the same 100 MB: more than the limit until they are counted.
    let program = "import os, signal, time\ndata = b'x' * (100 << 20)\npids = []\n\
        for n in range(4):\n    pid = os.fork()\n    if pid == 0:\n        \
        if n == 0: os.kill(os.getpid(), signal.SIGSTOP)\n        \
        time.sleep(2)\n        os._exit(0)\n    pids.append(pid)\n\
        for pid in pids[1:]: os.waitpid(pid, 0)\n\
        time.sleep(0.5)\nprint(os.waitpid(pids[0], os.WNOHANG))\nos.kill(pids[0], signal.SIGKILL)";
    everywhere(&[python("shares", program, 200)], |way, run| {
        assert_ok(way, run, "shares");
        assert_eq!(run.output("shares"), "(0, 0)\n", "{way:?}");
    });
}
