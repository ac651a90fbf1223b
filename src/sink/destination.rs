//! The file descriptor that result lines go to, and the promise that it ends in a whole line.
//!
//! A regular file takes a batch in one `write(2)`; when a write fails part-way, the torn line is cut
//! off again. Of a compressed file a batch is one member or frame, which is whole or cut off. Anything
//! else (pipe, terminal, socket, device) can't be cut, so it is written in pieces of at most `PIPE_BUF`
//! bytes that end at a line end, each only once poll(2) says that there is room. A pipe takes such a
//! piece whole or not at all, and the thread never sits in a write that nothing can end. So a line of
//! up to 4,096 bytes is never torn; a longer one is torn only when its reader stops reading in the
//! middle of it and the run is then ended by force.

use super::failure::{STDOUT, SinkError};
use crate::compression::Compression;
use crate::sys::stdio::stdout_was_closed;
use nix::errno::Errno;
use nix::fcntl::Flock;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::sync::atomic::{AtomicBool, Ordering};

/// How often a writer that waits for a reader looks whether it should give up.
const POLL: u16 = 100;
/// How long a reader still gets, after the sink was abandoned, to take the rest of a line it has begun.
const LAST_LINE_GRACE: u16 = 200;

/// Where result lines go, and how messages call it.
#[derive(Debug)]
pub struct Destination {
    file: File,
    /// Held for as long as lines may be written.
    _lock: Option<Flock<File>>,
    pub(super) name: String,
    regular: bool,
    null: bool,
    compression: Compression,
}

/// What has been written, whole lines only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub lines: u64,
    pub bytes: u64,
}

/// Why not all of a batch was written.
#[derive(Debug)]
pub(super) enum Stop {
    Io(io::Error),
    /// The sink was abandoned while the reader did not read.
    Abandoned,
}

impl Destination {
    /// This process's stdout, unless it was closed when the process was started.
    pub fn stdout() -> Result<Self, SinkError> {
        if stdout_was_closed() {
            return Err(SinkError::StdoutClosed);
        }
        let file = match io::stdout().as_fd().try_clone_to_owned() {
            Ok(fd) => File::from(fd),
            Err(_) => return Err(SinkError::StdoutClosed),
        };
        Self::new(file, STDOUT.into()).map_err(|_| SinkError::StdoutClosed)
    }

    /// A file that was opened for writing.
    pub(super) fn new(file: File, name: String) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let null =
            metadata.file_type().is_char_device() && metadata.rdev() == nix::libc::makedev(1, 3);
        Ok(Destination {
            regular: metadata.is_file(),
            file,
            _lock: None,
            name,
            null,
            compression: Compression::None,
        })
    }

    /// A locked results file, opened for appending.
    pub(super) fn locked(lock: Flock<File>, name: String) -> io::Result<Self> {
        let mut destination = Self::new(lock.try_clone()?, name)?;
        destination._lock = Some(lock);
        Ok(destination)
    }

    /// This destination, which compresses from now on: each batch is a member or frame of its own.
    pub(super) fn compressed(self, compression: Compression) -> Self {
        Destination {
            compression,
            ..self
        }
    }

    /// Whether each batch is a member or frame.
    pub(super) fn is_compressed(&self) -> bool {
        self.compression != Compression::None
    }

    /// Whether results are thrown away: `/dev/null`.
    pub fn is_null(&self) -> bool {
        self.null
    }

    /// Writes a batch of whole lines, adding to `written` what arrived. After an error no torn line, member or frame is
    /// left in a regular file.
    pub(super) fn write(
        &mut self,
        batch: &[u8],
        written: &mut Written,
        abandoned: &AtomicBool,
    ) -> Result<(), Stop> {
        let bytes = self.compression.frame(batch);
        let mut at = 0;
        let result = loop {
            if at == bytes.len() {
                break Ok(());
            }
            let mid_line = at > 0 && (self.is_compressed() || bytes[at - 1] != b'\n');
            match self.write_some(&bytes[at..], mid_line, abandoned) {
                Ok(n) => at += n,
                Err(Stop::Io(e)) if retryable(&e) => {}
                Err(stop) => break Err(stop),
            }
        };
        let (whole, lines) = self.whole(batch, &bytes[..at], at == bytes.len());
        written.lines += lines.iter().filter(|&&b| b == b'\n').count() as u64;
        written.bytes += whole as u64;
        if self.regular && whole < at {
            self.cut((at - whole) as u64);
        }
        result
    }

    /// How much of what was written of a batch ends in a whole line, member or frame, and the lines in it.
    fn whole<'a>(&self, batch: &'a [u8], sent: &[u8], all: bool) -> (usize, &'a [u8]) {
        match self.compression {
            Compression::None => {
                let end = memchr::memrchr(b'\n', sent).map_or(0, |end| end + 1);
                (end, &batch[..end])
            }
            _ if all => (sent.len(), batch),
            _ => (0, &[]),
        }
    }

    fn write_some(
        &mut self,
        rest: &[u8],
        mid_line: bool,
        abandoned: &AtomicBool,
    ) -> Result<usize, Stop> {
        let piece = if self.regular {
            rest
        } else {
            self.wait_for_room(mid_line, abandoned)?;
            piece(rest)
        };
        match self.file.write(piece) {
            Ok(0) => Err(Stop::Io(io::ErrorKind::WriteZero.into())),
            Ok(n) => Ok(n),
            Err(e) => Err(Stop::Io(e)),
        }
    }

    fn wait_for_room(&self, mid_line: bool, abandoned: &AtomicBool) -> Result<(), Stop> {
        loop {
            let last_chance = abandoned.load(Ordering::Relaxed);
            let timeout = match (last_chance, mid_line) {
                (false, _) => POLL,
                (true, true) => LAST_LINE_GRACE,
                (true, false) => 0,
            };
            let mut fds = [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT)];
            match poll(&mut fds, PollTimeout::from(timeout)) {
                Ok(0) if last_chance => return Err(Stop::Abandoned),
                Ok(0) | Err(Errno::EINTR) => {}
                // Errors are the write's to report: it knows which.
                Ok(_) => return Ok(()),
                Err(errno) => return Err(Stop::Io(errno.into())),
            }
        }
    }

    /// Removes the last `torn` bytes, unless someone else has written after them.
    fn cut(&mut self, torn: u64) {
        let Ok(end) = self.file.stream_position() else {
            return;
        };
        if self.file.metadata().is_ok_and(|m| m.len() == end)
            && self.file.set_len(end - torn).is_ok()
        {
            let _ = self.file.seek(io::SeekFrom::Start(end - torn));
        }
    }

    /// Makes what was written survive a power failure, where the destination can.
    pub(super) fn sync(&self) -> io::Result<()> {
        if !self.regular {
            return Ok(());
        }
        match self.file.sync_data() {
            Err(e)
                if [Some(nix::libc::EINVAL), Some(nix::libc::EOPNOTSUPP)]
                    .contains(&e.raw_os_error()) =>
            {
                Ok(())
            }
            other => other,
        }
    }
}

