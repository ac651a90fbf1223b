//! What an episode may write.

use super::{assert_limit, assert_ok, everywhere, in_namespaces};
use serde_json::{Value, json};

fn pair(command: &str, small_mb: u64, large_mb: u64) -> [Value; 2] {
    let episode = |id: &str, disk_mb: u64| json!({"id": id, "command": command, "timeout_s": 120, "resources": {"disk_mb": disk_mb}});
    [episode("over", small_mb), episode("below", large_mb)]
}

#[test]
fn one_file_that_is_too_large_ends_in_disk_limit() {
    let command = "echo kept; head -c 20000000 /dev/zero > big && echo done";
    everywhere(&pair(command, 4, 64), |way, run| {
        assert_limit(way, run, "over", "disk_limit", "limit");
        assert!(
            run.error("over").contains("4 MB"),
            "{way:?}: {}",
            run.error("over")
        );
        assert_eq!(run.output("over").lines().next(), Some("kept"), "{way:?}");
        assert_ok(way, run, "below");
        assert_eq!(run.output("below"), "kept\ndone\n", "{way:?}");
    });
}

#[test]
fn many_files_that_are_too_large_together_end_in_disk_limit() {
    let command = "for i in $(seq 20); do head -c 1000000 /dev/zero > f$i || exit 1; done; sleep 4; echo done";
    everywhere(&pair(command, 4, 64), |way, run| {
        assert_limit(way, run, "over", "disk_limit", "the limit is 4 MB");
        assert_ok(way, run, "below");
        assert_eq!(run.output("below"), "done\n", "{way:?}");
    });
}

#[test]
fn all_places_that_can_be_written_count_together() {
    let command = "for d in /workspace /tmp /dev/shm $HOME; do head -c 1500000 /dev/zero > $d/f || exit 1; done; echo done";
    in_namespaces(&pair(command, 4, 64), |way, run| {
        assert_limit(way, run, "over", "disk_limit", "the limit is 4 MB");
        assert_ok(way, run, "below");
    });
}

#[test]
fn too_many_small_files_end_in_disk_limit() {
    let command = include_str!("programs/too_many_small_files.sh");
    everywhere(&pair(command, 4, 200), |way, run| {
        assert_limit(way, run, "over", "disk_limit", "no file could be added");
        assert_ok(way, run, "below");
        assert_eq!(run.output("below"), "done\n", "{way:?}");
    });
}

#[test]
fn what_an_episode_wrote_is_gone_before_the_next_one_writes() {
    let command = "[ -z \"$(ls -A)\" ] && head -c 3000000 /dev/zero > big && echo done";
    let episodes: Vec<Value> = (0..6)
        .map(|n| json!({"id": format!("{n}"), "command": command, "resources": {"disk_mb": 4}}))
        .collect();
    everywhere(&episodes, |way, run| {
        (0..6).for_each(|n| assert_ok(way, run, &n.to_string()));
    });
}

#[test]
fn a_program_that_fails_for_its_own_reasons_with_space_left_did_not_hit_the_disk_limit() {
    let episodes = [
        json!({"id": "fails", "command": "head -c 3000000 /dev/zero > f; exit 1", "resources": {"disk_mb": 4}}),
        json!({"id": "makes-room", "command": "head -c 20000000 /dev/zero > f; rm f; echo went on", "resources": {"disk_mb": 4}}),
    ];
    everywhere(&episodes, |way, run| {
        assert_eq!(run.status("fails"), "failed", "{way:?}");
    });
    in_namespaces(&episodes, |way, run| assert_ok(way, run, "makes-room"));
}

