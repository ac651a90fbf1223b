//! Where the fields stand that are checked, for messages.

use super::Flaw;

#[derive(Clone, Copy)]
pub(super) enum Location {
    /// The top of an episode, or of the start of a session.
    Episode,
    /// One of an episode's steps.
    Step(usize),
    /// One execution of a session.
    Execution,
    Resources,
}

impl Location {
    /// A field, as its path in the line.
    pub(super) fn field(self, name: &str) -> String {
        match self {
            Location::Episode | Location::Execution => name.to_owned(),
            Location::Step(index) => format!("steps[{index}].{name}"),
            Location::Resources => format!("resources.{name}"),
        }
    }

    /// A sentence about all of it.
    pub(super) fn flaw(self, problem: impl std::fmt::Display) -> Flaw {
        Flaw(match self {
            Location::Episode => format!("the episode {problem}"),
            Location::Step(index) => format!("`steps[{index}]` {problem}"),
            Location::Execution => format!("the execution {problem}"),
            Location::Resources => format!("`resources` {problem}"),
        })
    }

    pub(super) fn nothing_to_run(self, remedy: &str) -> Flaw {
        self.flaw(format_args!("has nothing to run; add {remedy}"))
    }
}
