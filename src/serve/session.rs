//! One session, from the wait for a slot to the end of everything it was.

use super::answer::{Code, Fault};
use super::connection::Shared;
use super::request::{Fields, Id, Start};
use super::run::Server;
use super::{download, upload};
use crate::pool::{self, RunError, SlotLost};
use crate::spec::outcome::{Outcome, Status, Verdict};
use crate::spec::paths;
use serde::Serialize;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// Requests that may wait in one session.
const WAITING: usize = 64;

/// What is asked of a session.
pub enum Op {
    /// With the time at which it came.
    Exec(Fields, u64),
    Upload(String),
    Download(String),
}

/// What of a session a connection holds.
pub struct Handle {
    /// Requests, each with what says that it is to be given up.
    pub ops: mpsc::Sender<(Id, Op, oneshot::Receiver<()>)>,
    pub stop: oneshot::Sender<Id>,
}

/// Why a request has no result.
#[derive(Debug)]
pub enum Broken {
    Request(Fault),
    /// The session is over with it.
    Session(String),
}

impl Broken {
    pub fn lost(lost: SlotLost) -> Broken {
        Broken::Session(lost.to_string())
    }
}

#[derive(Serialize)]
struct Started<'a> {
    session: &'a str,
    #[serde(flatten)]
    enforced: crate::spec::policy::Enforced,
    queue_ms: f64,
    start_ms: f64,
}

/// An execution's result: what an episode's has of it.
#[derive(Serialize)]
struct Done {
    #[serde(flatten)]
    verdict: Verdict,
    queue_ms: f64,
    startup_ms: Option<f64>,
}

/// Waits for a slot, answers the start, and lives until the session is over.
pub async fn live(server: Rc<Server>, shared: Rc<Shared>, id: Id, start: Start) {
    let mut closing = shared.closing();
    let idle = match start.idle_s {
        Some(seconds) => (seconds > 0.0).then(|| Duration::from_secs_f64(seconds)),
        None => server.config.idle,
    };
    let opened = tokio::select! {
        _ = closing.wait_for(|closing| *closing) => return,
        opened = open(&server, &start) => opened,
    };
    let (session, place, queue_ms, start_ms) = match opened {
        Ok(opened) => opened,
        Err(fault) => return shared.client.answer(&id, Err::<(), _>(fault)).await,
    };
    let (ops, asked) = mpsc::channel(WAITING);
    let (stop, stopped) = oneshot::channel();
    let name = shared.register(Handle { ops, stop });
    let mut life = Life {
        server,
        shared,
        name,
        start,
        session,
        idle,
    };
    let started = Started {
        session: &life.name,
        enforced: life.session.enforced(),
        queue_ms,
        start_ms,
    };
    life.shared.client.answer(&id, Ok(started)).await;
    life.run(asked, stopped, closing).await;
    drop(place);
}

/// A session's place among those that there may be, and in the counts.
type Place = (tokio::sync::OwnedSemaphorePermit, super::stats::Counted);

async fn open(
    server: &Rc<Server>,
    start: &Start,
) -> Result<(pool::Session, Place, f64, f64), Fault> {
    let begin = Instant::now();
    let patience = start
        .wait_s
        .map_or(server.config.wait, Duration::from_secs_f64);
    let waits = server.stats.waits();
    let permit = tokio::time::timeout(patience, server.places.clone().acquire_owned())
        .await
        .map_err(|_| {
            let message = format!(
                "all {} sessions are taken, and none ended within {} s; stop some, raise wait_s, or give the server \
                 more with --sessions",
                server.config.sessions,
                patience.as_secs_f64()
            );
            Fault::new(Code::Busy, message)
        })?
        .expect("the server's places are never closed");
    // Slots are built few at a time: each would be the slower for the others.
    let building = server.building.acquire().await.expect("nor these");
    drop(waits);
    let queued = begin.elapsed();
    let opened = server
        .pool
        .open(&start.episode.grants, &start.episode.limits)
        .await;
    drop(building);
    server.pool.keep_ahead();
    let mut session = opened.map_err(|error| match error {
        RunError::NoLoopback | RunError::HostFile(_) => {
            Fault::new(Code::Invalid, error.to_string())
        }
        other => Fault::new(Code::Infra, other.to_string()),
    })?;
    if start
        .episode
        .steps
        .iter()
        .any(|step| !step.files.is_empty())
    {
        place_files(&mut session, start).await?;
    }
    let ms = |duration: Duration| (duration.as_secs_f64() * 1e6).round() / 1e3;
    let place = (permit, server.stats.session());
    Ok((session, place, ms(queued), ms(begin.elapsed() - queued)))
}

/// The files of a start are those of an execution that does nothing.
async fn place_files(session: &mut pool::Session, start: &Start) -> Result<(), Fault> {
    let execution = session.exec(&start.episode, std::future::pending()).await;
    let execution = execution.map_err(|error| Fault::new(Code::Invalid, error.to_string()))?;
    let outcome = Outcome::of(&start.episode, execution, 1, 0);
    match (outcome.verdict.status, outcome.verdict.error) {
        (Status::Ok, _) => Ok(()),
        (_, Some(error)) => Err(Fault::new(Code::Invalid, error)),
        (status, None) => Err(Fault::new(
            Code::Infra,
            format!("`true` ended {}", status.name()),
        )),
    }
}

struct Life {
    server: Rc<Server>,
    shared: Rc<Shared>,
    name: String,
    start: Start,
    session: pool::Session,
    idle: Option<Duration>,
}

