//! Wall clock and CPU time.

use super::{assert_limit, assert_ok, everywhere, lines, number, number_after, run};
use crate::common::Way;
use serde_json::{Value, json};

/// Burns this much CPU time of its own process, in Python.
const BURN: &str = include_str!("programs/burn.py");

/// How a process gets a core only where nobody else wants it, in Python.
const LOWEST: &str = include_str!("programs/lowest.py");

fn python(id: &str, program: &str, resources: Value) -> Value {
    json!({"id": id, "argv": ["python3", "-c", format!("{BURN}{program}")], "resources": resources, "timeout_s": 120})
}

#[test]
fn a_program_that_outlasts_its_timeout_is_ended_and_what_it_printed_is_returned() {
    let slow = "echo kept; sleep 6; echo done";
    let stubborn = include_str!("programs/ignores_signals.py");
    // Ends by itself only where it has the time: a loop of some seconds.
    let busy =
        "trap '' TERM INT HUP; echo kept; while :; do [ $SECONDS -lt 6 ] || break; done; echo done";
    // Its child is in another session and holds the output open.
    let detached = "setsid sleep 6 & echo kept; wait; echo done";
    let mut episodes = Vec::new();
    for (id, timeout_s) in [("short", 4.0), ("long", 120.0)] {
        episodes
            .push(json!({"id": format!("{id}-shell"), "command": slow, "timeout_s": timeout_s}));
        episodes
            .push(json!({"id": format!("{id}-stubborn"), "argv": ["python3", "-c", stubborn], "timeout_s": timeout_s}));
        episodes.push(
            json!({"id": format!("{id}-detached"), "command": detached, "timeout_s": timeout_s}),
        );
        episodes.push(json!({"id": format!("{id}-busy"), "command": busy, "timeout_s": timeout_s}));
    }
    for way in Way::all() {
        // All at once: most of them wait.
        let run = &run(way, &lines(&episodes), &["--concurrency", "8"]);
        for kind in ["shell", "stubborn", "detached", "busy"] {
            let id = format!("short-{kind}");
            let result = run.get(&id);
            assert_eq!(result["status"], "timeout", "{way:?}: {result}");
            assert_eq!(result["fault"], "limit", "{way:?}: {result}");
            assert_eq!(result["exit_code"], 124, "{way:?}: {result}");
            assert_eq!(result["output"], "kept\n", "{way:?}: {result}");
            let took_ms = number(run, &id, "wall_ms") + number(run, &id, "startup_ms");
            assert!((3950.0..30_000.0).contains(&took_ms), "{way:?}: {result}");
            let id = format!("long-{kind}");
            assert_ok(way, run, &id);
            assert_eq!(run.output(&id), "kept\ndone\n", "{way:?}");
        }
    }
}

/// One process at a time may change or read what is mapped. Some at the lowest priority hold that lock for as long as others keep
/// them from getting a core, and who looks at their memory waits.
#[test]
fn processes_that_get_no_core_do_not_put_off_their_timeout() {
    let program = format!(
        "{LOWEST}{}",
        include_str!("programs/holds_locks_without_a_core.py")
    );
    let episode = json!({"id": "holds", "argv": ["python3", "-c", program], "timeout_s": 3});
    everywhere(&[episode], |way, run| {
        let result = run.get("holds");
        assert_eq!(result["status"], "timeout", "{way:?}: {result}");
        assert_eq!(result["attempts"], 1, "{way:?}: {result}");
        let wall_ms = result["wall_ms"].as_f64().unwrap();
        assert!(wall_ms < 20_000.0, "{way:?}: {result}");
    });
}

/// A program at the lowest priority takes its time to end where what an earlier step has left running uses up the cores.
#[test]
fn a_step_whose_program_gets_no_core_to_end_on_is_a_timeout() {
    let leaves = include_str!("programs/leaves_what_uses_up_the_cores.py");
    let large = format!(
        "{LOWEST}{}",
        include_str!("programs/is_large_and_gets_no_core.py")
    );
    let steps = json!([
        {"argv": ["python3", "-c", leaves], "timeout_s": 60},
        {"argv": ["python3", "-c", large], "timeout_s": 4, "on_failure": "continue"},
        {"command": "echo next", "timeout_s": 60},
    ]);
    let episode = json!({"id": "large", "steps": steps, "resources": {"memory_mb": 2048}});
    everywhere(&[episode], |way, run| {
        let result = run.get("large");
        assert_eq!(result["attempts"], 1, "{way:?}: {result}");
        let steps = &result["steps"];
        assert_eq!(steps[1]["status"], "timeout", "{way:?}: {result}");
        let wall_ms = steps[1]["wall_ms"].as_f64().unwrap();
        assert!(wall_ms < 30_000.0, "{way:?}: {result}");
        assert_eq!(steps[2]["output"], "next\n", "{way:?}: {result}");
    });
}

#[test]
fn the_timeout_of_the_command_line_holds_for_episodes_that_name_none() {
    for way in crate::common::Way::all() {
        let jobs = "{\"id\": \"none\", \"command\": \"sleep 1\"}\n\
                    {\"id\": \"own\", \"command\": \"sleep 1\", \"timeout_s\": 60}\n";
        let run = run(way, jobs, &["--timeout-s", "0.3"]);
        assert_eq!(run.status("none"), "timeout", "{way:?}");
        assert_eq!(run.status("own"), "ok", "{way:?}");
    }
}

