//! How somebody takes part in an episode while it runs: is shown its output, or sits at its terminal.

use crate::wire::message::Attached;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// How the caller takes part in an episode while it runs.
pub enum Attachment {
    /// What programs print is written to these pipes while it comes: to the first for stdout, or for both streams where they are not
    /// captured apart, and to the second for stderr.
    Output { stdout: OwnedFd, stderr: OwnedFd },
    /// The first program has a terminal of this size in place of stdin, stdout and stderr. Its other end arrives at the peer of `to`,
    /// a socket of packets, before the program starts.
    Terminal {
        to: OwnedFd,
        rows: u16,
        columns: u16,
    },
}

impl Attachment {
    pub(super) fn message(&self) -> Attached {
        match *self {
            Attachment::Output { .. } => Attached::Output,
            Attachment::Terminal { rows, columns, .. } => Attached::Terminal { rows, columns },
        }
    }

    /// What travels with the request.
    pub(super) fn fds(&self) -> Vec<RawFd> {
        match self {
            Attachment::Output { stdout, stderr } => vec![stdout.as_raw_fd(), stderr.as_raw_fd()],
            Attachment::Terminal { to, .. } => vec![to.as_raw_fd()],
        }
    }
}
