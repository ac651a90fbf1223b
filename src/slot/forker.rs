//! Which process forks a program: a warm interpreter where one fits, or else the exec zygote.

use super::link::Link;
use super::warm::{self, Bash, Python};
use crate::spec::execution::Start;
use crate::spec::limits::Limits;
use crate::wire::message::StepRequest;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;

/// What can fork a program.
pub struct Forkers<'a> {
    pub exec: &'a mut Link,
    pub bash: Option<&'a mut Bash>,
    pub pythons: &'a mut [Python],
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

    /// A warm one where the step fits. `workdir` is where init sees the working directory, and `extra` what the episode's own
    /// ruleset has to name.
    pub fn choose(self, step: &StepRequest, workdir: &Path, extra: &[String]) -> Forker<'a> {
        if let Some(bash) = self.bash.filter(|bash| bash.fits(step, extra)) {
            return Forker {
                start: Start::WarmBash,
                ruleset: bash.ruleset.as_ref().map(AsRawFd::as_raw_fd),
                zygote: &mut bash.link,
            };
        }
        let mut pythons = self.pythons.iter_mut();
        if let Some(python) = pythons.find(|python| python.fits(step, workdir, extra)) {
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
