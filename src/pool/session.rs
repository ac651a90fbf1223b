//! A slot as one session's own: it is not returned but ended.

use super::failure::SlotLost;
use super::host_faults::{Host, Whose};
use super::input::{files_of_host, with_host_files};
use super::lease::Lease;
use super::process::Processes;
use super::run::{AnswerLimit, RunError};
use super::state::Pool;
use crate::spec::execution::{Execution, NotPrepared};
use crate::spec::policy::Enforced;
use crate::spec::sandbox::Sandbox;
use crate::spec::step::{InputFile, Step};
use crate::sys::clock::monotonic_ns;
use crate::wire::answer::Expected;
use crate::wire::message::StepRequest;
use crate::wire::transfer::{Get, NotDone, Piece, Put};
use bytes::Bytes;
use nix::unistd::Pid;
use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

/// How long a slot may take over a piece of a file.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long it may take over opening, with all the files of a start.
const OPEN_TIMEOUT: Duration = Duration::from_secs(120);
/// How soon a process that is to end is looked for again, and at the latest.
const MIN_POLL_INTERVAL: Duration = Duration::from_micros(500);
const MAX_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("a file could not be put in place")]
    Files(NotPrepared, Enforced),
}

/// An open session. Dropped, it is ended; [`Session::end`] also waits for that.
pub struct Session {
    lease: Lease,
    host: Rc<Host>,
    processes: Rc<Processes>,
}

impl Pool {
    /// Opens a session in a slot with these grants, and with these files in it; waits for one if all are taken.
    pub async fn open(
        &self,
        sandbox: &Sandbox,
        files: Vec<InputFile>,
    ) -> Result<Session, OpenError> {
        self.check_network(sandbox.grants.network)?;
        let files = files_of_host(files, sandbox).await;
        let files = files.map_err(RunError::from)?;
        loop {
            let lease = self.lease(&sandbox.grants, false).await;
            let mut lease = lease.map_err(RunError::from)?;
            match within(OPEN_TIMEOUT, lease.slot().open(sandbox, &files)).await {
                Ok(Ok(())) => {
                    return Ok(Session {
                        lease,
                        host: self.host(),
                        processes: self.processes(),
                    });
                }
                Ok(Err(not_prepared)) => {
                    return Err(OpenError::Files(not_prepared, lease.slot().enforced));
                }
                // It died while it was idle; its place is free now.
                Err(SlotLost::WasDead) => drop(lease),
                Err(lost) => return Err(RunError::from(lost).into()),
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

    /// Runs one execution in the sandbox that it was opened with; when `cancel` is ready it ends as at its timeout. After
    /// [`RunError::Lost`] the session is over.
    ///
    /// The files and the stdin that go to the slot are taken out of the step: they can be large, and executions can be many
    /// and long.
    pub async fn exec(
        &mut self,
        sandbox: &Sandbox,
        step: &mut Step,
        cancel: impl Future<Output = ()>,
    ) -> Result<Execution, RunError> {
        let sent = with_host_files(std::slice::from_ref(step), sandbox).await?;
        let sent = sent.into_owned().remove(0);
        (step.files, step.stdin) = (Vec::new(), Bytes::new());
        let slot = self.lease.slot();
        let whose = Whose::of(slot);
        self.host.before(whose);
        let expected = Expected::of_step(monotonic_ns(), sandbox);
        let request = StepRequest {
            handed_ns: expected.handed_ns,
            step: Cow::Owned(sent),
        };
        let limit = AnswerLimit::of_step(step, sandbox.stretch);
        let process = slot.process();
        let running = async {
            slot.send_step(request, &expected).await?;
            slot.finish_step(&expected, cancel).await
        };
        let mut execution = limit.answered(process, running).await?;
        self.host
            .explain(whose, &sandbox.limits, &mut execution)
            .await;
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
