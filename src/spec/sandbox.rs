//! What programs run in: an episode has one sandbox for all of its steps, a session one until its end.

use super::limits::Limits;
use super::policy::Grants;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where relative paths start when no `workdir` is named.
pub const DEFAULT_WORKDIR: &str = "/workspace";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sandbox {
    /// Shared by the many sandboxes that have the same. A slot was built with them, and is not told again.
    #[serde(skip)]
    pub grants: Arc<Grants>,
    pub limits: Limits,
    /// Up to so many times its timeout an execution may take, where the host kept it from running; at least 1.
    pub stretch: f64,
    pub capture: Capture,
    pub output_keep: OutputKeep,
    /// Absolute, normalised, inside the sandbox; a step may have another.
    pub workdir: String,
}

impl Default for Sandbox {
    /// What an episode has that asks for nothing, without any flag.
    fn default() -> Self {
        Sandbox {
            grants: Arc::default(),
            limits: Limits::default(),
            stretch: 1.0,
            capture: Capture::default(),
            output_keep: OutputKeep::default(),
            workdir: DEFAULT_WORKDIR.into(),
        }
    }
}

/// Whether stdout and stderr are also returned apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capture {
    #[default]
    Merged,
    Split,
}

/// What is kept of more output than `output_kb`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKeep {
    /// The first quarter and the last three, with a line between that says how much was left out.
    #[default]
    Ends,
    Head,
    Tail,
}
