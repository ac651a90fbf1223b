//! Somebody at the terminal of a sandbox (`runner shell`): what is typed goes in, what is shown comes out, and the size goes along.
//!
//! The sandbox has a terminal of its own, of which we hold the other end. Ours is never handed in: what runs inside could read what is
//! typed after its end, or type for us. It is in raw mode meanwhile, so that keys which mean something to a terminal (^C, ^Z, ^D)
//! mean it to the one inside.

use super::NotShown;
use crate::pool::{Attachment, Pool, RunError};
use crate::spec::episode::Episode;
use crate::spec::execution::Execution;
use crate::sys::{socket, terminal};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{self, IsTerminal, Read, Stdin, Write, stdin, stdout};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};

/// How long the last of what was printed may take to be shown, once all programs have ended.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);
const CHUNK_BYTES: usize = 16 << 10;

/// Whether there is somebody to sit at it.
pub(super) fn check() -> Result<(), NotShown> {
    if stdin().is_terminal() && stdout().is_terminal() {
        Ok(())
    } else {
        Err(NotShown::NoTerminal)
    }
}

/// Runs the episode with the user at its terminal.
pub(super) async fn run(
    pool: &Pool,
    episode: &Episode,
    deadline_ns: Option<u64>,
) -> Result<Result<Execution, RunError>, NotShown> {
    let own_size = || terminal::size(stdin()).map_err(io::Error::from);
    let mut resized = signal(SignalKind::window_change())?;
    let (ours, to) = socket::pair().map_err(io::Error::from)?;
    let ours = socket::register(ours)?;
    let size = own_size()?;
    let attachment = Attachment::Terminal {
        to,
        rows: size.ws_row,
        columns: size.ws_col,
    };
    let ran = pool.run_attached(episode, deadline_ns, Some(&attachment));
    tokio::pin!(ran);
    let user_end = tokio::select! {
        ran = &mut ran => return Ok(ran),
        arrived = arrival(&ours) => arrived?,
    };
    let raw = RawMode::enter()?;
    let shows = connect(&user_end)?;
    let ran = loop {
        tokio::select! {
            ran = &mut ran => break ran,
            _ = resized.recv() => {
                // A terminal that has gone needs no size.
                let _ = own_size().map(|size| terminal::set_size(&user_end, size));
            }
        }
    };
    let end = Instant::now() + LAST_TIMEOUT;
    while !shows.is_finished() && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(raw);
    Ok(ran)
}

/// Our end of the sandbox's terminal.
async fn arrival(socket: &AsyncFd<OwnedFd>) -> io::Result<OwnedFd> {
    loop {
        let mut ready = socket.readable().await?;
        let mut fds = Vec::new();
        let taken = ready.try_io(|socket| {
            socket::recv(socket.get_ref().as_fd(), &mut [0], &mut fds).map_err(io::Error::from)
        });
        match taken {
            Ok(taken) => {
                taken?;
                return fds.pop().ok_or_else(|| io::ErrorKind::UnexpectedEof.into());
            }
            Err(_) => continue,
        }
    }
}

/// Copies in both directions. What comes out is all shown when the thread that is returned has ended: the other one waits for keys,
/// and ends with the process.
fn connect(user_end: &OwnedFd) -> io::Result<JoinHandle<()>> {
    let keys = File::from(stdin().as_fd().try_clone_to_owned()?);
    let screen = File::from(stdout().as_fd().try_clone_to_owned()?);
    let (typed, printed) = (
        File::from(user_end.try_clone()?),
        File::from(user_end.try_clone()?),
    );
    Builder::new()
        .name("keys".into())
        .spawn(move || copy(keys, typed))?;
    Builder::new()
        .name("screen".into())
        .spawn(move || copy(printed, screen))
}

/// Until one of them is gone; a terminal nobody runs in any more is EIO (pty(7)).
fn copy(mut from: File, mut to: File) {
    let mut buffer = [0; CHUNK_BYTES];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) if to.write_all(&buffer[..length]).is_err() => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Our terminal, which passes all keys on as long as this is there.
struct RawMode {
    terminal: Stdin,
    before: Termios,
}

impl RawMode {
    fn enter() -> io::Result<RawMode> {
        let terminal = stdin();
        let before = tcgetattr(&terminal)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&terminal, SetArg::TCSADRAIN, &raw)?;
        Ok(RawMode { terminal, before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // There is nobody to tell: without the terminal nothing is left to be restored.
        let _ = tcsetattr(&self.terminal, SetArg::TCSADRAIN, &self.before);
    }
}
