//! Splits a byte stream into blocks of whole lines, with a cap on the length of one line.
//!
//! A block is handed on as soon as one read has completed a line, so a stream that trickles is
//! processed as it comes. A line over the cap is skipped without being held; only its number is
//! kept.

use std::io::{self, ErrorKind, Read};
use std::ops::Range;

/// The longest line that is read, in bytes.
pub const MAX_LINE: usize = 32 << 20;

/// Bytes asked for in one read.
const BLOCK: usize = 256 << 10;

/// Above this a buffer that held a long line is given back.
const MAX_KEPT_BYTES: usize = 4 * BLOCK;

/// A reader as lines.
pub struct Lines<R> {
    reader: R,
    max_line: usize,
    /// `buffer[tail]` is the start of a line whose end was not read yet.
    buffer: Vec<u8>,
    tail: Range<usize>,
    /// Lines that ended so far.
    ended: u64,
    /// Whether the line in progress is over the cap and is thrown away.
    skipping: bool,
    finished: bool,
}

/// Lines of one read, without those that are blank.
pub struct Block<'a> {
    pub lines: Vec<Line<'a>>,
}

/// One line that is not blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// 1-based in the file, blank lines counted.
    pub number: u64,
    /// Without surrounding white space or a byte order mark; `None` when it was over the cap.
    pub bytes: Option<&'a [u8]>,
}

impl<R: Read> Lines<R> {
    pub fn new(reader: R) -> Self {
        Lines::with_cap(reader, MAX_LINE)
    }

    /// With another cap than [`MAX_LINE`], in bytes.
    pub fn with_cap(reader: R, max_line: usize) -> Self {
        Lines {
            reader,
            max_line,
            buffer: Vec::new(),
            tail: 0..0,
            ended: 0,
            skipping: false,
            finished: false,
        }
    }

    /// Lines read so far, blank ones and one without a line end included.
    pub fn count(&self) -> u64 {
        self.ended
    }

    /// The next lines; `None` at the end. After an error, what was read of a torn line is lost.
    pub fn next_block(&mut self) -> io::Result<Option<Block<'_>>> {
        if self.finished {
            return Ok(None);
        }
        self.make_room();
        loop {
            let filled = self.tail.end;
            if self.buffer.len() < filled + BLOCK {
                self.buffer.resize(filled + BLOCK, 0);
            }
            let read = match self.reader.read(&mut self.buffer[filled..filled + BLOCK]) {
                Ok(read) => read,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            if read == 0 {
                self.finished = true;
                return Ok(self.last_line());
            }
            self.tail.end += read;
            if let Some(end) = memchr::memrchr(b'\n', &self.buffer[filled..self.tail.end]) {
                return Ok(Some(self.split(filled + end)));
            }
            if self.skipping || self.tail.len() > self.max_line {
                self.skipping = true;
                self.tail = 0..0;
            }
        }
    }

    /// Moves the line in progress to the front of the buffer.
    fn make_room(&mut self) {
        if self.tail.len() <= MAX_KEPT_BYTES && self.buffer.len() > 2 * MAX_KEPT_BYTES {
            self.buffer = self.buffer[self.tail.clone()].to_vec();
        } else {
            self.buffer.copy_within(self.tail.clone(), 0);
        }
        self.tail = 0..self.tail.len();
    }

    /// The lines up to the line end at `end`.
    fn split(&mut self, end: usize) -> Block<'_> {
        let mut lines = Vec::new();
        let mut start = self.tail.start;
        self.tail.start = end + 1;
        let mut number = self.ended;
        for at in memchr::memchr_iter(b'\n', &self.buffer[start..=end]).map({
            let base = start;
            move |at| base + at
        }) {
            number += 1;
            let over = std::mem::take(&mut self.skipping);
            lines.extend(line(number, &self.buffer[start..at], over, self.max_line));
            start = at + 1;
        }
        self.ended = number;
        Block { lines }
    }

    /// What follows the last line end.
    fn last_line(&mut self) -> Option<Block<'_>> {
        if self.tail.is_empty() && !self.skipping {
            return None;
        }
        self.ended += 1;
        let bytes = &self.buffer[self.tail.clone()];
        let lines = line(self.ended, bytes, self.skipping, self.max_line)
            .into_iter()
            .collect();
        Some(Block { lines })
    }
}

