//! Several executions in one sandbox.

use super::{assert_ok, everywhere, lines};
use crate::common::{Run, Way, run};
use serde_json::{Value, json};

#[track_caller]
fn steps<'a>(run: &'a Run, id: &str) -> &'a Vec<Value> {
    run.get(id)["steps"]
        .as_array()
        .unwrap_or_else(|| panic!("no steps in {}", run.get(id)))
}

fn statuses(run: &Run, id: &str) -> Vec<String> {
    steps(run, id)
        .iter()
        .map(|step| step["status"].as_str().expect("a string").to_owned())
        .collect()
}

#[test]
fn steps_run_in_order_until_one_fails_unless_it_says_to_continue() {
    let episodes = [
        json!({"id": "all", "steps": [{"command": "echo 1"}, {"command": "echo 2"}, {"argv": ["echo", "3"]}]}),
        json!({"id": "stop", "steps": [{"command": "echo 1"}, {"command": "echo 2; exit 5"}, {"command": "echo 3"}]}),
        json!({"id": "stop-said", "steps": [{"command": "kill -9 $$", "on_failure": "stop"}, {"command": "echo 2"}]}),
        json!({"id": "continue", "steps": [{"command": "echo 1; exit 4", "on_failure": "continue"}, {"command": "echo 2"}]}),
        json!({"id": "last", "steps": [{"command": "echo 1"}, {"command": "echo 2; exit 6", "on_failure": "continue"}]}),
        json!({"id": "one", "steps": [{"command": "echo 1"}]}),
    ];
    everywhere(&episodes, |way, run| {
        let expected: [(&str, &str, i64, &str, &[&str]); 6] = [
            ("all", "ok", 0, "3\n", &["ok", "ok", "ok"]),
            ("stop", "failed", 5, "2\n", &["ok", "failed"]),
            ("stop-said", "signaled", 137, "", &["signaled"]),
            ("continue", "ok", 0, "2\n", &["failed", "ok"]),
            ("last", "failed", 6, "2\n", &["ok", "failed"]),
            ("one", "ok", 0, "1\n", &["ok"]),
        ];
        for (id, status, exit_code, output, each) in expected {
            // The verdict is that of the last step that ran.
            let result = run.get(id);
            assert_eq!(result["status"], status, "{way:?}: {result}");
            assert_eq!(result["exit_code"], exit_code, "{way:?}: {result}");
            assert_eq!(result["output"], output, "{way:?}: {result}");
            assert_eq!(statuses(run, id), each, "{way:?}: {result}");
        }
        assert_eq!(steps(run, "all")[1]["output"], "2\n", "{way:?}");
        assert_eq!(steps(run, "stop")[1]["exit_code"], 5, "{way:?}");
    });
}

#[test]
fn files_persist_from_step_to_step_and_settings_do_not() {
    let episodes = [
        json!({"id": "e", "env": {"WHO": "episode"}, "files": {"first.txt": "before all\n"}, "steps": [
            {"command": "cat first.txt; echo made > made.txt; echo $WHO", "env": {"WHO": "step"}},
            {"command": "cat made.txt second.txt; echo $WHO", "files": {"second.txt": "before this\n"}},
            {"command": "pwd; cat ../made.txt; cat", "workdir": "/workspace/sub", "stdin": "own input\n"},
            {"command": "ls; cat"},
        ]}),
    ];
    everywhere(&episodes, |way, run| {
        assert_ok(way, run, "e");
        let output = |i: usize| steps(run, "e")[i]["output"].as_str().expect("a string");
        assert_eq!(output(0), "before all\nstep\n", "{way:?}");
        assert_eq!(output(1), "made\nbefore this\nepisode\n", "{way:?}");
        assert!(
            output(2).ends_with("/sub\nmade\nown input\n"),
            "{way:?}: {}",
            output(2)
        );
        assert_eq!(
            output(3),
            "first.txt\nmade.txt\nsecond.txt\nsub\n",
            "{way:?}"
        );
    });
}

/// A process that goes on counting in a file.
const COUNTER: &str = include_str!("programs/leaves_a_counter.sh");

/// Succeeds when something still counts.
const COUNTS: &str = include_str!("programs/is_still_counting.sh");

#[test]
fn what_a_step_leaves_in_the_background_lives_until_the_episode_ends() {
    let episodes = [
        json!({"id": "alive", "steps": [{"command": COUNTER}, {"command": "echo between"}, {"command": COUNTS}]}),
        json!({"id": "never-started", "steps": [{"command": "echo 0 > count"}, {"command": "echo between"}, {"command": COUNTS}]}),
    ];
    everywhere(&episodes, |way, run| {
        assert_ok(way, run, "alive");
        assert_eq!(run.output("alive"), "alive\n", "{way:?}");
        // It held the output of its step open, and the step ended all the same.
        assert_eq!(steps(run, "alive")[0]["output"], "started\n", "{way:?}");
        assert_eq!(run.status("never-started"), "failed", "{way:?}");
    });
}

