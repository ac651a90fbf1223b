//! Two episodes at the same time, in two slots, share no object by name or key; inside one, all of it works.

use crate::common::{NOBODY, Way, scratch};
use crate::episodes::{output_of, outside, python_with, run_all};

/// What each of the two does: `make()` and, in the other, once that is done, `find()`, which says what it got.
const MEETING: &str = include_str!("../programs/meeting.py");

/// Two episodes, two slots, one granted directory to meet in; then two programs outside.
fn assert_apart(make_and_find: &str) {
    let code = format!("{MEETING}{make_and_find}\nmain()\n");
    let episode = |meeting: &str, role: &str| python_with(role, &code, &[meeting, role]);
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
    assert_apart(include_str!("../programs/system_v_shared_memory.py"));
}

#[test]
fn a_semaphore_of_system_v_is_not_seen_by_another_slot() {
    assert_apart(include_str!("../programs/system_v_semaphore.py"));
}

#[test]
fn a_message_queue_of_system_v_is_not_seen_by_another_slot() {
    assert_apart(include_str!("../programs/system_v_message_queue.py"));
}

#[test]
fn shared_memory_of_posix_is_not_seen_by_another_slot() {
    assert_apart(include_str!("../programs/posix_shared_memory.py"));
}

#[test]
fn a_semaphore_of_posix_is_not_seen_by_another_slot() {
    assert_apart(include_str!("../programs/posix_semaphore.py"));
}

#[test]
fn a_message_queue_of_posix_is_not_seen_by_another_slot() {
    assert_apart(include_str!("../programs/posix_message_queue.py"));
}

/// Descriptors travel over connected sockets only (unix(7), SCM_RIGHTS): no connection, no descriptor.
#[test]
fn no_descriptor_can_be_passed_to_another_slot() {
    for address in ["'\\0runner-test-rights'", "'/tmp/runner-test-rights'"] {
        let passes = include_str!("../programs/passes_a_descriptor.py");
        assert_apart(&format!("address = {address}\n{passes}"));
    }
}

/// What tmux, multiprocessing and asyncio need.
#[test]
fn unix_sockets_pipes_and_passed_descriptors_work_inside_an_episode() {
    let code = include_str!("../programs/unix_sockets_and_pipes.py");
    for way in Way::all() {
        let names: &[&str] = if way.namespaces() { &["named"] } else { &[] };
        let talks = python_with("e", code, names);
        assert_eq!(output_of(way, &talks), "works\n", "{way:?}");
    }
}
