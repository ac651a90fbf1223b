//! A warm interpreter, as a slot uses it.

use crate::slot::link::{Link, LinkBroken};
use crate::spec::policy::Tier;
use crate::spec::step::Step;
use crate::spec::warm::Start;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;

/// What is to be forked.
#[derive(Clone, Copy)]
pub(in crate::slot) struct ForkRequest<'a> {
    pub step: &'a Step,
    pub argv: &'a [String],
    /// Where init sees the working directory.
    pub workdir: &'a Path,
    /// What the episode's own ruleset has to name.
    pub extra: &'a [String],
}

/// A warm interpreter, as a slot uses it. What differs between interpreters is behind this.
pub(in crate::slot) trait Interpreter {
    /// What results say of a program that it forks.
    fn start(&self) -> Start;

    /// Whether a fork of it would do exactly what a new one would.
    fn fits(&self, request: ForkRequest<'_>) -> bool;

    /// The zygote, and the ruleset of its programs where it does not enforce one for all of them.
    fn zygote(&mut self) -> (&mut Link, Option<RawFd>);

    /// Whether its programs have the base environment from the zygote, so that only what a step adds is sent.
    fn has_base_environment(&self) -> bool;

    /// Lets its zygote in, if it has come by now and one of these steps asks for such a program; the pid, the one time that it
    /// does. To be called between episodes: a process more would count against the limit of one that runs.
    fn arrive(&mut self, _steps: &[Step]) -> Option<i32> {
        None
    }
}

/// Tells a zygote that is ready to enforce its programs' ruleset on itself, which then holds for all of them. Where
/// each program has a domain of its own, the ruleset comes back, for each program to enforce.
pub(super) fn hand_over(
    ruleset: OwnedFd,
    link: &Link,
    tier: Tier,
) -> Result<Option<OwnedFd>, LinkBroken> {
    if tier.has_domain_per_program() {
        return Ok(Some(ruleset));
    }
    link.send_with(&(), &[ruleset.as_raw_fd()])?;
    Ok(None)
}
