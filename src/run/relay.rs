//! From a pipe to our stdout or stderr, without ever holding up who writes to the pipe: what the reader of ours has not taken yet
//! waits in an unnamed file.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use tokio::sync::mpsc::UnboundedSender;

/// How much is read, and written, at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// What has been read and waits to be written.
struct Backlog {
    file: File,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// How much of the file has been filled, in bytes.
    filled: u64,
    /// Whether no more comes.
    ended: bool,
}

/// A stream that is passed on; it has ended when both have.
pub(super) struct Relay([JoinHandle<()>; 2]);

impl Relay {
    /// Passes on what comes out of a pipe until nobody writes to it any more. Why that can't be done is told to `failed`.
    pub(super) fn start(
        pipe: OwnedFd,
        to: impl Write + Send + 'static,
        failed: UnboundedSender<io::Error>,
    ) -> io::Result<Relay> {
        let backlog = Arc::new(Backlog {
            file: tempfile::tempfile()?,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let (ours, fill_failed) = (backlog.clone(), failed.clone());
        let fill = move || {
            let filled = ours.fill(File::from(pipe));
            ours.change(|state| state.ended = true);
            tell(filled, &fill_failed);
        };
        let empty = move || tell(backlog.empty(to), &failed);
        let named = |name: &str| Builder::new().name(name.into());
        Ok(Relay([
            named("relay").spawn(fill)?,
            named("relay").spawn(empty)?,
        ]))
    }

    pub(super) fn has_ended(&self) -> bool {
        self.0.iter().all(JoinHandle::is_finished)
    }
}

fn tell(done: io::Result<()>, failed: &UnboundedSender<io::Error>) {
    if let Err(error) = done {
        // Nobody wants to know once all has ended.
        let _ = failed.send(error);
    }
}

impl Backlog {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    fn fill(&self, mut pipe: File) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut filled = 0;
        loop {
            let length = pipe.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            self.file.write_all_at(&buffer[..length], filled)?;
            filled += length as u64;
            self.change(|state| state.filled = filled);
        }
    }

    fn empty(&self, mut to: impl Write) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut emptied = 0;
        while let Some(filled) = self.more_than(emptied) {
            let length = CHUNK_BYTES.min((filled - emptied) as usize);
            self.file.read_exact_at(&mut buffer[..length], emptied)?;
            to.write_all(&buffer[..length])?;
            to.flush()?;
            emptied += length as u64;
        }
        Ok(())
    }

    /// How much is there as soon as that is more; `None` when it never will be.
    fn more_than(&self, emptied: u64) -> Option<u64> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |state: &mut State| state.filled == emptied && !state.ended;
        let state = self.changed.wait_while(state, waits);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        (state.filled > emptied).then_some(state.filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::OFlag;
    use nix::unistd::pipe2;
    use tokio::sync::mpsc::unbounded_channel;

    #[test]
    fn a_reader_that_takes_nothing_holds_nobody_up_and_gets_all_of_it_later() {
        let (theirs, ours) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let (mut taken, slow) = io::pipe().unwrap();
        let (failed, mut failure) = unbounded_channel();
        let relay = Relay::start(theirs, slow, failed).unwrap();
        let text: Vec<u8> = (0..3_000_000u32).map(|i| (i / 7) as u8).collect();
        File::from(ours).write_all(&text).unwrap();
        assert!(!relay.has_ended());
        let mut arrived = Vec::new();
        taken.read_to_end(&mut arrived).unwrap();
        assert!(arrived == text, "{} bytes", arrived.len());
        assert!(failure.blocking_recv().is_none());
    }

    #[test]
    fn a_reader_that_is_gone_is_told() {
        let (theirs, ours) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let (taken, gone) = io::pipe().unwrap();
        drop(taken);
        let (failed, mut failure) = unbounded_channel();
        let _relay = Relay::start(theirs, gone, failed).unwrap();
        File::from(ours).write_all(b"text").unwrap();
        let error = failure.blocking_recv().expect("an error");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