#[test]
fn without_namespaces_neither_a_removed_name_nor_a_deep_path_hides_what_is_written() {
    let unlinked = include_str!("programs/writes_and_unlinks.py");
    let deep = include_str!("programs/writes_below_a_deep_path.py");
    let episode = |id: &str, code: &str, disk_mb: u64| json!({"id": id, "argv": ["python3", "-c", code], "timeout_s": 120, "resources": {"disk_mb": disk_mb}});
    let episodes = [
        episode("over-unlinked", unlinked, 10),
        episode("below-unlinked", unlinked, 256),
        episode("over-deep", deep, 10),
    ];
    for way in crate::common::Way::of_tier("landlock") {
        let run = super::run_once(way, &episodes);
        assert_limit(way, &run, "over-unlinked", "disk_limit", "limit is 10 MB");
        assert_ok(way, &run, "below-unlinked");
        assert_limit(way, &run, "over-deep", "disk_limit", "limit is 10 MB");
    }
}

#[test]
fn without_namespaces_what_lies_in_closed_directories_counts_and_stays_closed() {
    // The same 20 MB in an ordinary directory, a closed one, and closed ones inside each other.
    let program = |make: &str, path: &str, close: &str| {
        format!(
            "python3 -c 'import os; {make}' && head -c 10M /dev/zero > {path}/one && \
             head -c 10M /dev/zero > {path}/two && python3 -c 'import os; {close}' && \
             sleep 4 && stat -c %a d && echo done"
        )
    };
    let plain = "os.mkdir(\"d\", 0o755)";
    let kinds = [
        ("ordinary", program(plain, "d", "pass"), "755"),
        (
            "unlisted",
            program("os.mkdir(\"d\", 0o300)", "d", "pass"),
            "300",
        ),
        ("closed", program(plain, "d", "os.chmod(\"d\", 0)"), "0"),
        (
            "unentered",
            program(plain, "d", "os.chmod(\"d\", 0o400)"),
            "400",
        ),
        (
            "nested",
            program(
                "os.makedirs(\"d/e\")",
                "d/e",
                "os.chmod(\"d/e\", 0); os.chmod(\"d\", 0)",
            ),
            "0",
        ),
    ];
    let mut episodes = Vec::new();
    for (kind, command, _) in &kinds {
        for (size, disk_mb) in [("over", 16), ("below", 64)] {
            episodes.push(
                json!({"id": format!("{size}-{kind}"), "command": command, "timeout_s": 120,
                                 "resources": {"disk_mb": disk_mb}}),
            );
        }
    }
    for way in crate::common::Way::of_tier("landlock") {
        // Most of the time they wait.
        let run = super::run(way, &super::lines(&episodes), &["--concurrency", "5"]);
        for (kind, _, mode) in &kinds {
            // Without a uid of its own an episode can't close a directory that it could write to.
            if !way.root && !["ordinary", "unlisted"].contains(kind) {
                continue;
            }
            let (over, below) = (format!("over-{kind}"), format!("below-{kind}"));
            assert_limit(way, &run, &over, "disk_limit", "the limit is 16 MB");
            assert_ok(way, &run, &below);
            assert_eq!(run.output(&below), format!("{mode}\ndone\n"), "{way:?}");
        }
    }
}

/// A process that can't be looked into may have as many files without a name as it has descriptors.
#[test]
fn without_namespaces_files_of_a_process_that_forbids_inspection_count() {
    let program = include_str!("programs/hides_files_and_forbids_inspection.py");
    let over = json!({"id": "over", "argv": ["python3", "-c", program], "timeout_s": 120, "resources": {"disk_mb": 16}});
    let agent = include_str!("programs/forbids_inspection_with_few_files.py");
    let few = json!({"id": "few", "argv": ["python3", "-c", agent], "resources": {"disk_mb": 16}});
    for way in crate::common::Way::of_tier("landlock") {
        let run = super::run_once(way, &[over.clone(), few.clone()]);
        assert_limit(way, &run, "over", "disk_limit", "forbid inspection");
        assert_ok(way, &run, "few");
    }
}