#[test]
fn a_process_that_uses_up_its_cpu_time_is_ended() {
    // What it may use before anybody looks is no matter here, only that it does not come to its end.
    let program = "print('kept', flush=True)\nburn(0.8)\nprint('done')";
    let episodes = [
        python("over", program, json!({"cpu_time_s": 0.2})),
        python("below", program, json!({"cpu_time_s": 10})),
        python("none", program, json!({})),
    ];
    everywhere(&episodes, |way, run| {
        assert_limit(way, run, "over", "cpu_limit", "the limit is 0.2 s");
        assert!(
            number_after(run.error("over"), "used") >= 0.2,
            "{way:?}: {}",
            run.error("over")
        );
        // The message is rounded.
        let cpu_ms = number(run, "over", "cpu_ms");
        assert!(cpu_ms > 200.0, "{way:?}: {cpu_ms}");
        assert_eq!(run.output("over"), "kept\n", "{way:?}");
        assert_eq!(run.get("over")["exit_code"], 137, "{way:?}");
        assert!(
            (190.0..800.0).contains(&number(run, "over", "cpu_ms")),
            "{way:?}: {}",
            run.get("over")
        );
        for id in ["below", "none"] {
            assert_ok(way, run, id);
            assert_eq!(run.output(id), "kept\ndone\n", "{way:?}");
            assert!(
                number(run, id, "cpu_ms") >= 800.0,
                "{way:?}: {}",
                run.get(id)
            );
        }
    });
}

#[test]
fn cpu_time_is_that_of_the_whole_tree_even_of_processes_that_have_ended() {
    // At once, one after the other, and as daemons whose parent ended before them.
    let together = include_str!("programs/burns_in_children_at_once.py");
    let in_turn = include_str!("programs/burns_in_children_in_turn.py");
    let daemons = include_str!("programs/burns_in_daemons.py");
    let kinds = [
        ("together", together),
        ("in-turn", in_turn),
        ("daemons", daemons),
    ];
    let mut episodes = Vec::new();
    for (kind, program) in kinds {
        episodes.push(python(
            &format!("over-{kind}"),
            program,
            json!({"cpu_time_s": 0.3}),
        ));
        episodes.push(python(
            &format!("below-{kind}"),
            program,
            json!({"cpu_time_s": 10}),
        ));
    }
    everywhere(&episodes, |way, run| {
        for (kind, _) in kinds {
            assert_limit(
                way,
                run,
                &format!("over-{kind}"),
                "cpu_limit",
                "the limit is 0.3 s",
            );
            let below = format!("below-{kind}");
            assert_ok(way, run, &below);
            assert!(
                number(run, &below, "cpu_ms") >= 600.0,
                "{way:?}: {}",
                run.get(&below)
            );
        }
    });
}

#[test]
fn waiting_uses_no_cpu_time() {
    let episodes =
        [json!({"id": "waits", "argv": ["sleep", "1"], "resources": {"cpu_time_s": 0.2}})];
    everywhere(&episodes, |way, run| {
        assert_ok(way, run, "waits");
        assert!(number(run, "waits", "cpu_ms") < 200.0, "{way:?}");
    });
}

#[test]
fn a_timeout_that_strikes_before_the_program_runs_ends_it_all_the_same() {
    let episodes: Vec<Value> = (0..60)
        .map(|n| json!({"id": format!("e{n}"), "argv": ["sleep", "20"], "timeout_s": 0.001}))
        .chain([json!({"id": "long enough", "argv": ["sleep", "0.1"], "timeout_s": 20})])
        .collect();
    everywhere(&episodes, |way, run| {
        assert_ok(way, run, "long enough");
        for (id, result) in run.results.iter().filter(|(id, _)| *id != "long enough") {
            assert_eq!(result["status"], "timeout", "{way:?}: {id}: {result}");
            assert!(number(run, id, "wall_ms") < 15_000.0, "{way:?}: {result}");
        }
    });
}

#[test]
fn the_steps_of_an_episode_share_its_cpu_time() {
    let step = json!({"argv": ["python3", "-c", format!("{BURN}burn(0.4)")]});
    let episode = |id: &str, limit: f64| json!({"id": id, "steps": [step, step, step], "resources": {"cpu_time_s": limit}, "timeout_s": 120});
    everywhere(
        &[episode("over", 0.7), episode("below", 20.0)],
        |way, run| {
            assert_limit(way, run, "over", "cpu_limit", "the limit is 0.7 s");
            assert_eq!(
                run.get("over")["steps"].as_array().unwrap().len(),
                2,
                "{way:?}"
            );
            assert_ok(way, run, "below");
        },
    );
}

/// A process of another group keeps putting new children into the program's: the program, which goes last, goes all the same.
#[test]
fn a_step_ends_at_its_timeout_however_fast_its_group_grows() {
    let source = include_str!("programs/grows.c");
    let steps = json!([
        {"command": "cc -o grows grows.c 2>/dev/null", "files": {"grows.c": source}},
        {"argv": ["./grows"], "timeout_s": 4, "on_failure": "continue"},
        {"argv": ["true"], "timeout_s": 60},
    ]);
    let episode = json!({"id": "grows", "steps": steps, "resources": {"processes": 1024}});
    for way in Way::all().into_iter().filter(|way| way.namespaces()) {
        let run = run(
            way,
            &lines(std::slice::from_ref(&episode)),
            &["--retries", "0"],
        );
        let step = &run.get("grows")["steps"][1];
        assert_eq!(step["status"], "timeout", "{way:?}: {}", run.get("grows"));
        let wall_ms = step["wall_ms"].as_f64().unwrap();
        assert!(wall_ms < 15_000.0, "{way:?}: {step}");
    }
}
