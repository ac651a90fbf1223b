//! bash: `command` episodes and steps.

use crate::common::Way;
use crate::equivalence::{assert_same, cases};

#[test]
fn a_command_runs_warm_as_it_runs_cold() {
    let cases = cases(include_str!("bash.jsonl"));
    for way in Way::all() {
        let warm = assert_same(way, &cases);
        assert!(
            warm * 10 > cases.len() * 7,
            "{way:?}: only {warm} of {} ran warm",
            cases.len()
        );
    }
}
