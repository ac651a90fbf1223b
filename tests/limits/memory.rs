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
    let program = include_str!("programs/huge_pages.py");
    everywhere(&pair(program, 64, 512), |way, run| {
        assert_pair(way, run, 64, 150.0);
    });
}

#[test]
fn a_process_that_holds_too_much_memory_is_ended() {
    let program = include_str!("programs/hog.py");
    everywhere(&pair(program, 64, 512), |way, run| {
        assert_pair(way, run, 64, 150.0);
    });
}

#[test]
fn memory_is_that_of_the_whole_tree_each_with_its_own_copy_of_what_fork_shared() {
    // No process alone is over the limit.
    let program = include_str!("programs/copies_of_what_fork_shared.py");
    everywhere(&pair(program, 120, 512), |way, run| {
        assert_pair(way, run, 120, 150.0);
    });
}

#[test]
fn memory_that_fork_shares_counts_once() {
    let program = include_str!("programs/shared_by_fork.py");
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
    let program = include_str!("programs/shared_anonymous_memory.py");
    everywhere(&pair(program, 64, 512), |way, run| {
        assert_pair(way, run, 64, 150.0);
    });
}

#[test]
fn shared_anonymous_memory_of_a_tree_counts_once() {
    let program = include_str!("programs/shared_anonymous_memory_of_a_tree.py");
    everywhere(&pair(program, 64, 250), |way, run| {
        assert_pair(way, run, 64, 100.0);
    });
}

/// What the machine has of shared memory bounds what such a mapping can hold, and other tests have some.
#[test]
fn shared_anonymous_memory_that_was_never_touched_does_not_count() {
    let program = include_str!("programs/untouched_shared_memory.py");
    let episode =
        json!({"id": "a", "argv": ["python3", "-c", program], "resources": {"memory_mb": 5632}});
    everywhere(&[episode], |way, run| assert_ok(way, run, "a"));
}

/// Nobody has them mapped in: the child that filled them has ended, and those of the parent were given up.
#[test]
fn shared_anonymous_memory_counts_when_no_process_has_its_pages() {
    let program = include_str!("programs/shared_anonymous_memory_in_no_process.py");
    everywhere(&pair(program, 64, 512), |way, run| {
        assert_pair(way, run, 64, 150.0);
    });
}

#[test]
fn files_in_tmp_and_dev_shm_count_as_memory() {
    for place in ["/tmp/hog", "/dev/shm/hog", "/workspace/hog"] {
        let episodes = pair(include_str!("programs/writes_a_file.py"), 64, 512);
        let episodes = episodes.map(|mut episode| {
            let argv = episode["argv"].as_array_mut().expect("an array");
            argv.push(place.into());
            episode
        });
        in_namespaces(&episodes, |way, run| assert_pair(way, run, 64, 150.0));
    }
}

#[test]
fn system_v_shared_memory_counts_even_when_no_process_has_it_mapped() {
    let program = include_str!("programs/system_v_shared_memory.py");
    in_namespaces(&pair(program, 64, 512), |way, run| {
        assert_pair(way, run, 64, 150.0);
    });
}

#[test]
fn system_v_objects_that_an_episode_leaves_are_gone_before_the_next_one() {
    // Readable by nobody, with a key that the next one asks for.
    let program = include_str!("programs/leaves_system_v_objects.py");
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
        (0..4).for_each(|n| assert_ok(way, run, &n.to_string()));
    });
}

#[test]
fn what_is_in_the_buffers_of_sockets_counts_and_idle_sockets_do_not() {
    // Asking for larger buffers changes nothing.
    let program = include_str!("programs/fills_buffers_of_sockets.py");
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
    let program = include_str!("programs/asks_for_larger_buffers.py");
    let episodes = [json!({"id": "asks", "argv": ["python3", "-c", program]})];
    everywhere(&episodes, |way, run| {
        assert_ok(way, run, "asks");
        assert_eq!(run.output("asks"), "True\n1\n", "{way:?}");
    });
}
