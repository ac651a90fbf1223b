//! Bombs in the slots beside them change nothing about well-behaved episodes.

use super::{lines, run_alone};
use crate::common::{Run, Way};
use serde_json::{Value, json};

const FORK_BOMB: &str = include_str!("programs/fork_bomb.py");
const MEMORY_BOMB: &str = include_str!("programs/memory_bomb.py");
const DISK_BOMB: &str = include_str!("programs/disk_bomb.py");

/// What every well-behaved episode ends with: id, status, exit code, output.
type Verdict = (String, Value, Value, Value);

/// Four episodes of each of five kinds, with outputs of their own.
fn well_behaved() -> Vec<Value> {
    let kind = |n: usize| match n % 5 {
        0 => {
            json!({"command": format!("echo {n} > f; for i in 1 2 3; do cat f; done | sort | tee g; wc -l < g")})
        }
        1 => {
            json!({"argv": ["python3", "-c", format!("print(sum(range({n}000)))\nraise SystemExit({n} + 1)")]})
        }
        2 => json!({"command": format!("echo {n}; (sleep 0.2; kill -TERM $$) & wait; sleep 10")}),
        3 => json!({"command": format!("echo {n}; sleep 300"), "timeout_s": 6}),
        _ => {
            json!({"argv": ["python3", "-c", format!("import time\nprint({n}, flush=True)\nhog = b'x' * (160 << 20)\ntime.sleep(300)")],
                    "resources": {"memory_mb": 96}})
        }
    };
    let whole = |n| {
        let mut episode = kind(n);
        episode["id"] = json!(format!("well-behaved-{n}"));
        episode
    };
    (0..20).map(whole).collect()
}

/// A bomb of each kind before every tenth of the others, each with a few seconds to do harm. Without root and namespaces
/// all slots share one count of processes: a fork bomb is held back only once it is seen, and until then a neighbour's
/// fork may fail, so there is none.
fn among_bombs(episodes: &[Value], way: Way) -> Vec<Value> {
    let bomb = |id: String, program: &str| {
        json!({"id": id, "argv": ["python3", "-c", program], "timeout_s": 3,
               "resources": {"memory_mb": 200, "disk_mb": 32, "processes": 40}})
    };
    let mut all = Vec::new();
    for (n, some) in episodes.chunks(10).enumerate() {
        if way.namespaces() || way.root {
            all.push(bomb(format!("fork-bomb-{n}"), FORK_BOMB));
        }
        all.push(bomb(format!("memory-bomb-{n}"), MEMORY_BOMB));
        all.push(bomb(format!("disk-bomb-{n}"), DISK_BOMB));
        all.extend_from_slice(some);
    }
    all
}

fn verdicts(run: &Run) -> Vec<Verdict> {
    let ours = run
        .results
        .iter()
        .filter(|(id, _)| id.starts_with("well-behaved"));
    let verdict = |(id, result): (&String, &Value)| {
        let field = |name: &str| result[name].clone();
        (
            id.clone(),
            field("status"),
            field("exit_code"),
            field("output"),
        )
    };
    ours.map(verdict).collect()
}

#[test]
fn a_fork_bomb_a_memory_bomb_and_a_disk_bomb_change_no_verdict_beside_them() {
    let episodes = well_behaved();
    for way in Way::all() {
        let arguments = ["--concurrency", "4"];
        let calm = super::run(way, &lines(&episodes), &arguments);
        let expected = verdicts(&calm);
        for (id, status, code, output) in &expected {
            let n: usize = id
                .rsplit('-')
                .next()
                .and_then(|n| n.parse().ok())
                .expect("a number");
            let (wanted, wanted_code) = [
                ("ok", 0),
                ("failed", n as i32 + 1),
                ("signaled", 143),
                ("timeout", 124),
                ("memory_limit", 137),
            ][n % 5];
            assert_eq!(
                (status, code),
                (&json!(wanted), &json!(wanted_code)),
                "{way:?} {id}"
            );
            assert_ne!(output, "", "{way:?} {id}");
        }
        let bombs = lines(&among_bombs(&episodes, way));
        // Its fork bombs use up the user's count; where there are none, the others could feel it.
        let bombed = if way.namespaces() {
            run_alone(way, &bombs, &arguments)
        } else {
            super::run(way, &bombs, &arguments)
        };
        let found = verdicts(&bombed);
        assert_eq!(found.len(), episodes.len(), "{way:?}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{way:?}: {}", bombed.get(&found.0));
        }
        for (id, result) in &bombed.results {
            assert_ne!(result["status"], "infra_error", "{way:?} {id}: {result}");
            assert_eq!(result["attempts"], 1, "{way:?} {id}: {result}");
        }
        let bombs = bombed
            .results
            .iter()
            .filter(|(id, _)| id.contains("-bomb-"));
        for (id, result) in bombs {
            // Which limit comes first depends on the share of the cores that they get, and whether a bomb can fork
            // on whether it has a count of its own.
            if way.namespaces() || way.root {
                assert_eq!(result["fault"], "limit", "{way:?} {id}: {result}");
            }
        }
    }
}
