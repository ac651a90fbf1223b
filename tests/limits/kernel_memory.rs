//! Memory of the kernel's that belongs to no process counts as the program's.

use super::{assert_limit, assert_ok, everywhere, in_namespaces};
use serde_json::{Value, json};

/// A program that says "kept", takes what has to count, and says "done" when it has kept that for so long as REST says.
fn pair(program: &str, small_mb: u64) -> [Value; 2] {
    // What is over the limit is ended, however late it is seen.
    let episode = |id: &str, memory_mb: u64| {
        let rest = if id == "over" { "60" } else { "0.5" };
        json!({"id": id, "argv": ["python3", "-c", program], "timeout_s": 120, "env": {"REST": rest},
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
        assert_pair(way, run, small_mb);
    });
}

fn assert_counts_in_namespaces(program: &str, small_mb: u64) {
    in_namespaces(&pair(program, small_mb), |way, run| {
        assert_pair(way, run, small_mb);
    });
}

/// Some 200 bytes for each.
#[test]
fn descriptors_that_epolls_watch_count() {
    assert_counts(include_str!("programs/many_epolls.py"), 40);
}

/// Some 256 bytes for each.
#[test]
fn mappings_count() {
    assert_counts(include_str!("programs/many_mappings.py"), 48);
}

/// A fork of a fork of a fork: each has 64 bytes for each mapping and each process before it.
#[test]
fn mappings_count_for_each_process_that_they_were_handed_down_from() {
    assert_counts_in_namespaces(include_str!("programs/mappings_handed_down.py"), 90);
}

#[test]
fn files_without_content_count() {
    assert_counts_in_namespaces(include_str!("programs/many_empty_files.py"), 48);
}

#[test]
fn connections_that_are_never_accepted_count() {
    assert_counts_in_namespaces(include_str!("programs/connections_never_accepted.py"), 48);
}

#[test]
fn pipes_count_where_there_are_many() {
    assert_counts(include_str!("programs/many_pipes.py"), 80);
}

/// In the landlock tier the process can't be looked into; what it has open counts as the most that it can be, and may be files
/// as well.
#[test]
fn the_sockets_of_a_process_that_forbids_inspection_count() {
    let program = include_str!("programs/forbids_inspection_and_fills_sockets.py");
    let [mut over, below] = pair(program, 48);
    over["resources"]["disk_mb"] = 8000.into();
    everywhere(&[over, below], |way, run| {
        if way.namespaces() {
            assert_pair(way, run, 48);
        } else {
            assert_limit(way, run, "over", "memory_limit", "the limit is 48 MB");
            assert_limit(way, run, "below", "disk_limit", "forbid inspection");
        }
    });
}

#[test]
fn open_files_count_where_there_are_very_many() {
    assert_counts_in_namespaces(include_str!("programs/many_open_files.py"), 64);
}

#[test]
fn what_waits_in_connections_of_its_own_network_counts() {
    let program = include_str!("programs/fills_connections_of_its_own_network.py");
    let episodes = pair(program, 64).map(|mut episode| {
        episode["network"] = "loopback".into();
        episode
    });
    in_namespaces(&episodes, |way, run| assert_pair(way, run, 64));
}

/// A look at it takes long, and the program sees to it that it does: its timeout holds all the same.
#[test]
fn a_program_with_very_many_mappings_does_not_put_off_its_timeout() {
    let program = include_str!("programs/very_many_mappings.py");
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
    let program = include_str!("programs/very_many_descriptors.py");
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
    let program = include_str!("programs/undoes_semaphores.py");
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
