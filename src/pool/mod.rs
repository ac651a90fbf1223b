//! The warm pool: slots that are built, leased, returned, and replaced when they are lost.
//!
//! A slot is built for certain grants. A lease gets an idle slot that fits, or a new one; where the pool is full,
//! an idle slot that does not fit is given up for it.

mod attachment;
mod build;
mod cgroup;
mod failure;
mod host_faults;
mod host_files;
mod host_sockets;
mod ids;
mod input;
mod lease;
mod leftover;
mod orphans;
mod process;
mod room;
mod run;
mod scarcity;
mod scratch;
mod session;
mod settings;
mod slot;
mod slot_log;
mod state;
mod trace;
mod warm;

pub use attachment::Attachment;
pub use cgroup::{Cgroups, NoCgroups, ProcessLimit, killed_together, process_limits};
pub use failure::{BuildError, NotWarm, SlotLost};
pub use host_files::HostFileError;
pub use ids::{NoUid, uid_per_slot};
pub use orphans::adopt_orphans;
pub use process::{PARENT_SIDE, SLOT_SIDE};
pub use room::{Scarce, SlotNeeds, of as room_for};
pub use run::RunError;
pub use session::{OpenError, Session};
pub use settings::PoolSettings;
pub use state::{Pool, WARM_UP_TIMEOUT};
pub use trace::{Trace, TraceError};
pub use warm::PythonSettings;
