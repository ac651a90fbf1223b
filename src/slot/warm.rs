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
mod interpreter;
mod parent;
mod parked;
mod process;
mod python;
mod startup;

use self::bash::Bash;
use super::space::Space;
use crate::spec::warm::PerSlot;
use crate::wire::message::Setup;

pub(super) use interpreter::{ForkRequest, Interpreter};
pub use parent::main as parent_main;
pub(super) use process::{Forked, fork_all};
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
