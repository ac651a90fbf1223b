//! One session, from the wait for a slot to the end of everything it was.

use super::answer::{Code, NoResult, RequestError};
use super::budget::Held;
use super::connection_state::{ConnectionState, Handle, MAX_WAITING, Op, Request, WaitingStart};
use super::frame::{Closing, sleep_for};
use super::id::Id;
use super::open::{SessionPermit, open};
use super::request::{Exec, Start};
use super::server::Server;
use super::{download, upload};
use crate::pool::{self, RunError};
use crate::spec::outcome::{ExecOutcome, Status};
use crate::spec::paths;
use crate::spec::sandbox::Sandbox;
use crate::spec::step::{StepDefaults, env_bytes};
use serde::Serialize;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tracing::debug;

/// A start until it is answered.
pub(super) struct Asked {
    pub id: Id,
    pub start: Start,
    pub waits: WaitingStart,
    pub held: Held,
}

#[derive(Serialize)]
struct Started<'a> {
    session: &'a str,
    #[serde(flatten)]
    enforced: crate::spec::policy::Enforced,
    queue_ms: f64,
    start_ms: f64,
}

/// Waits for a slot, answers the start, and lives until the session is over.
pub(super) async fn live(server: Rc<Server>, shared: Rc<ConnectionState>, asked: Asked) {
    let Asked {
        id,
        start,
        waits,
        mut held,
    } = asked;
    let mut closing = shared.closing();
    let idle = match start.idle_s {
        Some(seconds) => (seconds > 0.0).then(|| Duration::from_secs_f64(seconds)),
        None => server.config.idle,
    };
    let opened = tokio::select! {
        _ = closing.wait_for(Option::is_some) => Err(RequestError::stopped()),
        opened = open(&server, &start) => opened,
    };
    drop(waits);
    let opened = match opened {
        Ok(opened) => opened,
        Err(fault) => return shared.client.answer(&id, Err::<(), _>(fault)).await,
    };
    drop(start);
    held.shrink(env_bytes(&opened.defaults.env));
    let (ops, requests) = mpsc::channel(MAX_WAITING);
    let (stop, stopped) = oneshot::channel();
    let name = shared.register(Handle { ops, stop });
    let mut life = Life {
        server,
        shared,
        name,
        sandbox: opened.sandbox,
        defaults: opened.defaults,
        has_run: false,
        session: opened.session,
        idle,
        place: opened.place,
        _held: held,
    };
    let started = Started {
        session: &life.name,
        enforced: life.session.enforced(),
        queue_ms: opened.queue_ms,
        start_ms: opened.start_ms,
    };
    debug!(
        session = &*life.name,
        slot = life.session.slot_number(),
        "started"
    );
    life.shared.client.answer(&id, Ok(started)).await;
    life.run(requests, stopped, closing).await;
}

struct Life {
    server: Rc<Server>,
    shared: Rc<ConnectionState>,
    name: String,
    sandbox: Sandbox,
    defaults: StepDefaults,
    /// Whether a program has run.
    has_run: bool,
    session: pool::Session,
    idle: Option<Duration>,
    place: SessionPermit,
    /// What the server holds of its start.
    _held: Held,
}

/// What ends a session.
enum Ended {
    /// Its connection ends, and this request ran. A client that sends no more may still read.
    Closing {
        running: Option<Id>,
    },
    /// By this request, and this other one ran.
    Stopped {
        by: Id,
        running: Option<Id>,
    },
    Idle,
    /// During this request, and why.
    Lost(Id, String),
}

impl Life {
    async fn run(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        mut stopped: oneshot::Receiver<Id>,
        mut closing: Closing,
    ) {
        let ended = loop {
            let request = tokio::select! {
                // Its client may send a `stop` and then no more: both are there at once, and the one is to be answered.
                biased;
                Ok(by) = &mut stopped => break Ended::Stopped { by, running: None },
                _ = closing.wait_for(Option::is_some) => break Ended::Closing { running: None },
                Some(request) = requests.recv() => request,
                () = sleep_for(self.idle) => break Ended::Idle,
            };
            let Request {
                id,
                op,
                cancelled,
                held: _held,
            } = request;
            let doing = self.perform(&id, op, cancelled);
            let done = tokio::select! {
                biased;
                Ok(by) = &mut stopped => break Ended::Stopped { by, running: Some(id) },
                _ = closing.wait_for(Option::is_some) => break Ended::Closing { running: Some(id) },
                done = doing => done,
            };
            if let Err(lost) = done {
                break Ended::Lost(id, lost);
            }
        };
        self.end(ended, requests).await;
    }

