//! What the programs of an episode print, shown until they have ended (`runner run`).

use super::NotShown;
use super::relay::Relay;
use crate::pool::{Attachment, Pool, RunError};
use crate::spec::episode::Episode;
use crate::spec::execution::Execution;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;

/// Runs the episode, and shows what its programs print until they have ended.
pub(super) async fn run(
    pool: &Pool,
    episode: &Episode,
    deadline_ns: Option<u64>,
) -> Result<Result<Execution, RunError>, NotShown> {
    let (stdout, stdout_end) = pipe2(OFlag::O_CLOEXEC).map_err(io::Error::from)?;
    let (stderr, stderr_end) = pipe2(OFlag::O_CLOEXEC).map_err(io::Error::from)?;
    let (closed, mut is_closed) = mpsc::unbounded_channel();
    let relays = [
        Relay::start(stdout, io::stdout(), closed.clone())?,
        Relay::start(stderr, io::stderr(), closed)?,
    ];
    let pipes = Attachment::Output {
        stdout: stdout_end,
        stderr: stderr_end,
    };
    let ran = tokio::select! {
        ran = pool.run_attached(episode, deadline_ns, Some(&pipes)) => ran,
        Some(why) = is_closed.recv() => return Err(NotShown::Output(why)),
    };
    drop(pipes);
    while !relays.iter().all(Relay::has_ended) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    if let Ok(why) = is_closed.try_recv() {
        return Err(NotShown::Output(why));
    }
    Ok(ran)
}