/// What ends a session.
enum Ended {
    Closing,
    Stopped(Id),
    Idle,
    Lost(String),
}

impl Life {
    async fn run(
        mut self,
        mut asked: mpsc::Receiver<(Id, Op, oneshot::Receiver<()>)>,
        mut stopped: oneshot::Receiver<Id>,
        mut closing: watch::Receiver<bool>,
    ) {
        let ended = loop {
            let idle = self.idle;
            let rest = async {
                match idle {
                    Some(idle) => tokio::time::sleep(idle).await,
                    None => std::future::pending().await,
                }
            };
            let (id, op, cancelled) = tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => break Ended::Closing,
                Ok(id) = &mut stopped => break Ended::Stopped(id),
                Some(op) = asked.recv() => op,
                () = rest => break Ended::Idle,
            };
            let doing = self.perform(&id, op, cancelled);
            let done = tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => break Ended::Closing,
                Ok(stop) = &mut stopped => {
                    self.shared.forget(&id);
                    self.shared.client.answer(&id, Err::<(), _>(was_stopped())).await;
                    break Ended::Stopped(stop);
                }
                done = doing => done,
            };
            if let Err(lost) = done {
                break Ended::Lost(lost);
            }
        };
        self.end(ended, asked).await;
    }

    /// Does one thing and answers it. An error is the end of the session.
    async fn perform(
        &mut self,
        id: &Id,
        op: Op,
        mut cancelled: oneshot::Receiver<()>,
    ) -> Result<(), String> {
        let client = self.shared.client.clone();
        if cancelled.try_recv().is_ok() {
            self.report::<()>(id, Err(Broken::Request(was_cancelled())))
                .await;
            return Ok(());
        }
        let lost = match op {
            Op::Exec(fields, accepted_ns) => {
                let done = self.exec(fields, accepted_ns, &mut cancelled).await;
                self.report(id, done).await
            }
            Op::Upload(path) => {
                let from = upload::From {
                    id,
                    client: &client,
                    uploads: &self.shared.uploads.clone(),
                    patience: self.idle,
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

    /// Answers a request; why the session is over, if it is.
    async fn report<T: Serialize>(&self, id: &Id, done: Result<T, Broken>) -> Option<String> {
        let (answer, lost) = match done {
            Ok(done) => (Ok(done), None),
            Err(Broken::Request(fault)) => (Err(fault), None),
            Err(Broken::Session(why)) => {
                let fault = Fault::new(Code::Infra, format!("{why}; the session is over"));
                (Err(fault), Some(why))
            }
        };
        // From the answer on, its id may be another's.
        self.shared.forget(id);
        self.shared.client.answer(id, answer).await;
        lost
    }

    async fn exec(
        &mut self,
        fields: Fields,
        accepted_ns: u64,
        cancelled: &mut oneshot::Receiver<()>,
    ) -> Result<Done, Broken> {
        let episode = self
            .start
            .exec(fields, &self.server.context)
            .map_err(Broken::Request)?;
        let mut was = false;
        let cancel = async {
            match cancelled.await {
                Ok(()) => was = true,
                // Nobody can ask for it any more.
                Err(_) => std::future::pending().await,
            }
        };
        let execution = match self.session.exec(&episode, cancel).await {
            Ok(execution) => execution,
            Err(RunError::HostFile(error)) => {
                return Err(Broken::Request(Fault::new(
                    Code::Invalid,
                    error.to_string(),
                )));
            }
            Err(error) => return Err(Broken::Session(error.to_string())),
        };
        let mut outcome = Outcome::of(&episode, execution, 1, accepted_ns);
        // There is no jobs file whose line could be meant.
        let line = format!("{}: ", episode.origin);
        if let Some(error) = &mut outcome.verdict.error {
            *error = error.replacen(&line, "", 1);
        }
        self.server.stats.record(&outcome);
        if was && outcome.verdict.status == Status::Timeout {
            return Err(Broken::Request(was_cancelled()));
        }
        Ok(Done {
            verdict: outcome.verdict,
            queue_ms: outcome.queue_ms,
            startup_ms: outcome.startup_ms,
        })
    }

    /// Where a path of a request leads in the sandbox.
    fn resolve(&self, path: &str) -> Result<String, Broken> {
        let resolved = paths::resolve(&self.start.episode.workdir, path);
        resolved.map_err(|flaw| Broken::Request(Fault::bad(format!("`path` {flaw}"))))
    }

    async fn end(self, ended: Ended, mut asked: mpsc::Receiver<(Id, Op, oneshot::Receiver<()>)>) {
        let why = match &ended {
            Ended::Closing => "its connection closed".into(),
            Ended::Stopped(_) => "it was stopped".into(),
            Ended::Idle => "it was idle for longer than its idle_s".into(),
            Ended::Lost(lost) => lost.clone(),
        };
        self.shared.over(&self.name, why);
        asked.close();
        while let Some((id, ..)) = asked.recv().await {
            self.shared.forget(&id);
            self.shared
                .client
                .answer(&id, Err::<(), _>(was_stopped()))
                .await;
        }
        self.session.end().await;
        self.server.pool.keep_ahead();
        if let Ended::Stopped(id) = ended {
            self.shared
                .client
                .answer(&id, Ok(serde_json::json!({})))
                .await;
        }
    }
}

fn was_stopped() -> Fault {
    Fault::new(
        Code::Stopped,
        "the session was stopped before this was done",
    )
}

pub fn was_cancelled() -> Fault {
    Fault::new(Code::Cancelled, "the request was cancelled")
}
