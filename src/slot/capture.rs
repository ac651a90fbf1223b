//! What a program prints: kept up to the cap, counted and discarded beyond it.

use crate::spec::episode::Capture as Mode;
use crate::spec::execution::Streams;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The one pipe of merged capture, or stdout.
    Out,
    Err,
}

pub struct Capture {
    cap: usize,
    output: Vec<u8>,
    streams: Option<Streams>,
    produced: u64,
}

impl Capture {
    pub fn new(mode: Mode, cap_bytes: u64) -> Self {
        Capture {
            cap: cap_bytes as usize,
            output: Vec::new(),
            streams: (mode == Mode::Split).then(Streams::default),
            produced: 0,
        }
    }

    pub fn push(&mut self, stream: Stream, bytes: &[u8]) {
        self.produced += bytes.len() as u64;
        keep(&mut self.output, bytes, self.cap);
        if let Some(streams) = &mut self.streams {
            let one = match stream {
                Stream::Out => &mut streams.stdout,
                Stream::Err => &mut streams.stderr,
            };
            keep(one, bytes, self.cap);
        }
    }

    /// All bytes that were produced, kept or not.
    pub fn produced(&self) -> u64 {
        self.produced
    }

    /// The kept output, the kept streams, and whether anything of the output was discarded.
    pub fn finish(self) -> (Vec<u8>, Option<Streams>, bool) {
        let truncated = self.produced > self.output.len() as u64;
        (self.output, self.streams, truncated)
    }
}

fn keep(kept: &mut Vec<u8>, bytes: &[u8], cap: usize) {
    let room = cap - kept.len();
    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_beyond_the_cap_is_counted_but_not_kept() {
        let mut capture = Capture::new(Mode::Merged, 5);
        capture.push(Stream::Out, b"abc");
        capture.push(Stream::Out, b"defg");
        assert_eq!(capture.produced(), 7);
        assert_eq!(capture.finish(), (b"abcde".to_vec(), None, true));
    }

    #[test]
    fn output_of_exactly_the_cap_is_not_truncated() {
        let mut capture = Capture::new(Mode::Merged, 3);
        capture.push(Stream::Out, b"abc");
        assert_eq!(capture.finish(), (b"abc".to_vec(), None, false));
    }

    #[test]
    fn split_streams_are_kept_apart_and_together() {
        let mut capture = Capture::new(Mode::Split, 100);
        capture.push(Stream::Out, b"1");
        capture.push(Stream::Err, b"2");
        capture.push(Stream::Out, b"3");
        let (output, streams, truncated) = capture.finish();
        assert_eq!(output, b"123");
        assert_eq!(
            streams,
            Some(Streams {
                stdout: b"13".to_vec(),
                stderr: b"2".to_vec()
            })
        );
        assert!(!truncated);
    }
}