fn retryable(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    )
}

/// The first at most `PIPE_BUF` bytes, up to a line end if there is one among them.
fn piece(rest: &[u8]) -> &[u8] {
    let head = &rest[..rest.len().min(nix::libc::PIPE_BUF)];
    match head.iter().rposition(|&b| b == b'\n') {
        Some(end) => &head[..=end],
        None => head,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn line(length: usize) -> Vec<u8> {
        let mut line = vec![b'x'; length - 1];
        line.push(b'\n');
        line
    }

    #[test]
    fn a_line_that_a_pipe_takes_whole_is_never_split() {
        let batch = [line(3000), line(9000), line(4096), line(10), line(4090)].concat();
        let (mut rest, mut pieces) = (&batch[..], Vec::new());
        while !rest.is_empty() {
            let head = piece(rest);
            pieces.push(head.len());
            rest = &rest[head.len()..];
        }
        assert_eq!(pieces, [3000, 4096, 4096, 808, 4096, 10, 4090]);
    }

    #[test]
    fn an_abandoned_pipe_that_is_full_ends_in_a_whole_line() {
        let (mut reader, writer) = io::pipe().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(writer));
        let mut destination = Destination::new(file, "stdout".into()).unwrap();
        let batch = line(300).repeat(1000);
        let mut written = Written::default();
        let stop = destination.write(&batch, &mut written, &AtomicBool::new(true));
        assert!(matches!(stop, Err(Stop::Abandoned)), "{stop:?}");
        drop(destination);
        let mut got = Vec::new();
        reader.read_to_end(&mut got).unwrap();
        assert_eq!(got.last(), Some(&b'\n'));
        assert_eq!(got.len() as u64, written.bytes);
        assert_eq!(written.bytes, written.lines * 300);
        assert!(written.lines > 100, "{written:?}");
    }

    #[test]
    fn a_torn_line_is_cut_off_a_regular_file() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"whole\nto").unwrap();
        let mut destination =
            Destination::new(file.try_clone().unwrap(), "results.jsonl".into()).unwrap();
        destination.cut(2);
        destination
            .write(b"next\n", &mut Written::default(), &AtomicBool::new(false))
            .unwrap();
        let mut got = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut got).unwrap();
        assert_eq!(got, "whole\nnext\n");
    }

    #[test]
    fn dev_null_is_recognised() {
        let open = |path| {
            Destination::new(
                File::options().write(true).open(path).unwrap(),
                String::new(),
            )
        };
        assert!(open("/dev/null").unwrap().is_null());
        assert!(!open("/dev/full").unwrap().is_null());
    }
}
