//! What one episode does, the next in the same slot does not see; and an untidy episode keeps its own verdict.

use crate::common::Way;
use crate::episodes::{run_in_turn, with};
use serde_json::{Value, json};

mod directories;
mod processes;
mod startup;
mod trees;

/// Where a second step of the untidy episode sees what the first one left, so that looking is worth something.
enum Shows {
    Everywhere,
    Where(fn(Way) -> bool),
    /// Not even there, for this reason.
    Nowhere(&'static str),
}

/// Without a uid of its own per slot, the landlock tier lets nobody change modes and times by path.
fn owns_its_files(way: Way) -> bool {
    way.namespaces() || (way.root && nix::unistd::geteuid().is_root())
}

/// Runs an untidy episode and one that looks for leftovers, which prints the same as it did in the same slot before. For
/// control both as steps of one episode.
#[track_caller]
fn leaves_nothing(shows: Shows, untidy: Value, look: Value) {
    let named = |episode: &Value, id: &str| with(episode.clone(), json!({"id": id}));
    let episodes = [
        named(&look, "before"),
        named(&untidy, "untidy"),
        named(&look, "look"),
        both(&untidy, &look),
    ];
    for way in Way::all() {
        let run = run_in_turn(way, &episodes);
        let fresh = run.output("before");
        assert_eq!(
            run.output("look"),
            fresh,
            "{way:?} after {}",
            run.get("untidy")
        );
        for id in ["untidy", "look"] {
            assert_ne!(run.status(id), "infra_error", "{way:?}: {}", run.get(id));
            assert_eq!(run.get(id)["attempts"], 1, "{way:?}: {}", run.get(id));
        }
        let seen = match shows {
            Shows::Everywhere => true,
            Shows::Where(which) => which(way),
            Shows::Nowhere(reason) => {
                assert!(!reason.is_empty());
                false
            }
        };
        let steps = &run.get("both")["steps"];
        assert!(
            !seen || steps[1]["output"] != fresh,
            "{way:?}: the control sees nothing either: {steps}"
        );
    }
}

fn both(untidy: &Value, look: &Value) -> Value {
    let step = |episode: &Value| {
        let mut step = json!({"on_failure": "continue"});
        for field in ["command", "argv"] {
            if !episode[field].is_null() {
                step[field] = episode[field].clone();
            }
        }
        step
    };
    let mut both = json!({"id": "both", "steps": [step(untidy), step(look)]});
    if !untidy["resources"].is_null() {
        both["resources"] = untidy["resources"].clone();
    }
    both
}

pub const LIST: &str = include_str!("programs/lists_its_own_files.sh");
