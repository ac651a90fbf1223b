//! Which process forks a program: a warm interpreter where one fits, or else the exec zygote.

use super::link::Link;
use super::warm::{self, Bash, Python};
use crate::spec::execution::Start;
use crate::spec::limits::Limits;
use crate::spec::step::Step;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;

/// What can fork a program.
pub struct Forkers<'a> {
    pub exec: &'a mut Link,
    pub bash: Option<&'a mut Bash>,
    pub pythons: &'a mut [Python],
}

/// What is to be forked.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    pub step: &'a Step,
    pub argv: &'a [String],
    /// Where init sees the working directory.
    pub workdir: &'a Path,
    /// What the episode's own ruleset has to name.
    pub extra: &'a [String],
}

/// Which of them does it.
pub struct Forker<'a> {
    pub start: Start,
    pub zygote: &'a mut Link,
    /// That of the zygote's own programs, where it does not enforce one for all.
    pub ruleset: Option<RawFd>,
}

impl<'a> Forkers<'a> {
    /// Those that can give a program these limits: a warm one has the stack that it was started with.
    pub fn within(self, limits: &Limits) -> Forkers<'a> {
        match limits.stack_bytes {
            Some(bytes) if bytes > warm::MAX_STACK => Forkers {
                bash: None,
                pythons: &mut [],
                ..self
            },
            _ => self,
        }
    }

    /// A warm one where the program fits.
    pub fn choose(self, wanted: Wanted<'_>) -> Forker<'a> {
        if let Some(bash) = self.bash.filter(|bash| bash.fits(wanted)) {
            return Forker {
                start: Start::WarmBash,
                ruleset: bash.ruleset.as_ref().map(AsRawFd::as_raw_fd),
                zygote: &mut bash.link,
            };
        }
        let mut pythons = self.pythons.iter_mut();
        if let Some(python) = pythons.find(|python| python.fits(wanted)) {
            return Forker {
                start: Start::WarmPython,
                ruleset: python.ruleset.as_ref().map(AsRawFd::as_raw_fd),
                zygote: &mut python.link,
            };
        }
        Forker {
            start: Start::Exec,
            ruleset: None,
            zygote: self.exec,
        }
    }
}
