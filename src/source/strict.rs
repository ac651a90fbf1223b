//! `--strict`: check every line before anything runs.

use super::pipeline::{self, SourceError};
use super::{Counters, SourceConfig};
use std::ops::ControlFlow;
use std::sync::Arc;
use thiserror::Error;

/// How many messages are kept; the rest is counted.
const SHOWN: usize = 20;

/// Why nothing may be run.
#[derive(Debug, Error)]
pub enum StrictError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("{} of {lines} lines are not valid episodes; correct them, or leave --strict out to run the others", .total)]
    Invalid {
        /// The first of the messages, each one sentence with file, line and field.
        first: Vec<String>,
        /// How many lines are invalid.
        total: u64,
        /// How many lines there are.
        lines: u64,
    },
}

/// Checks every line of every shard, done or not, and returns how many there are. A stream is
/// copied to an unnamed temporary file first and `config` then reads from there.
pub fn check_all(config: &mut SourceConfig) -> Result<u64, StrictError> {
    for jobs in &mut config.jobs {
        if jobs.is_stream() {
            jobs.spool().map_err(SourceError::from)?;
        }
    }
    let everything = SourceConfig {
        shard: None,
        done: None,
        counters: Arc::new(Counters::default()),
        ..config.clone()
    };
    let (mut lines, mut total, mut first) = (0, 0, Vec::new());
    pipeline::run(&everything, |items| {
        lines += items.len() as u64;
        for outcome in items.into_iter().filter_map(|item| item.work.err()) {
            total += 1;
            if first.len() < SHOWN {
                first.extend(outcome.verdict.error);
            }
        }
        ControlFlow::Continue(())
    })?;
    match total {
        0 => Ok(lines),
        _ => Err(StrictError::Invalid {
            first,
            total,
            lines,
        }),
    }
}
