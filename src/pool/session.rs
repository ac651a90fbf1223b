//! A slot as one session's own: it is not returned but ended.

use super::host::{Host, Whose};
use super::lease::Lease;
use super::process::Processes;
use super::run::{RunError, answered, request_for};
use super::slot::SlotLost;
use super::state::Pool;
use crate::spec::episode::Episode;
use crate::spec::execution::Execution;
use crate::spec::limits::Limits;
use crate::spec::policy::{Enforced, Grants};
use crate::sys::clock::monotonic_ns;
use crate::wire::transfer::{Get, NotDone, Piece, Put};
use nix::unistd::Pid;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long a slot may take over a piece of a file, or over opening.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How soon a process that is to end is looked for again, and at the latest.
const MIN_POLL_INTERVAL: Duration = Duration::from_micros(500);
const MAX_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// An open session. Dropped, it is ended; [`Session::end`] also waits for that.
pub struct Session {
    lease: Lease,
    host: Rc<Host>,
    processes: Rc<Processes>,
}

impl Pool {
    /// Opens a session in a slot with these grants, waiting for one if all are taken.
    pub async fn open(&self, grants: &Arc<Grants>, limits: &Limits) -> Result<Session, RunError> {
        self.check_network(grants.network)?;
        loop {
            let mut lease = self.lease(grants, false).await?;
            match within(ANSWER_TIMEOUT, lease.slot().open(limits)).await {
                Ok(()) => {
                    return Ok(Session {
                        lease,
                        host: self.host(),
                        processes: self.processes(),
                    });
                }
                // It died while it was idle; its place is free now.
                Err(SlotLost::WasDead) => drop(lease),
                Err(lost) => return Err(lost.into()),
            }
        }
    }
}

impl Session {
    /// The number of its slot in the pool.
    pub fn slot_number(&mut self) -> u32 {
        self.lease.slot().number
    }

    pub fn enforced(&mut self) -> Enforced {
        self.lease.slot().enforced
    }

    /// Runs one execution, an episode with one step; when `cancel` is ready it ends as at its timeout. After
    /// [`RunError::Lost`] the session is over. What goes to the slot is taken out of the episode: it can be large, and
    /// executions can be many and long.
    pub async fn exec(
        &mut self,
        episode: &mut Episode,
        cancel: impl Future<Output = ()>,
    ) -> Result<Execution, RunError> {
        let mut request = request_for(episode).await?;
        for step in &mut episode.steps {
            (step.files, step.stdin) = (Vec::new(), Vec::new());
        }
        let whose = Whose::of(self.lease.slot());
        self.host.before(whose);
        request.handed_ns = monotonic_ns();
        let process = self.lease.slot().process();
        let running = self.lease.slot().exec(request, cancel);
        let mut execution = answered(process, episode, None, running).await?;
        let limits = &episode.limits;
        self.host.explain(whose, limits, &mut execution).await;
        Ok(execution)
    }

    /// Puts a piece of a file in. After an outer error the session is over.
    pub async fn put(&mut self, piece: Put) -> Result<Result<(), NotDone>, SlotLost> {
        within(ANSWER_TIMEOUT, self.lease.slot().put(piece)).await
    }

    /// Takes a piece of a file out. After an outer error the session is over.
    pub async fn get(&mut self, what: Get) -> Result<Result<Piece, NotDone>, SlotLost> {
        within(ANSWER_TIMEOUT, self.lease.slot().get(what)).await
    }

    /// Ends the session and waits until every process of it is gone.
    pub async fn end(mut self) {
        let slot: Pid = self.lease.slot().process();
        let processes = self.processes.clone();
        drop(self);
        let mut pause = MIN_POLL_INTERVAL;
        // The pool sees to one that does not end by itself.
        while processes.is_there(slot) {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(MAX_POLL_INTERVAL);
        }
    }
}

async fn within<T>(
    answer_timeout: Duration,
    asked: impl Future<Output = Result<T, SlotLost>>,
) -> Result<T, SlotLost> {
    tokio::time::timeout(answer_timeout, asked)
        .await
        .unwrap_or(Err(SlotLost::Silent))
}
