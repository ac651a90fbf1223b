//! What goes wrong with slots, and what people read of it.

use super::ids::NoUid;
use super::scratch::ScratchGranted;
use crate::wire::failure::Failure;
use nix::errno::Errno;
use std::io;

/// A slot that did not do its part; the episode it was running may be tried in another.
#[derive(Debug, thiserror::Error)]
pub enum SlotLost {
    #[error("the slot died{}", said(.0))]
    Died(String),
    /// Before it could take the request: nothing of the episode has run.
    #[error("the slot was dead")]
    WasDead,
    #[error("{0}")]
    Refused(Failure),
    #[error("the slot sent a message that can't be read")]
    Garbled,
    #[error("the slot did not answer in time")]
    Silent,
    #[error("the slot did not answer in time, because one of its processes is stopped (SIGSTOP)")]
    Stopped,
}

/// What its processes have printed, in a sentence.
fn said(printed: &str) -> String {
    if printed.is_empty() {
        return String::new();
    }
    format!(": {printed}")
}

/// Whether this says that there was no descriptor or no process left.
fn is_scarcity(errno: Option<Errno>) -> bool {
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE | Errno::EAGAIN))
}

impl SlotLost {
    /// What the system call said that failed in the slot.
    fn errno(&self) -> Option<Errno> {
        match self {
            SlotLost::Refused(failure) => Some(Errno::from_raw(failure.errno)),
            _ => None,
        }
    }

    /// Whether there was no descriptor or no process left for what it had to start.
    pub fn is_scarcity(&self) -> bool {
        is_scarcity(self.errno())
    }
}

/// A slot that could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("a slot process could not be started: {0}")]
    Start(#[from] io::Error),
    #[error(transparent)]
    NoUid(#[from] NoUid),
    #[error("a sandbox could not be built: {0}")]
    Lost(#[from] SlotLost),
    #[error(transparent)]
    NotWarm(#[from] NotWarm),
    #[error(
        "the directory that TMPDIR names can't be used ({0}); make it, or set TMPDIR to another one"
    )]
    NoScratch(#[source] io::Error),
    #[error(transparent)]
    ScratchGranted(#[from] ScratchGranted),
}

impl BuildError {
    /// Whether this machine does not grant what the tier is made of, so that another tier may do.
    pub fn is_refusal(&self) -> bool {
        matches!(self, BuildError::Lost(SlotLost::Refused(failure)) if failure.is_refusal())
    }

    /// What the system call said that failed, on either side.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            BuildError::Start(error) => error.raw_os_error().map(Errno::from_raw),
            BuildError::Lost(lost) => lost.errno(),
            _ => None,
        }
    }

    /// Whether there was no descriptor or no process left for it.
    pub fn is_scarcity(&self) -> bool {
        is_scarcity(self.errno())
    }
}

/// What can't be kept warm, and why; what people read.
#[derive(Debug, thiserror::Error)]
pub enum NotWarm {
    #[error("{python} has no module {module:?}; install it there, or take it out of --warm")]
    Missing { python: String, module: String },
    #[error("{python} is not kept warm: {cause}; its programs start it anew")]
    Parent { python: String, cause: String },
}
