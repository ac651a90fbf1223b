//! What all connections share.

use super::budget::Total;
use super::stats::Stats;
use crate::config::ServeConfig;
use crate::pool::Pool;
use crate::spec::parse::FileContext;
use crate::spec::policy::Enforced;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

pub(super) struct Server {
    pub config: ServeConfig,
    pub pool: Pool,
    pub enforced: Enforced,
    /// For reading requests as a jobs file's lines are read.
    pub context: FileContext,
    /// Sessions that there may still be, given in the order in which they are asked for.
    pub places: Arc<Semaphore>,
    /// Slots that may be built at one time.
    pub building: Semaphore,
    pub stats: Rc<Stats>,
    /// What all clients make the server hold.
    pub held: Rc<Total>,
    /// Becomes true when the server is at its end.
    pub ending: watch::Sender<bool>,
}

impl Server {
    /// Tells of [`Server::ending`].
    pub(super) fn ending(&self) -> watch::Receiver<bool> {
        self.ending.subscribe()
    }
}
