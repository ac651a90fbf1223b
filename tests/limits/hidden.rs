//! What a program does to be overlooked by those who count does not help it.

use super::{assert_limit, assert_ok, everywhere, lines, run, run_once};
use crate::common::Way;
use serde_json::{Value, json};

const PRELUDE: &str = "import ctypes, mmap, os, threading, time\nlibc = ctypes.CDLL(None)\nprint('begun', flush=True)\n";
/// As `./абвгдежз` is: the kernel cuts names after 15 bytes.
const BAD_NAME: &str = "libc.prctl(15, b'\\xff\\xfex', 0, 0, 0)\n";
const HOLDS: &str = include_str!("programs/holds_memory.py");

/// A program that holds 160 MB: one with a limit below that, and one with a limit above.
fn pair(program: &str) -> [Value; 2] {
    // What is over the limit is ended, however late it is seen.
    let episode = |id: &str, memory_mb: u64, rest: &str| {
        json!({"id": id, "argv": ["python3", "-c", format!("{PRELUDE}{program}")], "timeout_s": 100, "env": {"REST": rest},
               "resources": {"memory_mb": memory_mb}})
    };
    [episode("over", 64, "60"), episode("below", 1024, "0.5")]
}

#[track_caller]
fn assert_seen(program: &str) {
    everywhere(&pair(program), |way, run| {
        assert_limit(way, run, "over", "memory_limit", "the limit is 64 MB");
        assert_ok(way, run, "below");
        assert_eq!(run.output("below"), "begun\ndone\n", "{way:?}");
    });
}

/// A function that the last thread of a process runs, when the first one has ended.
fn in_the_last_thread(body: &str) -> String {
    format!(
        "def go_on():\n    time.sleep(0.2)\n    {}\n\
         threading.Thread(target=go_on).start()\nlibc.syscall({}, 0)",
        body.trim_end().replace('\n', "\n    "),
        libc::SYS_exit,
    )
}

#[test]
fn memory_counts_where_the_name_of_the_process_is_no_text() {
    assert_seen(&format!("{BAD_NAME}{HOLDS}"));
}

#[test]
fn memory_counts_where_the_first_thread_has_ended() {
    assert_seen(&in_the_last_thread(HOLDS));
}

#[test]
fn memory_counts_where_the_name_of_a_mapped_file_is_no_text() {
    // The later mapping lies lower. Shared memory that no process has in its page tables is found by its mapping alone.
    assert_seen(include_str!(
        "programs/shared_memory_beside_a_mapped_file_whose_name_is_no_text.py"
    ));
}

#[test]
fn cpu_time_counts_where_the_name_of_the_process_is_no_text() {
    let program = format!("{PRELUDE}{BAD_NAME}\nwhile True: pass");
    let episode = json!({"id": "burns", "argv": ["python3", "-c", program], "timeout_s": 60, "resources": {"cpu_time_s": 1}});
    everywhere(&[episode], |way, run| {
        assert_limit(way, run, "burns", "cpu_limit", "the limit is 1 s");
    });
}

/// The steps after it go on, so the program is looked for and ended by itself.
#[test]
fn a_step_ends_at_its_timeout_where_the_name_of_the_process_is_no_text_or_its_first_thread_has_ended()
 {
    let named = format!("{BAD_NAME}time.sleep(60)");
    let threaded = in_the_last_thread("time.sleep(60)");
    let parent = format!(
        "if os.fork() == 0:\n    {}\ntime.sleep(60)",
        named.replace('\n', "\n    ")
    );
    let programs = [("named", named), ("threaded", threaded), ("parent", parent)];
    let episode = |(id, program): &(&str, String)| {
        let steps = json!([
            {"argv": ["python3", "-c", format!("{PRELUDE}{program}")], "timeout_s": 15, "on_failure": "continue"},
            {"argv": ["sh", "-c", "ps -e -o comm= | grep -c -e python -e x || true"]},
        ]);
        json!({"id": id, "steps": steps})
    };
    let episodes: Vec<Value> = programs.iter().map(episode).collect();
    for way in Way::all() {
        // All at once: each waits for its timeout.
        let run = run(way, &lines(&episodes), &["--concurrency", "3"]);
        for (id, _) in &programs {
            let steps = &run.get(id)["steps"];
            assert_eq!(steps[0]["status"], "timeout", "{way:?} {id}: {steps}");
            assert_eq!(steps[0]["output"], "begun\n", "{way:?} {id}: {steps}");
            assert_eq!(steps[1]["status"], "ok", "{way:?} {id}: {steps}");
            if way.namespaces() {
                assert_eq!(steps[1]["output"], "0\n", "{way:?} {id}: {steps}");
            }
        }
    }
}

#[test]
fn a_file_without_a_name_counts_where_only_another_thread_has_it_open() {
    // Each file is below the limit of a file's size.
    let writes = include_str!("programs/writes_files_without_a_name.py");
    let program = format!("{PRELUDE}{}", in_the_last_thread(writes));
    let episode = json!({"id": "hides", "argv": ["python3", "-c", program], "timeout_s": 50, "resources": {"disk_mb": 16}});
    for way in Way::of_tier("landlock") {
        let run = run_once(way, std::slice::from_ref(&episode));
        assert_limit(way, &run, "hides", "disk_limit", "the limit is 16 MB");
    }
}
