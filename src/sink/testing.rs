//! Outcomes for the tests of this module.

use crate::spec::bytes::Text;
use crate::spec::outcome::{Outcome, Phases, Status, Verdict};
use crate::spec::warm::Start;

/// A result of an episode that started in 300 µs through `exec`, or never ran (`invalid`).
pub(super) fn outcome(id: &str, status: Status) -> Outcome {
    let ran = status != Status::Invalid;
    let phases = Phases {
        dispatch: 20_000,
        prepare: 40_000,
        handoff: 30_000,
        launch: 210_000,
        clean: 90_000,
        total: 300_000,
    };
    Outcome {
        id: id.into(),
        verdict: Verdict {
            status,
            exit_code: ran.then_some(i32::from(status != Status::Ok)),
            output: Text(b"hello\n".to_vec()),
            stdout: None,
            stderr: None,
            output_bytes: 6,
            truncated: false,
            signal: None,
            fault: status.fault(),
            error: None,
            wall_ms: 1.5,
            cpu_ms: 1.0,
            stalled_ms: 0.0,
            peak_memory_mb: 2.0,
            start: ran.then_some(Start::Exec),
        },
        attempts: u32::from(ran),
        attempt_errors: Vec::new(),
        queue_ms: 0.25,
        startup_ms: ran.then_some(0.3),
        sandbox: None,
        files: None,
        not_collected: Vec::new(),
        steps: None,
        audit: None,
        group: None,
        meta: None,
        spec_digest: None,
        phases: ran.then_some(phases),
    }
}
