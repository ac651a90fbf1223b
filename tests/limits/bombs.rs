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
    assert_seen(include_str!(
        "programs/forbids_inspection_and_holds_memory.py"
    ));
}

#[test]
fn shared_memory_that_a_child_filled_counts_when_the_child_is_gone() {
    assert_seen(include_str!("programs/shared_memory_filled_by_a_child.py"));
}

#[test]
fn shared_memory_that_is_mapped_out_again_counts() {
    assert_seen(include_str!("programs/shared_memory_mapped_out.py"));
}

/// It is neither data nor, as long as nobody writes to it, what else a program can share.
#[test]
fn shared_memory_that_is_executable_counts() {
    assert_seen(include_str!("programs/executable_shared_memory.py"));
}

#[test]
fn page_tables_count() {
    // Reading fresh memory maps the one page of zeros, and every 2 MB of it take a page of tables.
    assert_seen(include_str!("programs/page_tables.py"));
}

#[test]
fn memory_that_is_handed_from_parent_to_child_counts() {
    assert_seen(include_str!(
        "programs/memory_handed_from_parent_to_child.py"
    ));
}

#[test]
fn a_large_program_that_starts_many_small_ones_does_not_count_twice() {
    // Between vfork and exec, a child has the memory of its parent.
    let program = include_str!("programs/starts_many_small_programs.py");
    everywhere(&[python("spawns", program, 320)], |way, run| {
        assert_ok(way, run, "spawns");
        assert_eq!(run.output("spawns"), "done\n", "{way:?}");
    });
}

#[test]
fn a_program_that_is_stopped_to_be_counted_goes_on_and_one_that_stopped_itself_does_not() {
    // Each of five processes maps the same 100 MB: more than the limit until they are counted.
    let program = include_str!("programs/one_child_stops_itself.py");
    everywhere(&[python("shares", program, 200)], |way, run| {
        assert_ok(way, run, "shares");
        assert_eq!(run.output("shares"), "(0, 0)\n", "{way:?}");
    });
}
