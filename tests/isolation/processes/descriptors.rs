//! What is open when a program starts.

use crate::common::{Way, command, scratch};
use crate::episodes::{output_of, python, shell};
use std::fs;
use std::process::Command;

const LIST: &str = include_str!("../programs/lists_open_descriptors.py");

#[test]
fn exactly_the_three_standard_descriptors_are_open_at_the_start() {
    for way in Way::all() {
        assert_eq!(output_of(way, &python("e", LIST)), "0\n1\n2\n", "{way:?}");
        if way.namespaces() {
            // 3 is the directory that ls itself lists.
            assert_eq!(
                output_of(way, &shell("e", "ls /proc/self/fd | tr '\\n' ' '")),
                "0 1 2 3 ",
                "{way:?}"
            );
        }
    }
}

/// A closed number is given to whatever is opened next, which here is the runner's own.
#[test]
fn a_runner_without_standard_descriptors_gives_its_episodes_all_three() {
    for closed in ["<&-", "2>&-", "<&- 2>&-"] {
        for way in Way::all() {
            let directory = scratch();
            let jobs = python("e", LIST).to_string();
            fs::write(directory.path().join("jobs.jsonl"), jobs).unwrap();
            let runner = command(way.root);
            let argv = std::iter::once(runner.get_program()).chain(runner.get_args());
            let output = Command::new("bash")
                .args(["-c", &format!("exec \"$@\" {closed}"), "bash"])
                .args(argv)
                .args(way.arguments())
                .current_dir(directory.path())
                .output()
                .unwrap();
            let run = crate::common::parse(output);
            assert_eq!(run.output("e"), "0\n1\n2\n", "{way:?} {closed}");
        }
    }
}

#[test]
fn descriptors_that_the_caller_left_open_do_not_reach_an_episode() {
    let code = "import os\ntry: print('READ',os.read(9,5))\nexcept OSError: print('closed')";
    for way in Way::all() {
        let directory = scratch();
        fs::write(directory.path().join("secret"), "secret").unwrap();
        fs::write(
            directory.path().join("jobs.jsonl"),
            python("e", code).to_string(),
        )
        .unwrap();
        let runner = command(way.root);
        let argv = std::iter::once(runner.get_program()).chain(runner.get_args());
        let open = "exec 9<secret; exec \"$@\"";
        let output = Command::new("bash")
            .args(["-c", open, "bash"])
            .args(argv)
            .args(way.arguments())
            .current_dir(directory.path())
            .output()
            .unwrap();
        assert_eq!(
            crate::common::parse(output).output("e"),
            "closed\n",
            "{way:?}"
        );
        let control = Command::new("bash")
            .args(["-c", open, "bash", "/usr/bin/python3", "-c", code])
            .current_dir(directory.path())
            .output()
            .unwrap();
        assert_eq!(
            control.stdout, b"READ b'secre'\n",
            "the control inherits it"
        );
    }
}
