//! What a tier does to set a slot up, and to find and end what runs in it: everything on the slot's side in which the tiers
//! differ by what they do. In what they differ by what there is, [`Tier`] tells; the rulesets and the filter are tables that
//! name the tiers.

mod landlock;
mod namespaces;

use super::root::OpenGrants;
use crate::spec::policy::{Network, Tier};
use crate::sys::fork::SingleThreaded;
use crate::wire::failure::Failure;
use crate::wire::message::Setup;
use std::fs::File;
use std::io;

/// How long killed processes may take to be gone, in nanoseconds.
pub(crate) const KILL_TIMEOUT_NS: u64 = 5_000_000_000;

/// The only place where a tier is chosen.
pub(crate) fn of(tier: Tier) -> &'static dyn Isolation {
    match tier {
        Tier::Namespaces => &namespaces::Namespaces,
        Tier::Landlock => &landlock::Landlock,
    }
}

/// A tier, on the slot's side.
pub(crate) trait Isolation: Sync {
    /// Takes this process into the sandbox, before it forks anything. What comes back is for [`build_root`](Self::build_root).
    fn enter(&self, setup: &Setup, single: &SingleThreaded) -> Result<OpenGrants, Failure>;

    /// Takes the processes into it that are forked from here on; the next is the first of them.
    fn enter_processes(&self) -> Result<(), Failure>;

    /// For init: makes the file tree that programs see.
    fn build_root(&self, setup: &Setup, grants: OpenGrants) -> Result<(), Failure>;

    /// For init: gives up, for good, all privileges that it does not need.
    fn drop_privileges(&self) -> Result<(), Failure>;

    /// The namespaces that a process from outside has to enter, the user namespace first.
    fn namespaces(&self, network: Network) -> io::Result<Vec<File>>;

    /// The namespace that the programs' processes have to be in, where a zygote is not in it itself.
    fn process_namespace(&self) -> io::Result<Option<File>>;

    /// The uid and gid that programs have, as a process has to name them that has entered the namespaces.
    fn user(&self, setup: &Setup) -> (u32, u32);

    /// Processes beside the program's that count against its limit of processes (RLIMIT_NPROC), but for warm interpreters.
    fn own_processes(&self, setup: &Setup) -> u32;

    /// For init: every process of the episode, zombies included. `zygotes` are those that it is the parent of.
    fn processes(&self, zygotes: &[i32]) -> Vec<i32>;

    /// For init: whether the episode has a process, zombies included.
    fn is_anything_left(&self, zygotes: &[i32]) -> bool;

    /// Whether this parent of a process, as init reads it, is a zygote.
    fn is_zygote(&self, parent: i32, zygotes: &[i32]) -> bool;

    /// For init: sends SIGKILL to every process of the episode; whether there was one, zombies included.
    fn kill(&self, zygotes: &[i32]) -> bool;

    /// For init, before it ends: ends every process of the slot that would not end with it, and waits for them, since until
    /// then they can write.
    fn end_processes(&self);

    /// Removes what [`enter`](Self::enter) has made, when nobody writes to it any more.
    fn remove_made(&self, setup: &Setup);
}
