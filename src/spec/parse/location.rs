//! Where the fields stand that are checked, for messages.

use super::Flaw;
use std::borrow::Cow;

pub struct Location {
    /// What stands before a field's name.
    prefix: String,
    /// What has the fields.
    name: Cow<'static, str>,
}

impl Location {
    /// At the top of an episode, or of the start of a session.
    pub fn of_episode() -> Location {
        Location {
            prefix: String::new(),
            name: "the episode".into(),
        }
    }

    /// In one of an episode's steps.
    pub fn of_step(index: usize) -> Location {
        Location {
            prefix: format!("steps[{index}]."),
            name: format!("`steps[{index}]`").into(),
        }
    }

    /// In one execution of a session.
    pub fn of_execution() -> Location {
        Location {
            prefix: String::new(),
            name: "the execution".into(),
        }
    }

    /// In `resources`.
    pub fn of_resources() -> Location {
        Location {
            prefix: "resources.".into(),
            name: "`resources`".into(),
        }
    }

    /// A field, as its path in the line.
    pub fn field(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A sentence about all of it.
    pub fn flaw(&self, problem: impl std::fmt::Display) -> Flaw {
        Flaw(format!("{} {problem}", self.name))
    }

    pub fn nothing_to_run(&self, remedy: &str) -> Flaw {
        self.flaw(format_args!("has nothing to run; add {remedy}"))
    }
}
