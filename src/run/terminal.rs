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
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

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
    let mut resized = signal(SignalKind::window_change())?;
    let size = terminal::size(stdin()).map_err(io::Error::from)?;
    let (ours, to) = socket::pair().map_err(io::Error::from)?;
    let attachment = Attachment::Terminal {
        to,
        rows: size.ws_row,
        columns: size.ws_col,
    };
    let (arrived, mut arrival) = oneshot::channel();
    let screen = thread("screen", move || show(&ours, arrived))?;
    let (mut seat, mut is_awaited): (Option<Seat>, bool) = (None, true);
    let ran = {
        let ran = pool.run_attached(episode, deadline_ns, Some(&attachment));
        tokio::pin!(ran);
        loop {
            tokio::select! {
                ran = &mut ran => break ran,
                arrived = &mut arrival, if is_awaited => {
                    is_awaited = false;
                    seat = arrived.ok().map(Seat::take).transpose()?;
                }
                _ = resized.recv() => seat.iter().for_each(Seat::resize),
            }
        }
    };
    // Where no terminal has come, none will.
    drop(attachment);
    let end = Instant::now() + LAST_TIMEOUT;
    while !screen.is_finished() && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(ran)
}

fn thread(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.into()).spawn(body)
}

/// Waits for our end of the sandbox's terminal, and shows what comes out until nobody has the other end any more.
fn show(socket: &OwnedFd, arrived: oneshot::Sender<OwnedFd>) {
    let mut fds = Vec::new();
    // An end of the socket means that there was no program to give a terminal to.
    let _ = socket::recv(socket.as_fd(), &mut [0], &mut fds);
    let Some(user_end) = fds.pop() else { return };
    let copies = (user_end.try_clone(), stdout().as_fd().try_clone_to_owned());
    let (Ok(printed), Ok(screen)) = copies else {
        return;
    };
    // By now all may be over, and nobody type any more.
    let _ = arrived.send(user_end);
    copy(printed.into(), screen.into());
}

/// The user's place at the sandbox's terminal.
struct Seat {
    user_end: OwnedFd,
    _raw: RawMode,
}

impl Seat {
    /// Passes on what is typed: by a thread that waits for keys, and ends with the process.
    fn take(user_end: OwnedFd) -> io::Result<Seat> {
        let raw = RawMode::enter()?;
        let keys = stdin().as_fd().try_clone_to_owned()?.into();
        let typed = user_end.try_clone()?.into();
        thread("keys", move || copy(keys, typed))?;
        Ok(Seat {
            user_end,
            _raw: raw,
        })
    }

    /// Tells the sandbox's terminal the size that ours has now.
    fn resize(&self) {
        // A terminal that has gone needs no size.
        let _ = terminal::size(stdin()).map(|size| terminal::set_size(&self.user_end, size));
    }
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
