//! From a start to the sandbox of its session.

use super::answer::{Code, RequestError};
use super::request::Start;
use super::run::Server;
use super::stats::Counted;
use crate::pool::{self, BuildError, RunError};
use crate::spec::episode::Episode;
use crate::spec::outcome::{Outcome, Status};
use crate::spec::policy::Grants;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;

/// A session's place among those that there may be, and in the counts.
pub type SessionPermit = (OwnedSemaphorePermit, Counted);

/// A sandbox for a session.
pub struct Opened {
    pub session: pool::Session,
    pub place: SessionPermit,
    pub workdir: String,
    pub grants: Arc<Grants>,
    pub queue_ms: f64,
    pub start_ms: f64,
}

/// Waits for a place and for a slot, and puts the files of the start in.
pub async fn open(server: &Rc<Server>, start: &Start) -> Result<Opened, RequestError> {
    let begin = Instant::now();
    let wait = start
        .wait_s
        .map_or(server.config.wait, Duration::from_secs_f64);
    let waits = server.stats.waits();
    let permit = tokio::time::timeout(wait, server.places.clone().acquire_owned())
        .await
        .map_err(|_| {
            let message = format!(
                "all {} sessions are taken, and none ended within {} s; stop some, raise wait_s, or give the server \
                 more with --sessions",
                server.pool.size(),
                wait.as_secs_f64()
            );
            RequestError::new(Code::Busy, message)
        })?
        .expect("the server's places are never closed");
    // Slots are built few at a time: each would be the slower for the others.
    let building = server.building.acquire().await.expect("nor these");
    drop(waits);
    let queued = begin.elapsed();
    let mut episode = start.episode(&server.context)?;
    let opened = server.pool.open(&episode.grants, &episode.limits).await;
    drop(building);
    server.pool.keep_spares();
    let mut session = opened.map_err(|error| match error {
        RunError::NoLoopback
        | RunError::HostFile(_)
        | RunError::Build(BuildError::ScratchGranted(_)) => {
            RequestError::new(Code::Invalid, error.to_string())
        }
        other => RequestError::new(Code::Infra, other.to_string()),
    })?;
    if episode.steps.iter().any(|step| !step.files.is_empty()) {
        place_files(&mut session, &mut episode).await?;
    }
    let ms = |duration: Duration| (duration.as_secs_f64() * 1e6).round() / 1e3;
    Ok(Opened {
        session,
        place: (permit, server.stats.session()),
        workdir: episode.workdir,
        grants: episode.grants,
        queue_ms: ms(queued),
        start_ms: ms(begin.elapsed() - queued),
    })
}

/// The files of a start are those of an execution that does nothing.
async fn place_files(session: &mut pool::Session, start: &mut Episode) -> Result<(), RequestError> {
    let execution = session.exec(start, std::future::pending()).await;
    let execution =
        execution.map_err(|error| RequestError::new(Code::Invalid, error.to_string()))?;
    let outcome = Outcome::of(start, execution, Vec::new(), 0);
    match (outcome.verdict.status, outcome.verdict.error) {
        (Status::Ok, _) => Ok(()),
        (Status::InfraError, Some(error)) => Err(RequestError::new(Code::Infra, error)),
        (_, Some(error)) => Err(RequestError::new(Code::Invalid, error)),
        (status, None) => Err(RequestError::new(
            Code::Infra,
            format!("`true` ended {}", status.name()),
        )),
    }
}
