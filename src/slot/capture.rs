//! What a program prints: kept up to the cap of each stream, and counted beyond it.

use super::kept::Kept;
use super::live::{Live, Stream};
use crate::spec::execution::Streams;
use crate::spec::sandbox::{Capture, OutputKeep};
use std::os::fd::BorrowedFd;

pub(super) struct OutputCapture {
    output: Kept,
    /// stdout and stderr, where they are captured apart.
    streams: Option<(Kept, Kept)>,
    produced: u64,
    /// Where it goes at once, beside being kept.
    live: Option<Live>,
}

impl OutputCapture {
    pub(super) fn new(mode: Capture, keep: OutputKeep, cap_bytes: u64) -> Self {
        let kept = || Kept::new(keep, cap_bytes as usize);
        OutputCapture {
            output: kept(),
            streams: (mode == Capture::Split).then(|| (kept(), kept())),
            produced: 0,
            live: None,
        }
    }

    /// Whether stdout and stderr are captured apart.
    pub(super) fn is_split(&self) -> bool {
        self.streams.is_some()
    }

    /// From now on all of it is passed on too.
    pub(super) fn pass_on(&mut self, live: Option<Live>) {
        self.live = live;
    }

    /// Where it is passed on to, to be given to the next.
    pub(super) fn take_live(&mut self) -> Option<Live> {
        self.live.take()
    }

    pub(super) fn live(&mut self) -> Option<&mut Live> {
        self.live.as_mut()
    }

    /// The pipes for which no more is to be read until they have room.
    pub(super) fn full(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.live.iter().flat_map(Live::full)
    }

    /// Whether more can be taken now.
    pub(super) fn has_room(&self) -> bool {
        self.full().next().is_none()
    }

    pub(super) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        self.produced += bytes.len() as u64;
        if let Some(live) = &mut self.live {
            live.push(stream, bytes);
        }
        self.output.push(bytes);
        match (&mut self.streams, stream) {
            (Some((stdout, _)), Stream::Out) => stdout.push(bytes),
            (Some((_, stderr)), Stream::Err) => stderr.push(bytes),
            (None, _) => {}
        }
    }

    /// All bytes that were produced, kept or not.
    pub(super) fn produced(&self) -> u64 {
        self.produced
    }

    /// The kept output, the kept streams, and whether anything of the output was discarded. `is_cut_short`: the program
    /// was ended, maybe in the middle of a character.
    pub(super) fn finish(self, is_cut_short: bool) -> (Vec<u8>, Option<Streams>, bool) {
        let is_truncated = self.output.is_truncated();
        let streams = self.streams.map(|(stdout, stderr)| Streams {
            stdout: stdout.finish(is_cut_short),
            stderr: stderr.finish(is_cut_short),
        });
        (self.output.finish(is_cut_short), streams, is_truncated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_beyond_the_cap_is_counted_but_not_kept() {
        let mut capture = OutputCapture::new(Capture::Merged, OutputKeep::Head, 5);
        capture.push(Stream::Out, b"abc");
        capture.push(Stream::Out, b"defg");
        assert_eq!(capture.produced(), 7);
        assert_eq!(capture.finish(false), (b"abcde".to_vec(), None, true));
    }

    #[test]
    fn output_of_exactly_the_cap_is_not_truncated() {
        let mut capture = OutputCapture::new(Capture::Merged, OutputKeep::Ends, 3);
        capture.push(Stream::Out, b"abc");
        assert_eq!(capture.finish(false), (b"abc".to_vec(), None, false));
    }

    #[test]
    fn split_streams_are_kept_apart_and_together() {
        let mut capture = OutputCapture::new(Capture::Split, OutputKeep::Ends, 100);
        capture.push(Stream::Out, b"1");
        capture.push(Stream::Err, b"2");
        capture.push(Stream::Out, b"3");
        let (output, streams, truncated) = capture.finish(false);
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
