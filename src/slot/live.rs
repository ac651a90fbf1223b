//! What programs print, passed on while it comes (`runner run`), beside what is kept of it.
//!
//! As long as the runner has not taken what came before, no more is read from the program, which then waits in its own write(2). The
//! runner takes it at once; one that does not is stopped, or hangs, and then its output is kept and no longer passed on.

use crate::sys::clock::monotonic_ns;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How long the runner may take over the last of it, when a program has ended.
const LAST_TIMEOUT_NS: u64 = 10_000_000_000;

/// Which of a program's streams something came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// The one pipe of merged capture, or stdout.
    Out,
    Err,
}

/// The two pipes to the runner.
pub(super) struct Live {
    stdout: Outlet,
    stderr: Outlet,
}

struct Outlet {
    /// None once nobody reads it any more.
    pipe: Option<OwnedFd>,
    waiting: Vec<u8>,
}

impl Live {
    pub(super) fn new(stdout: OwnedFd, stderr: OwnedFd) -> Result<Live, Errno> {
        Ok(Live {
            stdout: Outlet::new(stdout)?,
            stderr: Outlet::new(stderr)?,
        })
    }

    pub(super) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Out => self.stdout.push(bytes),
            Stream::Err => self.stderr.push(bytes),
        }
    }

    /// The pipes that have no room for what waits.
    pub(super) fn full(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [&self.stdout, &self.stderr]
            .into_iter()
            .filter_map(|outlet| {
                let pipe = outlet.pipe.as_ref()?;
                (!outlet.waiting.is_empty()).then(|| pipe.as_fd())
            })
    }

    /// Passes on what waits, as far as there is room.
    pub(super) fn flush(&mut self) {
        self.stdout.flush();
        self.stderr.flush();
    }

    /// Passes all of it on, waiting for the runner. Where that takes too long no more is passed on.
    pub(super) fn finish(&mut self) {
        let end_ns = monotonic_ns() + LAST_TIMEOUT_NS;
        loop {
            self.flush();
            let mut full: Vec<_> = self
                .full()
                .map(|pipe| PollFd::new(pipe, PollFlags::POLLOUT))
                .collect();
            if full.is_empty() {
                return;
            }
            if monotonic_ns() >= end_ns {
                drop(full);
                self.stdout.close();
                self.stderr.close();
                return;
            }
            let _ = poll(&mut full, PollTimeout::from(100u8));
        }
    }
}

impl Outlet {
    fn new(pipe: OwnedFd) -> Result<Outlet, Errno> {
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Outlet {
            pipe: Some(pipe),
            waiting: Vec::new(),
        })
    }

    fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
        self.flush();
    }

    fn flush(&mut self) {
        let mut written = 0;
        while let Some(pipe) = &self.pipe
            && written < self.waiting.len()
        {
            match write(pipe, &self.waiting[written..]) {
                Ok(count) => written += count,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(_) => return self.close(),
            }
        }
        self.waiting.drain(..written);
        if self.pipe.is_none() {
            self.close();
        }
    }

    fn close(&mut self) {
        self.pipe = None;
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{pipe2, read};

    #[test]
    fn all_arrives_in_order_however_late_it_is_read_and_a_reader_that_is_gone_holds_nothing_up() {
        let (ours, theirs) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let (unread, unread_end) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let mut live = Live::new(theirs, unread_end).unwrap();
        let text: Vec<u8> = (0..300_000u32).map(|i| i as u8).collect();
        live.push(Stream::Out, &text[..200_000]);
        live.push(Stream::Out, &text[200_000..]);
        assert_eq!(live.full().count(), 1);
        let mut arrived = Vec::new();
        let mut buffer = [0; 10_000];
        while arrived.len() < text.len() {
            let length = read(&ours, &mut buffer).unwrap();
            arrived.extend_from_slice(&buffer[..length]);
            live.flush();
        }
        assert_eq!(arrived, text);
        drop(unread);
        live.push(Stream::Err, &text);
        assert_eq!(live.full().count(), 0);
        live.finish();
    }
}