fn line(number: u64, bytes: &[u8], over: bool, max_line: usize) -> Option<Line<'_>> {
    if over || bytes.len() > max_line {
        return Some(Line {
            number,
            bytes: None,
        });
    }
    let bytes = match number {
        1 => bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes),
        _ => bytes,
    };
    let bytes = bytes.trim_ascii();
    (!bytes.is_empty()).then_some(Line {
        number,
        bytes: Some(bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Yields its parts one read at a time.
    struct Parts(Vec<Vec<u8>>);

    impl Read for Parts {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let part = self.0.remove(0);
            into[..part.len()].copy_from_slice(&part);
            Ok(part.len())
        }
    }

    fn all(mut lines: Lines<impl Read>) -> Vec<(u64, Option<String>)> {
        let mut found = Vec::new();
        while let Some(block) = lines.next_block().unwrap() {
            found.extend(block.lines.iter().map(|line| {
                (
                    line.number,
                    line.bytes
                        .map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
                )
            }));
        }
        found
    }

    fn text(number: u64, text: &str) -> (u64, Option<String>) {
        (number, Some(text.to_owned()))
    }

    #[test]
    fn blank_lines_are_skipped_but_counted() {
        let lines = Lines::new(&b"a\n\n  \t\r\nb\n"[..]);
        assert_eq!(all(lines), [text(1, "a"), text(4, "b")]);
    }

    #[test]
    fn byte_order_mark_crlf_and_a_missing_last_line_end_are_accepted() {
        let lines = Lines::new(&b"\xEF\xBB\xBFa\r\nb\r\nc"[..]);
        assert_eq!(all(lines), [text(1, "a"), text(2, "b"), text(3, "c")]);
    }

    #[test]
    fn an_empty_input_has_no_lines() {
        assert_eq!(all(Lines::new(&b""[..])), []);
        assert_eq!(all(Lines::new(&b"\xEF\xBB\xBF\r\n"[..])), []);
    }

    #[test]
    fn a_stream_is_handed_on_line_by_line_as_it_comes() {
        let mut lines = Lines::new(Parts(vec![b"one\ntw".to_vec(), b"o\n".to_vec()]));
        let first = lines.next_block().unwrap().unwrap().lines;
        assert_eq!(
            first,
            [Line {
                number: 1,
                bytes: Some(b"one")
            }]
        );
        let second = lines.next_block().unwrap().unwrap().lines;
        assert_eq!(
            second,
            [Line {
                number: 2,
                bytes: Some(b"two")
            }]
        );
        assert!(lines.next_block().unwrap().is_none());
    }

    #[test]
    fn a_hundred_megabyte_line_is_skipped_without_being_held() {
        let long = io::repeat(b'x').take(100 << 20);
        let mut lines = Lines::new((&b"a\n"[..]).chain(long).chain(&b"\nb\n"[..]));
        let mut found = Vec::new();
        while let Some(block) = lines.next_block().unwrap() {
            found.extend(
                block
                    .lines
                    .iter()
                    .map(|line| (line.number, line.bytes.map(<[u8]>::len))),
            );
        }
        assert_eq!(found, [(1, Some(1)), (2, None), (3, Some(1))]);
        assert!(lines.buffer.capacity() <= 2 * (MAX_LINE + 2 * BLOCK));
    }

    #[test]
    fn an_over_long_last_line_is_reported_too() {
        let lines = Lines::with_cap(&b"ok\nxxxxxxxxxx"[..], 4);
        assert_eq!(all(lines), [text(1, "ok"), (2, None)]);
    }

    proptest! {
        #[test]
        fn how_reads_cut_the_stream_does_not_matter(
            parts in prop::collection::vec("[ab \r\n]{1,9}".prop_map(String::into_bytes), 0..9),
        ) {
            let whole = parts.concat();
            let expected = all(Lines::with_cap(&whole[..], 6));
            prop_assert_eq!(all(Lines::with_cap(Parts(parts), 6)), expected.clone());
            let text = String::from_utf8(whole).unwrap();
            let simple: Vec<_> = text
                .split('\n')
                .zip(1..)
                .filter(|(line, _)| line.len() > 6 || !line.trim().is_empty())
                .map(|(line, n)| (n, (line.len() <= 6).then(|| line.trim().to_owned())))
                .collect();
            prop_assert_eq!(expected, simple);
        }
    }
}
