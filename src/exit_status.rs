//! What `runner` exits with, as jobs/README.md tells it.

use serde::{Serialize, Serializer};
use std::process::ExitCode;

/// How it went, for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// All that was asked for is done.
    Done = 0,
    /// Some episodes ended `invalid` or `infra_error`, or `--strict` found lines that are.
    Incomplete = 1,
    /// Flags or input that can't be used.
    Usage = 2,
    /// This machine can't enforce what was asked.
    CantEnforce = 3,
    /// Interrupted, or results could not be written: 128 + SIGINT, as of a program that died of Ctrl-C.
    Interrupted = 130,
}

impl Serialize for ExitStatus {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(*self as u8)
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> ExitCode {
        ExitCode::from(status as u8)
    }
}
