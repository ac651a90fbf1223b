//! Wall clock and CPU time.

use super::{assert_limit, assert_ok, everywhere, lines, number, number_after, run};
use crate::common::Way;
use serde_json::{Value, json};

/// Burns this much CPU time of its own process, in Python.
const BURN: &str = "import os, time\n\
    def burn(s):\n    start = time.process_time()\n    while time.process_time() - start < s: pass\n";

/// How a process gets a core only where nobody else wants it, in Python.
const LOWEST: &str = "import ctypes, mmap, os, time\n\
    def lowest():\n    policy = os.SCHED_IDLE | os.sched_getscheduler(0) & os.SCHED_RESET_ON_FORK\n    \
    os.sched_setscheduler(0, policy, os.sched_param(0))\n";

fn python(id: &str, program: &str, resources: Value) -> Value {
    json!({"id": id, "argv": ["python3", "-c", format!("{BURN}{program}")], "resources": resources, "timeout_s": 120})
}

#[test]
fn a_program_that_outlasts_its_timeout_is_ended_and_what_it_printed_is_returned() {
    let slow = "echo kept; sleep 6; echo done";
    let stubborn = "import signal, time\n\
        for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(s, signal.SIG_IGN)\n\
        print('kept', flush=True)\ntime.sleep(6)\nprint('done')";
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
        "{LOWEST}libc = ctypes.CDLL(None)\n\
         libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]\n\
         for _ in range(4):\n    if os.fork() == 0:\n        \
         far = mmap.mmap(-1, 2 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=0)\n        \
         m = mmap.mmap(-1, 40 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n        \
         at = ctypes.addressof(ctypes.c_char.from_buffer(m))\n        m.write(b'x' * (40 << 20)); lowest()\n        \
         while True: libc.mprotect(at, 40 << 20, 1); libc.mprotect(at, 40 << 20, 3)\n\
         time.sleep(0.7)\n\
         for _ in range(40):\n    if os.fork() == 0:\n        while True: pass\n\
         time.sleep(100)"
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
    let leaves = "import os, time\nfor _ in range(50):\n    if os.fork() == 0:\n        os.setpgid(0, 0)\n        \
        while not os.path.exists('go'): time.sleep(0.05)\n        while True: pass";
    let large = format!(
        "{LOWEST}m = mmap.mmap(-1, 380 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n\
         m.madvise(15)\nm.write(bytes(380 << 20))\nopen('go', 'w').close(); lowest()\nwhile True: pass"
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
    let together = "for _ in range(3):\n    if os.fork() == 0:\n        burn(0.2)\n        os._exit(0)\n\
        for _ in range(3): os.wait()";
    let in_turn = "for _ in range(8):\n    if os.fork() == 0:\n        burn(0.08)\n        os._exit(0)\n    os.wait()";
    let daemons = "for _ in range(8):\n    r, w = os.pipe()\n    if os.fork() == 0:\n        if os.fork() == 0:\n            \
        burn(0.08)\n        os._exit(0)\n    os.wait()\n    os.close(w)\n    os.read(r, 1)\n    os.close(r)";
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
    let source = r#"
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    pid_t program = getpid();
    if (fork() == 0) {
        setpgid(0, 0);
        for (int i = 0; i < 400; i++)
            if (!fork()) { alarm(60); for (;;) pause(); }
        for (int i = 0; i < 30; i++)
            if (!fork()) {
                alarm(60);
                signal(SIGCHLD, SIG_IGN);
                for (;;) {
                    pid_t child = fork();
                    if (!child) { alarm(60); for (;;) pause(); }
                    if (child > 0) setpgid(child, program);
                    usleep(3000);
                }
            }
        _exit(0);
    }
    wait(0);
    write(1, "kept\n", 5);
    for (;;) pause();
}
"#;
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
