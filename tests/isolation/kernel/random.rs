//! Random system calls with random arguments: whatever they do, the program has a verdict of its own, a neighbour notices
//! nothing, and the slot is as good as new.

use crate::common::client::Server;
use crate::common::{Run, Way, probe_program};
use crate::episodes::{run_all, shell, with};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

const LOOK: &str =
    "echo x > f && cat f && rm f; ls -A . $TMPDIR/. $HOME/. | wc -w; python3 -c 'print(1)'";

/// Processes of random calls in each episode. RANDOM_CALLS asks for more.
fn processes() -> u64 {
    let asked = std::env::var("RANDOM_CALLS").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(60)
}

/// Another one each time.
fn seed() -> u64 {
    static SEEDS: AtomicU64 = AtomicU64::new(0);
    u64::from(std::process::id()) << 8 | SEEDS.fetch_add(1, Ordering::Relaxed)
}

fn random_calls(seed: u64) -> String {
    format!("./probe random-calls {seed} {}", processes())
}

/// An episode of such calls, by itself or in the place of a fork of the warm bash.
fn random(warm: bool) -> Value {
    let seed = seed();
    let command = random_calls(seed);
    let program = probe_program();
    let files = json!({"probe": {"host_path": program, "mode": "0755"}});
    let argv: Vec<&str> = command.split(' ').collect();
    let how = if warm {
        json!({"command": format!("exec {command}")})
    } else {
        json!({"argv": argv})
    };
    with(
        json!({"id": format!("random-{seed}"), "files": files, "timeout_s": 10}),
        how,
    )
}

fn run_beside(way: Way, episodes: &[Value], slots: &str) -> Run {
    let program = probe_program();
    let directory = program.parent().expect("a directory").display().to_string();
    let args = [
        "--concurrency",
        slots,
        "--ordered",
        "--allow-path",
        &directory,
    ];
    let run = run_all(way, episodes, &args);
    assert_eq!(run.results.len(), episodes.len(), "{way:?}: {}", run.stderr);
    for (id, result) in &run.results {
        assert_eq!(result["attempts"], 1, "{way:?}: {result}");
        assert_ne!(result["status"], "infra_error", "{way:?}: {result}");
        if id.starts_with("next") {
            assert_eq!(run.output(id), run.output("fresh"), "{way:?}: {result}");
        } else if id.starts_with("neighbour") {
            assert_eq!(run.output(id), "1\n2\n3\n4\n5\n", "{way:?}: {result}");
        }
    }
    run
}

#[test]
fn random_calls_harm_neither_a_neighbour_nor_a_later_episode() {
    for way in Way::all() {
        let mut episodes = vec![shell("fresh", LOOK)];
        for n in 0..2 {
            let neighbour = "for i in 1 2 3 4 5; do sleep 0.1; echo $i; done";
            episodes.extend([
                random(false),
                shell(&format!("neighbour-{n}"), neighbour),
                shell(&format!("next-{n}"), LOOK),
            ]);
        }
        run_beside(way, &episodes, "2");
    }
}

#[test]
fn random_calls_leave_nothing_to_the_next_episode_of_their_slot() {
    for way in Way::all() {
        let next = |n: u32| shell(&format!("next-{n}"), LOOK);
        let episodes = [
            shell("fresh", LOOK),
            random(false),
            next(1),
            random(true),
            next(2),
        ];
        run_beside(way, &episodes, "1");
    }
}

#[test]
fn random_calls_in_a_session_harm_no_other() {
    let program = probe_program();
    let code = std::fs::read(program).expect("the probe");
    for way in Way::all() {
        let server = Server::start(way, &[]);
        let mut client = server.connect();
        let mut other = client.start(json!({}));
        let fresh = other.exec(json!({"command": LOOK}))["output"].clone();
        let mut client = server.connect();
        let mut session = client.start(json!({}));
        let entry = json!({"path": "", "kind": "file", "mode": "0755"});
        session.upload("probe", &[(entry, code.clone())]);
        for _ in 0..2 {
            let result = session.exec(json!({"command": random_calls(seed()), "timeout_s": 4}));
            assert_ne!(result["status"], "infra_error", "{way:?}: {result}");
            // Files of its own it may have spoilt.
            let result = session.exec(json!({"argv": ["/bin/echo", "alive"], "workdir": "/tmp"}));
            assert_eq!(result["output"], "alive\n", "{way:?}: {result}");
        }
        let result = other.exec(json!({"command": LOOK}));
        assert_eq!(result["output"], fresh, "{way:?}: {result}");
    }
}
