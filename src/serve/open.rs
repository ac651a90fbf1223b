//! From a start to the sandbox of its session.

use super::answer::{Code, RequestError};
use super::request::Start;
use super::server::Server;
use super::stats::Counted;
use crate::pool::{self, BuildError, OpenError, RunError};
use crate::spec::episode::SessionStart;
use crate::spec::sandbox::Sandbox;
use crate::spec::step::StepDefaults;
use crate::spec::verdict::not_opened;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;

/// A session's place among those that there may be, and in the counts.
pub(super) type SessionPermit = (OwnedSemaphorePermit, Counted);

/// A sandbox for a session.
pub(super) struct Opened {
    pub session: pool::Session,
    pub place: SessionPermit,
    pub sandbox: Sandbox,
    pub defaults: StepDefaults,
    pub queue_ms: f64,
    pub start_ms: f64,
}

/// Waits for a place and for a slot, and puts the files of the start in.
pub(super) async fn open(server: &Rc<Server>, start: &Start) -> Result<Opened, RequestError> {
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
    let SessionStart {
        sandbox,
        defaults,
        files,
    } = start.parse(&server.context)?;
    let opened = server.pool.open(&sandbox, files).await;
    drop(building);
    server.pool.keep_spares();
    let session = opened.map_err(|error| refusal(&sandbox, error))?;
    let ms = |duration: Duration| (duration.as_secs_f64() * 1e6).round() / 1e3;
    Ok(Opened {
        session,
        place: (permit, server.stats.session()),
        sandbox,
        defaults,
        queue_ms: ms(queued),
        start_ms: ms(begin.elapsed() - queued),
    })
}

/// What its client is told.
fn refusal(sandbox: &Sandbox, error: OpenError) -> RequestError {
    let code = match &error {
        OpenError::Files(missing, enforced) => {
            let why = not_opened(sandbox, missing, enforced.tier);
            return RequestError::new(Code::Invalid, why);
        }
        OpenError::Run(
            RunError::NoLoopback
            | RunError::HostFile(_)
            | RunError::Build(BuildError::ScratchGranted(_)),
        ) => Code::Invalid,
        OpenError::Run(_) => Code::Infra,
    };
    RequestError::new(code, error.to_string())
}
