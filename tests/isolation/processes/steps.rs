//! Steps of one episode: what an earlier one left running can't look into the programs of a later one.

use crate::common::Way;
use crate::episodes::{run_all, shell};
use serde_json::json;

/// Looks for the program that prints `mark`, writes into its output, and reads its environment.
const SPY: &str = include_str!("../programs/spy.py");

fn spy() -> serde_json::Value {
    let background = "setsid python3 spy.py > /dev/null 2>&1 & sleep 0.3";
    json!({"command": background, "files": {"spy.py": SPY}})
}

#[test]
fn a_later_program_is_closed_to_what_an_earlier_step_left_running() {
    let look = json!({"command": "cat /tmp/got 2>/dev/null; true"});
    for way in Way::of_tier("namespaces") {
        for later in [
            json!({"command": "sleep 1; echo honest; : mark"}),
            json!({"argv": ["python3", "-c", "import time; time.sleep(1); print('honest'); 'mark'"]}),
            json!({"argv": ["/bin/bash", "-c", "sleep 1; echo honest; : mark"]}),
        ] {
            let episode = json!({"id": "steps", "steps": [spy(), later, look]});
            let run = run_all(way, &[episode], &[]);
            let steps = &run.get("steps")["steps"];
            assert_eq!(steps[1]["output"], "honest\n", "{way:?}: {steps}");
            assert_eq!(steps[2]["output"], "", "{way:?}: {steps}");
        }
    }
}

/// A path that one step's files have made, and that a program replaces by a link before the next step's rules are made.
#[test]
fn a_link_in_place_of_a_steps_file_opens_nothing_to_the_next() {
    let swaps = include_str!("../programs/replaces_a_file_by_a_link.sh");
    let reads = "cat /etc/* 2>/dev/null | cksum; echo 500 2>/dev/null > /proc/self/oom_score_adj && echo written; true";
    let waits =
        "touch go; n=0; while ! [ -e done ] && [ $n -lt 200 ]; do sleep 0.05; n=$((n+1)); done";
    let steps = json!([
        {"command": format!("{swaps}{reads}")},
        {"command": waits, "files": {"/a/test.py": "print(1)\n"}},
        {"command": format!("readlink /a/test.py; {reads}")},
    ]);
    for way in Way::of_tier("namespaces") {
        let episode = json!({"id": "swaps", "workdir": "/a", "steps": steps});
        let run = run_all(way, &[episode], &["--warm", "none"]);
        let steps = &run.get("swaps")["steps"];
        let output = |n: usize| steps[n]["output"].as_str().expect("output");
        assert!(!output(0).contains("written"), "{way:?}: {steps}");
        assert_eq!(output(2), format!("/\n{}", output(0)), "{way:?}: {steps}");
    }
}

/// For control: within one step it finds everything.
#[test]
fn a_program_of_the_same_step_is_open() {
    let way = Way::of_tier("namespaces")[0];
    let mut episode = shell(
        "one",
        "setsid python3 spy.py > /dev/null 2>&1 & sleep 0.3; bash -c 'sleep 1; : mark'; cat /tmp/got | sort -u",
    );
    episode["files"] = json!({"spy.py": SPY});
    let run = run_all(way, &[episode], &[]);
    assert!(
        run.output("one").contains("environ\n"),
        "{}",
        run.get("one")
    );
    assert!(run.output("one").contains("FORGED\n"), "{}", run.get("one"));
}
