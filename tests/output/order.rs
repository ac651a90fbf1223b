//! Which results, and in which order.

use super::lines;
use crate::common::{Run, Way, run};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn ids(run: &Run) -> Vec<String> {
    let id = |line: &String| {
        serde_json::from_str::<Value>(line).expect("JSON")["id"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    run.lines.iter().map(id).collect()
}

#[test]
fn ordered_gives_the_order_of_the_input() {
    // The first ones take longest.
    let episodes: Vec<Value> = (0..60)
        .map(|n| match n % 10 {
            0 => json!({"id": format!("e{n}"), "argv": ["sleep", "0.2"]}),
            5 => json!({"id": format!("e{n}"), "nonsense": 1}),
            _ => json!({"id": format!("e{n}"), "argv": ["true"]}),
        })
        .collect();
    let expected: Vec<String> = (0..60).map(|n| format!("e{n}")).collect();
    for way in Way::all() {
        let ordered = run(way, &lines(&episodes), &["--ordered", "--concurrency", "4"]);
        assert_eq!(ids(&ordered), expected, "{way:?}");
        let as_completed = run(way, &lines(&episodes), &["--concurrency", "4"]);
        assert_ne!(ids(&as_completed), expected, "{way:?}");
        assert_eq!(
            ids(&as_completed).into_iter().collect::<BTreeSet<_>>(),
            expected.iter().cloned().collect(),
            "{way:?}"
        );
    }
}

#[test]
fn shards_have_every_episode_exactly_once() {
    let episodes: Vec<Value> = (0..50)
        .map(|n| {
            if n % 7 == 3 {
                json!({"id": format!("e{n}"), "argv": 1})
            } else {
                json!({"id": format!("e{n}"), "argv": ["true"]})
            }
        })
        .collect();
    let expected: BTreeSet<String> = (0..50).map(|n| format!("e{n}")).collect();
    for way in Way::all() {
        let mut seen = BTreeSet::new();
        for shard in ["1/3", "2/3", "3/3"] {
            let part = ids(&run(way, &lines(&episodes), &["--shard", shard]));
            assert!(
                (16..=17).contains(&part.len()),
                "{way:?}: {shard} has {}",
                part.len()
            );
            for id in part {
                assert!(seen.insert(id.clone()), "{way:?}: {id} is in two shards");
            }
        }
        assert_eq!(seen, expected, "{way:?}");
    }
}

#[test]
fn many_episodes_give_one_result_each() {
    let episodes: Vec<Value> = (0..400)
        .map(|n| json!({"id": format!("e{n}"), "argv": ["echo", format!("{n}")]}))
        .collect();
    for way in Way::all() {
        let run = run(way, &lines(&episodes), &["--concurrency", "6"]);
        assert_eq!(run.results.len(), 400, "{way:?}");
        for n in 0..400 {
            assert_eq!(run.output(&format!("e{n}")), format!("{n}\n"), "{way:?}");
        }
        assert_eq!(run.code, Some(0), "{way:?}: {}", run.stderr);
    }
}
