//! The pipes of one execution: its output is drained into the capture.

use super::capture::OutputCapture;
use super::live::Stream;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{pipe2, read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

pub(super) const READ_BYTES: usize = 64 * 1024;
/// Reads of one pipe in a row, so that a flood can't hold up the deadline.
const READS: usize = 16;
/// The most that an unprivileged pipe can hold (pipe(7)).
const PIPE_BYTES: u64 = 1 << 20;

/// Our ends.
pub(super) struct Pipes {
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

/// The program's ends.
pub(super) struct Ends {
    pub stdout: OwnedFd,
    /// None where both streams share a pipe.
    pub stderr: Option<OwnedFd>,
}

impl Pipes {
    /// `split`: stderr has a pipe of its own.
    pub(super) fn open(split: bool) -> Result<(Self, Ends), Errno> {
        let (stdout, stdout_end) = pipe2(OFlag::O_CLOEXEC)?;
        let stderr = split.then(|| pipe2(OFlag::O_CLOEXEC)).transpose()?;
        let (stderr, stderr_end) = stderr.unzip();
        for fd in std::iter::once(&stdout).chain(&stderr) {
            fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        let pipes = Pipes {
            stdout: Some(stdout),
            stderr,
        };
        let ends = Ends {
            stdout: stdout_end,
            stderr: stderr_end,
        };
        Ok((pipes, ends))
    }

    /// Those of the output that are still open.
    pub(super) fn outputs(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let both = [&self.stdout, &self.stderr];
        both.into_iter().flatten().map(AsFd::as_fd)
    }

    /// Reads what is there now, a bounded amount, and nothing more beyond `ceiling` bytes in all, or while the capture has no
    /// room.
    pub(super) fn drain(&mut self, capture: &mut OutputCapture, ceiling: u64, buffer: &mut [u8]) {
        if let Some(live) = capture.live() {
            live.flush();
        }
        let streams = [
            (Stream::Out, &mut self.stdout),
            (Stream::Err, &mut self.stderr),
        ];
        for (stream, pipe) in streams {
            for _ in 0..READS {
                let Some(fd) = pipe.as_ref().filter(|_| capture.has_room()) else {
                    break;
                };
                match read(fd, buffer) {
                    Ok(0) => {
                        *pipe = None;
                        break;
                    }
                    Ok(length) => capture.push(stream, &buffer[..length]),
                    Err(_) => break,
                }
                if capture.produced() > ceiling {
                    break;
                }
            }
        }
    }

    /// After the exit: everything the program itself wrote is in the pipes by now. What a background process
    /// goes on writing is not waited for.
    pub(super) fn drain_rest(
        &mut self,
        capture: &mut OutputCapture,
        ceiling: u64,
        buffer: &mut [u8],
    ) {
        let enough = capture.produced() + 2 * PIPE_BYTES;
        loop {
            let before = capture.produced();
            if let Some(live) = capture.live() {
                live.finish();
            }
            self.drain(capture, ceiling, buffer);
            if capture.produced() == before || capture.produced() > enough {
                return;
            }
        }
    }

    /// The output pipes that background processes may still write to.
    pub(super) fn into_background(self) -> impl Iterator<Item = OwnedFd> {
        [self.stdout, self.stderr].into_iter().flatten()
    }
}

/// Empties a background pipe; whether it has reached its end.
pub(super) fn discard(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> bool {
    for _ in 0..READS {
        match read(fd, buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    false
}
