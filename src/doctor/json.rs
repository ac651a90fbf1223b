//! `--json`: one object on one line.
//!
//! ```json
//! {"isolation": "auto", "tier": "namespaces", "exit_status": 0,
//!  "checks": [{"name": "kernel", "state": "ok", "value": "6.12.0", "remedy": null}, …]}
//! ```
//!
//! - `isolation`: what was asked for, `auto`, `namespaces` or `landlock`
//! - `tier`: what a run would use, `namespaces`, `landlock` or null
//! - `exit_status`: that of this program, 0 or 3
//! - `checks[].name`: `kernel`, `user`, `landlock`, `seccomp`, `user_namespaces`, `network_namespaces`, `proc`,
//!   `memory_cgroup`, `rlimits`, `bash`, `python3`, `namespaces_tier`, `landlock_tier`; each once, in this order.
//!   There may be more in later versions; these stay.
//! - `checks[].state`: `ok`, `missing` or `limited`
//! - `checks[].value`: what was found, for people
//! - `checks[].remedy`: what to type or change, for people; null when there is nothing to do

use super::report::Report;
use crate::spec::policy::Tier;
use serde::Serializer;

/// The report as one JSON object, without a line end.
pub(super) fn render(report: &Report) -> String {
    serde_json::to_string(report).expect("strings and numbers are always JSON")
}

pub(super) fn isolation<S: Serializer>(
    asked: &Option<Tier>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(asked.map_or("auto", Tier::name))
}
