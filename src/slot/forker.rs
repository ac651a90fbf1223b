//! Which process forks a program: a warm interpreter where one fits, or else the exec zygote.

use super::link::Link;
use super::warm::{self, ForkRequest, Interpreter};
use crate::spec::limits::Limits;
use crate::spec::warm::Start;
use std::os::fd::RawFd;

/// What can fork a program.
pub(super) struct Forkers<'a> {
    exec: &'a mut Link,
    warm: &'a mut [Box<dyn Interpreter>],
}

/// Which of them does it.
pub(super) struct Forker<'a> {
    pub start: Start,
    pub zygote: &'a mut Link,
    /// That of the zygote's own programs, where it does not enforce one for all.
    pub ruleset: Option<RawFd>,
    /// Whether the zygote's programs have the base environment from it.
    pub has_base_environment: bool,
}

impl<'a> Forkers<'a> {
    pub(super) fn new(exec: &'a mut Link, warm: &'a mut [Box<dyn Interpreter>]) -> Forkers<'a> {
        Forkers { exec, warm }
    }

    /// Those of no warm interpreter.
    pub(super) fn cold(self) -> Forkers<'a> {
        Forkers {
            warm: &mut [],
            ..self
        }
    }

    /// Those that can give a program these limits: a warm one has the stack that it was started with.
    pub(super) fn within(self, limits: &Limits) -> Forkers<'a> {
        match limits.stack_bytes {
            Some(bytes) if bytes > warm::MAX_STACK => self.cold(),
            _ => self,
        }
    }

    /// A warm one where the program fits.
    pub(super) fn choose(self, request: ForkRequest<'_>) -> Forker<'a> {
        let mut warm = self.warm.iter_mut();
        match warm.find(|interpreter| interpreter.fits(request)) {
            Some(interpreter) => {
                let start = interpreter.start();
                let has_base_environment = interpreter.has_base_environment();
                let (zygote, ruleset) = interpreter.zygote();
                Forker {
                    start,
                    zygote,
                    ruleset,
                    has_base_environment,
                }
            }
            None => Forker {
                start: Start::Exec,
                zygote: self.exec,
                ruleset: None,
                has_base_environment: false,
            },
        }
    }
}
