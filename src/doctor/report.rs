//! What the doctor found, as data. Rendering is the business of `text` and `json`.

use crate::exit_status::ExitStatus;
use crate::spec::policy::Tier;
use serde::Serialize;

/// How much of what a run wants there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Ok,
    /// Not there, or not usable.
    Missing,
    /// There, but less than a run with default limits may ask for.
    Limited,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Check {
    /// Stable, lower case with underscores.
    pub name: &'static str,
    pub state: State,
    /// What was found, on one line.
    pub value: String,
    /// What to type or change; `None` when there is nothing to do.
    pub remedy: Option<String>,
}

impl Check {
    pub(super) fn ok(name: &'static str, value: impl Into<String>) -> Check {
        Check {
            name,
            state: State::Ok,
            value: value.into(),
            remedy: None,
        }
    }

    pub(super) fn missing(
        name: &'static str,
        value: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Check {
        Check {
            name,
            state: State::Missing,
            value: value.into(),
            remedy: Some(remedy.into()),
        }
    }

    pub(super) fn limited(
        name: &'static str,
        value: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Check {
        Check {
            state: State::Limited,
            ..Check::missing(name, value, remedy)
        }
    }
}

/// Everything that is shown.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// `None` for `--isolation auto`.
    #[serde(serialize_with = "super::json::isolation")]
    pub isolation: Option<Tier>,
    /// The tier that a run would use; `None` when it would be refused, or its episodes would fail.
    pub tier: Option<Tier>,
    /// 0, or 3 when there is no `tier`.
    pub exit_status: ExitStatus,
    pub checks: Vec<Check>,
}
