//! Random system calls with random arguments: whatever they do, the program has a verdict of its own, a neighbour notices
//! nothing, and the slot is as good as new.

use crate::common::{Way, built};
use crate::episodes::{run_all, shell, with};
use serde_json::json;

/// Processes of random calls in each episode. RANDOM_CALLS asks for more.
fn processes() -> u64 {
    let asked = std::env::var("RANDOM_CALLS").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(60)
}

#[test]
fn random_calls_harm_neither_a_neighbour_nor_the_next_episode() {
    let program = built("examples/probe");
    let files = json!({"probe": {"host_path": program, "mode": "0755"}});
    let directory = program.parent().expect("a directory").display().to_string();
    let look =
        "echo x > f && cat f && rm f; ls -A . $TMPDIR/. $HOME/. | wc -w; python3 -c 'print(1)'";
    for way in Way::all() {
        let mut episodes = vec![shell("fresh", look)];
        for seed in 0..2 {
            let seed = (u64::from(std::process::id()) << 8 | seed).to_string();
            let random = json!({"id": format!("random-{seed}"), "files": files, "timeout_s": 10,
                "argv": ["./probe", "random-calls", seed, processes().to_string()]});
            let neighbour = shell(
                &format!("neighbour-{seed}"),
                "for i in 1 2 3 4 5; do sleep 0.1; echo $i; done",
            );
            episodes.extend([random, neighbour]);
            episodes.push(with(shell(&format!("next-{seed}"), look), json!({})));
        }
        let run = run_all(
            way,
            &episodes,
            &["--concurrency", "2", "--allow-path", &directory],
        );
        for (id, result) in &run.results {
            assert_eq!(result["attempts"], 1, "{way:?}: {result}");
            if id.starts_with("next") {
                assert_eq!(run.output(id), run.output("fresh"), "{way:?}: {result}");
            } else if id.starts_with("neighbour") {
                assert_eq!(run.output(id), "1\n2\n3\n4\n5\n", "{way:?}: {result}");
            } else {
                assert_ne!(result["status"], "infra_error", "{way:?}: {result}");
            }
        }
        assert_eq!(run.results.len(), episodes.len(), "{way:?}: {}", run.stderr);
    }
}
