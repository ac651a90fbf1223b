//! Programs that try to break the slot, or to be given a verdict that is not theirs.

use crate::common::Way;
use crate::episodes::{RAW_CALLS, python, python_with, run_in_turn, shell, with};
use serde_json::{Value, json};

/// Runs a hostile episode between two harmless ones in one slot: it gets a verdict of its own at once, and the
/// others are none the worse.
#[track_caller]
fn verdicts(hostile: Value) -> Vec<(Way, Value)> {
    let hostile = with(hostile, json!({"id": "hostile"}));
    let mut results = Vec::new();
    for way in Way::all() {
        let run = run_in_turn(
            way,
            &[
                shell("before", "echo fine"),
                hostile.clone(),
                shell("after", "echo fine"),
            ],
        );
        let result = run.get("hostile").clone();
        assert_ne!(result["status"], "infra_error", "{way:?}: {result}");
        assert_eq!(result["attempts"], 1, "{way:?}: {result}");
        assert_eq!(run.output("after"), "fine\n", "{way:?}");
        assert_eq!(
            run.get("after")["attempts"],
            1,
            "{way:?}: {}",
            run.get("after")
        );
        results.push((way, result));
    }
    results
}

#[test]
fn a_process_cloned_beside_its_parent_does_not_cost_the_verdict() {
    let clones = include_str!("programs/clones_beside_its_parent.py");
    let code = format!("{RAW_CALLS}{clones}");
    let number = libc::SYS_clone.to_string();
    for (way, result) in verdicts(python_with("", &code, &[&number])) {
        assert_eq!(result["status"], "ok", "{way:?}: {result}");
    }
}

#[test]
fn a_fork_storm_at_the_end_does_not_outrun_the_clean_up() {
    let code = include_str!("programs/fork_storm.py");
    for (way, result) in verdicts(python("", code)) {
        assert_eq!(result["status"], "ok", "{way:?}: {result}");
    }
}

/// posix_spawn waits in the kernel for the child's exec (vfork(2)), unkillable until then.
#[test]
fn a_vfork_storm_at_the_end_does_not_outrun_the_clean_up() {
    let code = include_str!("programs/vfork_storm.py");
    for (way, result) in verdicts(python("", code)) {
        assert_eq!(result["status"], "ok", "{way:?}: {result}");
    }
}

#[test]
fn processes_that_exhaust_the_limit_and_stop_themselves_are_cleared_away() {
    let code = include_str!("programs/uses_up_its_processes_and_stops_them.py");
    for (way, result) in verdicts(python("", code)) {
        let made: u32 = result["output"].as_str().unwrap().trim().parse().unwrap();
        // Without a uid of its own the limit leaves room for what else the user runs.
        assert!(made >= 60 && (!way.root || made <= 64), "{way:?}: {made}");
    }
}

#[test]
fn twenty_thousand_files_are_a_verdict_and_are_gone() {
    let code = include_str!("programs/twenty_thousand_files.py");
    for (way, result) in verdicts(with(python("", code), json!({"resources": {"disk_mb": 8}}))) {
        if way.namespaces() {
            assert_eq!(result["status"], "disk_limit", "{way:?}: {result}");
        }
    }
}

#[test]
fn unlinked_open_files_and_detached_mappings_are_freed() {
    let code = include_str!("programs/unlinked_files_and_a_mapping.py");
    for (way, result) in verdicts(python("", code)) {
        assert_eq!(result["status"], "ok", "{way:?}: {result}");
    }
}

#[test]
fn a_fifo_named_as_an_input_or_collected_file_does_not_hang() {
    let steps = json!([
        {"command": "mkfifo pipe; mkfifo target", "on_failure": "continue"},
        {"command": "true", "files": {"target": "x"}, "on_failure": "continue"},
        {"command": "echo x > kept"},
    ]);
    for (way, result) in verdicts(json!({"steps": steps, "collect": ["*"]})) {
        assert!(
            result["files"]
                .as_object()
                .is_some_and(|f| f.contains_key("kept") && !f.contains_key("pipe")),
            "{way:?}: {result}"
        );
    }
}

#[test]
fn deleting_and_renaming_the_sandboxes_directories_changes_nothing_for_the_next() {
    verdicts(shell(
        "",
        include_str!("programs/removes_and_renames_its_directories.sh"),
    ));
}

