//! A step's stdin is a file with all of its input, whoever starts the program.

use super::{assert_ok, everywhere, lines};
use crate::common::{Way, run};
use serde_json::{Value, json};

/// As fast readers do it: by its size, mapped, from its start again.
const READS: &str = include_str!("programs/reads_stdin_as_fast_readers_do.py");

#[test]
fn programs_can_ask_for_its_size_map_it_and_go_back_in_it() {
    let input = "abc\n".repeat(250_000);
    let quoted = format!("/usr/bin/python3 -c '{}'", READS.replace('\'', "\""));
    let episodes = [
        json!({"id": "argv", "argv": ["/usr/bin/python3", "-c", READS], "stdin": input}),
        json!({"id": "command", "command": quoted, "stdin": input}),
    ];
    for way in Way::all() {
        for warm in ["none", "bash"] {
            let run = run(way, &lines(&episodes), &["--warm", warm]);
            for id in ["argv", "command"] {
                assert_ok(way, &run, id);
                let expected = "True 1000000 b'abc'\nb'ab' 0 1000000 b''\n";
                assert_eq!(run.output(id), expected, "{way:?} {warm} {id}");
            }
        }
    }
}

#[test]
fn each_step_has_its_own_from_the_start_and_one_without_input_has_none() {
    let read = |stdin: Option<String>| {
        let mut step = json!({"command": "head -c 3; cat | wc -c"});
        if let Some(stdin) = stdin {
            step["stdin"] = stdin.into();
        }
        step
    };
    let large = "x".repeat(20 << 20);
    let steps = [Some("one\n".into()), None, Some(large), Some("two".into())].map(read);
    everywhere(&[json!({"id": "e", "steps": steps})], |way, run| {
        assert_ok(way, run, "e");
        let steps = run.get("e")["steps"].as_array().expect("steps");
        let outputs: Vec<&Value> = steps.iter().map(|step| &step["output"]).collect();
        let rest = (20 << 20) - 3;
        assert_eq!(outputs[..2], ["one1\n", "0\n"], "{way:?}");
        assert_eq!(*outputs[2], format!("xxx{rest}\n"), "{way:?}");
        assert_eq!(outputs[3], "two0\n", "{way:?}");
    });
}

/// Memory that a program could take in this way would count in no limit.
#[test]
fn a_program_can_neither_write_to_it_nor_make_it_larger_nor_lease_it() {
    let attack = include_str!("programs/changes_its_stdin.py");
    let episode = json!({"id": "e", "argv": ["/usr/bin/python3", "-c", attack], "stdin": "input"});
    everywhere(&[episode], |way, run| {
        assert_ok(way, run, "e");
        let refused = ["'refused'"; 12].join(", ");
        let expected = format!("[{refused}]\nb'input'\n");
        assert_eq!(run.output("e"), expected, "{way:?}");
    });
}

#[test]
fn what_a_step_leaves_running_finds_a_small_input_whole_after_the_end() {
    let steps = json!([
        {"argv": ["/bin/sh", "-c", "exec 3<&0; (sleep 1; cat <&3 > later) & true"], "stdin": "small\n"},
        {"command": "until [ -s later ]; do sleep 0.1; done; cat later"},
    ]);
    everywhere(&[json!({"id": "e", "steps": steps})], |way, run| {
        assert_ok(way, run, "e");
        assert_eq!(run.output("e"), "small\n", "{way:?}");
    });
}
