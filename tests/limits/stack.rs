//! The stack of a program.

use super::{assert_limit, assert_ok, everywhere, number};
use crate::common::{NOBODY, Way, run_in};
use serde_json::{Value, json};

/// Calls itself so many times; each call takes a kilobyte and more.
const DEEP: &str = include_str!("programs/deep.c");

fn deep(id: &str, calls: u32, resources: Value) -> Value {
    let build = format!(
        "gcc -O0 -o deep deep.c && if [ -x deep ]; then ./deep {calls}; else /lib64/ld-linux-x86-64.so.2 ./deep {calls}; fi"
    );
    json!({"id": id, "command": build, "files": {"deep.c": DEEP}, "resources": resources, "timeout_s": 120})
}

#[test]
fn a_program_recurses_as_deep_as_its_stack_allows() {
    let episodes = [
        deep("default", 60_000, json!({})),
        deep("larger", 60_000, json!({"stack_mb": 128})),
        deep("smaller", 4_000, json!({"stack_mb": 2})),
        deep("shallow", 1_000, json!({"stack_mb": 2})),
    ];
    everywhere(&episodes, |way, run| {
        for id in ["default", "smaller"] {
            assert_eq!(run.get(id)["exit_code"], 139, "{way:?}: {}", run.get(id));
        }
        for (id, calls) in [("larger", "60000\n"), ("shallow", "1000\n")] {
            assert_ok(way, run, id);
            assert_eq!(run.output(id), calls, "{way:?}");
        }
    });
}

#[test]
fn what_is_used_of_a_stack_counts_as_memory() {
    let large = |memory_mb: u32| json!({"stack_mb": 1024, "memory_mb": memory_mb});
    let episodes = [
        deep("over", 250_000, large(128)),
        deep("below", 250_000, large(512)),
    ];
    everywhere(&episodes, |way, run| {
        assert_limit(way, run, "over", "memory_limit", "the limit is 128 MB");
        assert_ok(way, run, "below");
        assert!(
            number(run, "below", "peak_memory_mb") > 250.0,
            "{way:?}: {}",
            run.get("below")
        );
    });
}

/// Soft and hard, as a program started cold or warm sees them, and a thread's.
#[test]
fn it_is_the_limit_of_every_program_cold_and_warm() {
    let python = "import resource, threading\nprint(resource.getrlimit(resource.RLIMIT_STACK))\n\
        def down(n): return n and down(n - 1)\n";
    let episode = |id: &str, program: Value| {
        let mut episode = json!({"id": id, "resources": {"stack_mb": 100}});
        let field = if program.is_string() {
            "command"
        } else {
            "argv"
        };
        episode[field] = program;
        episode
    };
    let episodes = [
        episode("command", json!("ulimit -s; ulimit -Hs")),
        episode("argv", json!(["sh", "-c", "ulimit -s; ulimit -Hs"])),
        episode("python", json!(["python3", "-c", python])),
    ];
    everywhere(&episodes, |way, run| {
        for id in ["command", "argv"] {
            assert_eq!(
                run.output(id),
                "102400\n102400\n",
                "{way:?}: {}",
                run.get(id)
            );
        }
        assert_eq!(run.get("command")["start"], "warm-bash", "{way:?}");
        assert_eq!(run.output("python"), "(104857600, 104857600)\n", "{way:?}");
    });
}

/// Runs the binary as a user whose own hard limit is so many kilobytes.
fn where_stacks_are_limited(
    way: Way,
    kilobytes: u32,
    jobs: &str,
    arguments: &[&str],
) -> crate::common::Run {
    let limited = format!("ulimit -Ss {0} && ulimit -Hs {0} && exec \"$@\"", kilobytes);
    let uid = if way.root { 0 } else { NOBODY };
    run_in(&limited, uid, way, jobs, arguments)
}

#[test]
fn more_than_the_runner_itself_may_have_is_refused_with_its_limit_and_the_remedy() {
    let ask = |mb: u32| {
        json!({"id": format!("{mb}"), "command": "ulimit -s", "resources": {"stack_mb": mb}})
            .to_string()
    };
    let default = json!({"id": "default", "command": "ulimit -s"}).to_string();
    let jobs = [ask(17), ask(16), default].join("\n");
    let says = "asks for a stack of 17 MB, and the runner's own hard limit is 16384 KB (ulimit -Hs); ask for less, or \
        raise that before the runner starts (sudo prlimit --pid $$ --stack=unlimited, docker run --ulimit stack=-1)";
    for way in Way::all() {
        let run = where_stacks_are_limited(way, 16_384, &jobs, &[]);
        assert_eq!(run.status("17"), "invalid", "{way:?}");
        assert!(
            run.error("17")
                .ends_with(&format!("`resources.stack_mb` {says}")),
            "{}",
            run.error("17")
        );
        assert_eq!(run.output("16"), "16384\n", "{way:?}: {}", run.get("16"));
        assert_eq!(run.output("default"), "8192\n", "{way:?}");
        let run = where_stacks_are_limited(way, 16_384, &jobs, &["--stack-mb", "17"]);
        assert_eq!((run.code, run.lines.len()), (Some(2), 0), "{}", run.stderr);
        assert!(
            run.stderr.contains(&format!("--stack-mb {says}")),
            "{}",
            run.stderr
        );
    }
}