#[test]
fn the_timeout_of_a_continued_step_ends_that_step_alone() {
    let hang = "(while :; do echo x >> own; sleep 0.02; done) & echo waiting; sleep 60";
    let own_is_gone = "a=$(wc -c < own); sleep 0.4; [ $a = $(wc -c < own) ] && echo gone";
    let episodes = [json!({"id": "e", "steps": [
        {"command": COUNTER},
        {"command": hang, "timeout_s": 6, "on_failure": "continue"},
        {"command": own_is_gone},
        {"command": COUNTS},
    ]})];
    everywhere(&episodes, |way, run| {
        assert_eq!(
            statuses(run, "e"),
            ["ok", "timeout", "ok", "ok"],
            "{way:?}: {}",
            run.get("e")
        );
        let timed_out = &steps(run, "e")[1];
        assert_eq!(
            (&timed_out["exit_code"], &timed_out["output"]),
            (&json!(124), &json!("waiting\n")),
            "{way:?}"
        );
        assert_ok(way, run, "e");
    });
}

#[test]
fn what_takes_long_to_die_is_gone_when_the_step_after_a_timeout_begins() {
    // Without huge pages, which are quickly given back.
    let hold = include_str!("programs/takes_long_to_die.py");
    let others = "ps -e -o comm= | grep -c python || true";
    let episodes = [json!({"id": "e", "steps": [
        {"argv": ["python3", "-c", hold], "timeout_s": 10, "on_failure": "continue"},
        {"command": others},
    ], "resources": {"memory_mb": 3072}})];
    let is_gone = |way| {
        let run = &run(way, &lines(&episodes), &[]);
        let steps = steps(run, "e");
        assert_eq!(statuses(run, "e"), ["timeout", "ok"], "{way:?}: {steps:?}");
        let outputs = steps.iter().map(|step| step["output"].as_str().unwrap());
        outputs.eq(["held\n", "0\n"])
    };
    // Elsewhere the processes of other tests are seen too.
    for way in Way::of_tier("namespaces") {
        // A machine that is busy enough lets nothing die in two seconds.
        assert!((0..3).any(|_| is_gone(way)), "{way:?}");
    }
}

#[test]
fn a_timeout_stops_the_steps_that_would_follow() {
    let episodes = [json!({"id": "e", "steps": [
        {"command": "echo 1"}, {"command": "echo 2; sleep 60", "timeout_s": 6}, {"command": "echo 3"}]})];
    everywhere(&episodes, |way, run| {
        assert_eq!(
            statuses(run, "e"),
            ["ok", "timeout"],
            "{way:?}: {}",
            run.get("e")
        );
        assert_eq!(
            (run.status("e"), run.output("e")),
            ("timeout", "2\n"),
            "{way:?}"
        );
        assert_eq!(run.get("e")["exit_code"], 124, "{way:?}");
    });
}

#[test]
fn a_program_that_an_earlier_step_should_have_made_is_that_steps_failure_and_not_the_specs() {
    let episodes = [
        json!({"id": "made", "steps": [{"command": "cp /usr/bin/echo t"}, {"argv": ["./t", "ran"]}]}),
        json!({"id": "not-made", "steps": [{"command": "true"}, {"argv": ["./t"]}]}),
        json!({"id": "first", "steps": [{"argv": ["./t"]}, {"command": "true"}]}),
    ];
    everywhere(&episodes, |way, run| {
        assert_ok(way, run, "made");
        assert_eq!(run.output("made"), "ran\n", "{way:?}");
        assert_eq!(
            (run.status("not-made"), &run.get("not-made")["exit_code"]),
            ("failed", &json!(127)),
            "{way:?}"
        );
        assert_eq!(run.status("first"), "invalid", "{way:?}");
        assert!(
            run.error("first").contains("steps[0].argv"),
            "{way:?}: {}",
            run.error("first")
        );
    });
}

#[test]
fn a_working_directory_that_an_earlier_step_has_closed_is_named_as_the_episode_names_it() {
    let episodes = [json!({"id": "e", "steps": [
        {"command": "mkdir d; chmod 0 d"},
        {"command": "true", "workdir": "/workspace/d"},
    ]})];
    everywhere(&episodes, |way, run| {
        // There, programs of an ordinary user can't change modes.
        if !way.root && !way.namespaces() {
            return;
        }
        let error = run.error("e");
        assert!(error.contains("steps[1].workdir"), "{way:?}: {error}");
        assert!(error.contains("\"/workspace/d\""), "{way:?}: {error}");
        assert!(error.contains("an earlier program"), "{way:?}: {error}");
    });
}

#[test]
fn what_a_helper_still_has_to_pass_on_when_its_program_has_ended_is_part_of_the_output() {
    let helpers = [
        ("tee", "exec > >(tee log); seq 20000"),
        ("two", "exec > >(sed -u s/x/y/ | tee log); seq 20000"),
        ("errors", "exec 2> >(tee log >&2); seq 20000 >&2"),
    ];
    let episode = |(id, command): &(&str, &str)| {
        let command = format!("{command}\nsleep 1000 > /dev/null &");
        json!({"id": id, "steps": vec![json!({"command": command}); 10]})
    };
    let episodes: Vec<Value> = helpers.iter().map(episode).collect();
    let counted: String = (1..=20_000).map(|n| format!("{n}\n")).collect();
    everywhere(&episodes, |way, run| {
        for (id, _) in helpers {
            for step in steps(run, id) {
                assert_eq!(step["status"], "ok", "{way:?} {id}");
                let output = step["output"].as_str().unwrap();
                assert!(
                    output == counted,
                    "{way:?} {id}: {} bytes of {}",
                    output.len(),
                    counted.len()
                );
            }
        }
    });
}
