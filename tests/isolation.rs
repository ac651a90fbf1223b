//! Promise: an episode reaches nothing of the host, nothing of another episode, and leaves nothing to the next.
//!
//! Every test runs in all ways (root and ordinary user, both tiers). A denial is only worth something if the same
//! program succeeds elsewhere, so each comes with a control: outside the sandbox, or inside with a grant.

mod common;

#[path = "isolation/attacks.rs"]
mod attacks;
#[path = "isolation/batch.rs"]
mod batch;
#[path = "isolation/case.rs"]
mod case;
#[path = "serve/client.rs"]
mod client;
#[path = "isolation/episodes.rs"]
mod episodes;
#[path = "isolation/files.rs"]
mod files;
#[path = "isolation/kernel.rs"]
mod kernel;
#[path = "isolation/ledger.rs"]
mod ledger;
#[path = "isolation/leftovers.rs"]
mod leftovers;
#[path = "isolation/network.rs"]
mod network;
#[path = "isolation/processes.rs"]
mod processes;
#[path = "isolation/session.rs"]
mod session;
#[path = "isolation/uids.rs"]
mod uids;
#[path = "isolation/warm.rs"]
mod warm;