#[test]
fn a_working_directory_that_became_a_link_is_not_followed_out_of_the_sandbox() {
    let steps = json!([
        {"command": "cd ..; rm -rf sub; ln -s /root sub", "workdir": "/workspace/sub"},
        {"command": "pwd -P", "workdir": "/workspace/sub", "on_failure": "continue"},
        {"command": "echo x > f", "workdir": "/workspace/sub/deeper", "on_failure": "continue"},
    ]);
    verdicts(json!({"steps": steps}));
}

#[test]
fn output_without_end_is_cut_and_ended() {
    for (way, result) in verdicts(shell("", "yes | head -c 100000000; exec sleep 0")) {
        assert!(result["truncated"].as_bool().unwrap(), "{way:?}");
        assert!(
            result["output"].as_str().unwrap().len() <= (1 << 20) + 64,
            "{way:?}"
        );
    }
}

#[test]
fn a_program_that_closes_its_output_still_runs_to_its_end() {
    for (way, result) in verdicts(shell("", "exec >&- 2>&- <&-; sleep 0.2; exit 7")) {
        assert_eq!(result["exit_code"], 7, "{way:?}: {result}");
    }
}

#[test]
fn a_program_that_ignores_every_signal_ends_at_its_timeout() {
    let code = include_str!("programs/ignores_every_signal.py");
    for (way, result) in verdicts(with(python("", code), json!({"timeout_s": 2}))) {
        assert_eq!(result["status"], "timeout", "{way:?}: {result}");
        assert_eq!(result["output"], "up\n", "{way:?}");
    }
}

#[test]
fn arguments_and_environments_beyond_what_exec_takes_are_not_our_failure() {
    let mut many = vec!["/bin/true".to_owned()];
    many.extend((0..30_000).map(|i| format!("argument-{i:0100}")));
    let environment: serde_json::Map<_, _> = (0..100)
        .map(|i| (format!("V{i}"), Value::from("x".repeat(60_000))))
        .collect();
    for way in Way::all() {
        let episodes = [
            json!({"id": "one", "argv": ["/bin/echo", "x".repeat(200_000)]}),
            json!({"id": "many", "argv": many}),
            json!({"id": "env", "argv": ["/bin/true"], "env": environment}),
            shell("after", "echo fine"),
        ];
        let run = run_in_turn(way, &episodes);
        for id in ["one", "many", "env"] {
            assert!(
                matches!(run.status(id), "failed" | "invalid"),
                "{way:?}: {}",
                run.get(id)
            );
        }
        assert_eq!(run.output("after"), "fine\n", "{way:?}");
    }
}

#[test]
fn limits_can_not_be_raised_from_inside() {
    let code = include_str!("programs/raises_its_limits.py");
    for (way, result) in verdicts(python("", code)) {
        assert_eq!(result["output"], "", "{way:?}: {result}");
    }
}

/// Without a uid of its own per slot nothing but the secrecy of its directory's name keeps another slot's files
/// from chmod(2), which Landlock does not cover; inotify(7), which it does not cover either, tells the name.
#[test]
fn an_episode_can_not_spoil_another_one_that_runs_beside_it() {
    let spy = include_str!("programs/spoils_another_slots_directory.py");
    for way in Way::all() {
        let victim = "for i in 1 2 3 4 5 6 7 8 9; do sleep 0.25; echo x > file || exit 1; done";
        let episodes = [python("spy", spy), shell("victim", victim)];
        let run = crate::episodes::run_all(way, &episodes, &["--concurrency", "2"]);
        assert!(
            !run.output("spy").contains("spoiled"),
            "{way:?}: {}",
            run.output("spy")
        );
        assert_eq!(run.status("victim"), "ok", "{way:?}: {}", run.get("victim"));
    }
}

#[test]
fn a_tree_of_three_thousand_levels_does_not_cost_the_verdict() {
    let code = "import os\nfor i in range(3000): os.mkdir('d'); os.chdir('d')\nprint('deep')";
    for (way, result) in verdicts(python("deep", code)) {
        // Without namespaces a tree that no path can measure counts as over the disk limit.
        let measured = way.namespaces() || result["status"] != "disk_limit";
        assert!(
            !measured || result["output"] == "deep\n",
            "{way:?}: {result}"
        );
    }
}
