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
mod process;
mod python;
mod startup;

use super::link::{Link, LinkBroken};
use crate::spec::policy::Tier;
use std::os::fd::{AsRawFd, OwnedFd};

pub use bash::Bash;
pub use parent::main as parent_main;
pub use process::{Forked, end, fork};
pub use python::Python;

/// The largest stack that a fork of a warm interpreter can be given, in bytes. It lies where the interpreter's own lies, with
/// as much address space below it as the kernel chose by chance when that was started: one in some thirty thousand has less.
pub const MAX_STACK: u64 = 1 << 30;

/// Tells a zygote that is ready to enforce its programs' ruleset on itself, which then holds for all of them. Where
/// each program has a domain of its own, the ruleset comes back, for each program to enforce.
fn hand_over(ruleset: OwnedFd, link: &Link, tier: Tier) -> Result<Option<OwnedFd>, LinkBroken> {
    if tier.has_domain_per_program() {
        return Ok(Some(ruleset));
    }
    link.send_with(&(), &[ruleset.as_raw_fd()])?;
    Ok(None)
}
