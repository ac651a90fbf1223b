//! Promise: an episode reaches nothing of the host, nothing of another episode, and leaves nothing to the next.
//!
//! Every test runs in all ways (root and ordinary user, both tiers). A denial is only worth something if the same
//! program succeeds elsewhere, so each comes with a control: outside the sandbox, or inside with a grant.

#[path = "../common/mod.rs"]
mod common;

mod attacks;
mod batch;
mod case;
mod episodes;
mod files;
mod kernel;
mod ledger;
mod leftovers;
mod network;
mod processes;
mod session;
mod uids;
mod warm;