/// It would take any amount at once, where the limit is watched.
#[test]
fn without_namespaces_space_is_taken_by_writing() {
    let program = include_str!("programs/takes_space_without_writing.py");
    let episode = json!({"id": "asks", "argv": ["python3", "-c", program]});
    for way in crate::common::Way::of_tier("landlock") {
        let run = super::run_once(way, std::slice::from_ref(&episode));
        assert_eq!(
            run.output("asks"),
            "[-1, -1, -1]\n[95] 0\n1048576\n",
            "{way:?}"
        );
    }
}

#[test]
fn a_file_that_grows_by_appends_ends_in_disk_limit() {
    let command = "head -c 100000 /dev/zero > part; for i in $(seq 200); do cat part >> log || exit 1; done; echo done";
    everywhere(&pair(command, 4, 64), |way, run| {
        assert_limit(way, run, "over", "disk_limit", "limit");
        assert_ok(way, run, "below");
        assert_eq!(run.output("below"), "done\n", "{way:?}");
    });
}

#[test]
fn without_namespaces_a_timeout_holds_however_long_the_tree_takes_to_count() {
    // Directories that take long to get to, because a path may have 2,000 parts.
    let program = "import os\n\
        for i in range(1990): os.mkdir('d'); os.chdir('d')\n\
        for i in range(10000): os.mkdir(str(i))";
    let steps = json!([
        {"argv": ["python3", "-c", program], "timeout_s": 600},
        {"argv": ["sleep", "60"], "timeout_s": 1},
    ]);
    let episode = json!({"id": "deep", "steps": steps, "resources": {"disk_mb": 1024}});
    for way in crate::common::Way::of_tier("landlock") {
        let run = super::run_once(way, std::slice::from_ref(&episode));
        let result = &run.get("deep")["steps"][1];
        assert_eq!(result["status"], "timeout", "{way:?}: {result}");
        let wall_ms = result["wall_ms"].as_f64().unwrap();
        assert!(wall_ms < 5000.0, "{way:?}: {result}");
    }
}

/// Most file systems never make a directory smaller again.
#[test]
fn a_directory_that_grew_does_not_count_against_the_next_episode() {
    let fills = "import os\nfor i in range(10000): os.close(os.open('%0240d' % i, os.O_CREAT))";
    let small = |id: &str, command: &str| json!({"id": id, "command": command, "resources": {"disk_mb": 2}});
    let jobs = super::lines(&[
        json!({"id": "fills", "argv": ["python3", "-c", fills], "timeout_s": 600}),
        small("writes", "echo x > y; sleep 2; stat -c %s ."),
        small("fails", "exit 1"),
    ]);
    for way in crate::common::Way::of_tier("landlock") {
        let run = super::run(way, &jobs, &["--concurrency", "1", "--ordered"]);
        for id in ["fills", "writes"] {
            assert_ok(way, &run, id);
        }
        let size: u64 = run.output("writes").trim().parse().expect("a number");
        assert!(size <= 4096, "{way:?}: {size}");
        assert_eq!(run.status("fails"), "failed", "{way:?}");
    }
}

#[test]
fn without_namespaces_a_deep_tree_counts_like_any_other() {
    // In which order directories are counted is up to the file system: into the first, or the last, of those beside it.
    let program = include_str!("programs/two_deep_trees.py");
    let episode = |id: &str, mb: &str| json!({"id": id, "argv": ["python3", "-c", program, mb], "timeout_s": 120, "resources": {"disk_mb": 16}});
    let failing = program.replace("time.sleep(4)", "os._exit(3)");
    let fails = json!({"id": "fails", "argv": ["python3", "-c", failing, "1"]});
    for way in crate::common::Way::of_tier("landlock") {
        let run = super::run_once(
            way,
            &[episode("over", "10"), episode("below", "1"), fails.clone()],
        );
        assert_limit(way, &run, "over", "disk_limit", "the limit is 16 MB");
        assert_ok(way, &run, "below");
        assert_eq!(run.status("fails"), "failed", "{way:?}");
    }
}
