//! Interpreters that are kept warm: a bash that has done its login start-up and forks a child for each `command`.
//!
//! Like the exec zygote, the interpreter is outside of the slot's PID namespace (without one: a child of init), and
//! carries the filter, no capabilities and `no_new_privs` before it starts. What it loads
//! (`guest`) lets its children restrict themselves as an exec'd program is restricted. Whatever can't be
//! served identically goes to the exec zygote.
//!
//! A Python with large modules is too dear to be started in each slot: the runner starts one *parent* per interpreter,
//! outside of all slots, which is forked into each of them.
//!
//! ```text
//! runner ── parent        imports once; trusts the runner, runs no episode; forks for each slot a
//!            └ zygote     enters the slot's namespaces, gives up everything, and for each launch forks a
//!               └ program restricts itself as every other
//! ```

mod bash;
mod parent;
mod parked;
mod process;
mod python;
mod startup;

use self::bash::Bash;
use super::link::{Link, LinkBroken};
use super::space::Space;
use crate::spec::policy::Tier;
use crate::spec::step::Step;
use crate::spec::warm::PerSlot;
use crate::spec::warm::Start;
use crate::wire::message::Setup;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;

/// What is to be forked.
#[derive(Clone, Copy)]
pub(super) struct ForkRequest<'a> {
    pub step: &'a Step,
    pub argv: &'a [String],
    /// Where init sees the working directory.
    pub workdir: &'a Path,
    /// What the episode's own ruleset has to name.
    pub extra: &'a [String],
}

/// A warm interpreter, as a slot uses it. What differs between interpreters is behind this.
pub(super) trait Interpreter {
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

pub use parent::main as parent_main;
pub(super) use process::{Forked, end, fork_all};
pub(super) use python::Python;

/// Makes a forked process the interpreter that it was forked for, and waits until that is ready. None where it can't be had, or
/// where a fork of it would not do what a new one would.
pub(super) fn start(forked: Forked, setup: &Setup, space: &Space) -> Option<Box<dyn Interpreter>> {
    match forked.interpreter {
        PerSlot::Bash => Some(Box::new(Bash::start(forked, setup, space)?)),
    }
}

/// The largest stack that a fork of a warm interpreter can be given, in bytes. It lies where the interpreter's own lies, with
/// as much address space below it as the kernel chose by chance when that was started: one in some thirty thousand has less.
pub(super) const MAX_STACK: u64 = 1 << 30;

/// Tells a zygote that is ready to enforce its programs' ruleset on itself, which then holds for all of them. Where
/// each program has a domain of its own, the ruleset comes back, for each program to enforce.
fn hand_over(ruleset: OwnedFd, link: &Link, tier: Tier) -> Result<Option<OwnedFd>, LinkBroken> {
    if tier.has_domain_per_program() {
        return Ok(Some(ruleset));
    }
    link.send_with(&(), &[ruleset.as_raw_fd()])?;
    Ok(None)
}