    /// Does one thing and answers it. An error is the end of the session, and the answer is still due.
    async fn perform(
        &mut self,
        id: &Id,
        op: Op,
        mut cancelled: oneshot::Receiver<()>,
    ) -> Result<(), String> {
        let client = self.shared.client.clone();
        if cancelled.try_recv().is_ok() {
            self.report::<()>(id, Err(NoResult::Request(RequestError::cancelled())))
                .await;
            return Ok(());
        }
        let lost = match op {
            Op::Exec(exec, accepted_ns) => {
                let done = self.exec(exec, accepted_ns, &mut cancelled).await;
                self.report(id, done).await
            }
            Op::Upload(path) => {
                let from = upload::UploadSource {
                    id,
                    client: &client,
                    uploads: &self.shared.uploads.clone(),
                    idle_timeout: self.idle,
                };
                let moved = match self.resolve(&path) {
                    Ok(base) => upload::run(&mut self.session, &base, from, &mut cancelled).await,
                    Err(broken) => Err(broken),
                };
                self.report(id, moved).await
            }
            Op::Download(path) => {
                let moved = match self.resolve(&path) {
                    Ok(path) => {
                        let session = &mut self.session;
                        download::run(session, path, id, &client, &mut cancelled).await
                    }
                    Err(broken) => Err(broken),
                };
                self.report(id, moved).await
            }
        };
        lost.map_or(Ok(()), Err)
    }

    /// Answers a request, unless the session is over: then why.
    async fn report<T: Serialize>(&self, id: &Id, done: Result<T, NoResult>) -> Option<String> {
        let answer = match done {
            Ok(done) => Ok(done),
            Err(NoResult::Request(fault)) => Err(fault),
            // Answered when it has ended.
            Err(NoResult::Session(why)) => return Some(why),
        };
        // From the answer on, its id may be another's.
        self.shared.forget(id);
        self.shared.client.answer(id, answer).await;
        None
    }

    async fn exec(
        &mut self,
        exec: Exec,
        accepted_ns: u64,
        cancelled: &mut oneshot::Receiver<()>,
    ) -> Result<ExecOutcome, NoResult> {
        let mut step = exec
            .parse(&self.defaults, &self.server.context)
            .map_err(NoResult::Request)?;
        let mut was = false;
        let cancel = async {
            match cancelled.await {
                Ok(()) => was = true,
                // Nobody can ask for it any more.
                Err(_) => std::future::pending().await,
            }
        };
        let execution = match self.session.exec(&self.sandbox, &mut step, cancel).await {
            Ok(execution) => execution,
            Err(RunError::HostFile(error)) => {
                return Err(NoResult::Request(RequestError::new(
                    Code::Invalid,
                    error.to_string(),
                )));
            }
            Err(error) => return Err(NoResult::Session(error.to_string())),
        };
        let is_first = !self.has_run;
        self.has_run |= execution.steps.iter().any(|step| step.running_ns != 0);
        let outcome = ExecOutcome::of(&self.sandbox, &step, execution, is_first, accepted_ns);
        self.server.stats.record(&outcome);
        if was && outcome.verdict.status == Status::Timeout {
            return Err(NoResult::Request(RequestError::cancelled()));
        }
        Ok(outcome)
    }

    /// Where a path of a request leads in the sandbox.
    fn resolve(&self, path: &str) -> Result<String, NoResult> {
        let resolved = paths::resolve(&self.sandbox.workdir, path);
        resolved.map_err(|flaw| NoResult::Request(RequestError::bad(format!("`path` {flaw}"))))
    }

    /// Ends the sandbox and gives its place back first: a client that does not read its answers keeps neither.
    async fn end(self, ended: Ended, mut requests: mpsc::Receiver<Request>) {
        let why = match &ended {
            Ended::Closing { .. } => "its connection closed".into(),
            Ended::Stopped { .. } => "it was stopped".into(),
            Ended::Idle => "it was idle for longer than its idle_s".into(),
            Ended::Lost(_, lost) => lost.clone(),
        };
        debug!(session = &*self.name, why, "is over");
        self.shared.over(&self.name, why);
        requests.close();
        self.session.end().await;
        drop(self.place);
        self.server.pool.keep_spares();
        let answer = async |id: &Id, fault: RequestError| {
            self.shared.forget(id);
            self.shared.client.answer(id, Err::<(), _>(fault)).await;
        };
        let mut stopped_by = None;
        match ended {
            Ended::Lost(id, why) => {
                let message = format!("{why}; the session is over");
                answer(&id, RequestError::new(Code::Infra, message)).await;
            }
            Ended::Stopped { by, running } => {
                if let Some(id) = running {
                    answer(&id, RequestError::stopped()).await;
                }
                stopped_by = Some(by);
            }
            Ended::Closing { running: Some(id) } => answer(&id, RequestError::stopped()).await,
            Ended::Closing { running: None } | Ended::Idle => {}
        }
        while let Some(request) = requests.recv().await {
            answer(&request.id, RequestError::stopped()).await;
        }
        if let Some(id) = stopped_by {
            let done = serde_json::json!({});
            self.shared.client.answer(&id, Ok(done)).await;
        }
    }
}
