//! Any bytes as a jobs file, read in any pieces: the lines are those that a simple reader of the whole sees.

use runner::source::Lines;
use std::io::{self, Read};

/// Short, so that small input crosses it.
const CAP: usize = 16;

/// The first byte decides how the rest is cut into reads.
pub fn check(data: &[u8]) {
    let Some((&cut, stream)) = data.split_first() else {
        return;
    };
    let whole = read(Lines::with_cap(stream, CAP));
    let pieces = Pieces {
        left: stream,
        state: u32::from(cut),
    };
    assert_eq!(read(Lines::with_cap(pieces, CAP)), whole);
    assert_eq!(whole, simple(stream));
}

type Found = (u64, Vec<(u64, Option<Vec<u8>>)>);

/// How many lines there are, and those that are not blank; `None` for one over the cap.
fn read(mut lines: Lines<impl Read>) -> Found {
    let mut found = Vec::new();
    while let Some(block) = lines.next_block().expect("reading memory does not fail") {
        found.extend(
            block
                .lines
                .iter()
                .map(|line| (line.number, line.bytes.map(<[u8]>::to_vec))),
        );
    }
    (lines.count(), found)
}

fn simple(stream: &[u8]) -> Found {
    let mut lines: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    let mut found = Vec::new();
    for (line, number) in lines.iter().zip(1..) {
        let marked = number == 1 && line.starts_with(b"\xEF\xBB\xBF");
        let text = line[if marked { 3 } else { 0 }..].trim_ascii();
        if line.len() > CAP {
            found.push((number, None));
        } else if !text.is_empty() {
            found.push((number, Some(text.to_vec())));
        }
    }
    (lines.len() as u64, found)
}

/// Reads of 0 to 7 bytes, an interruption now and then.
struct Pieces<'a> {
    left: &'a [u8],
    state: u32,
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.state = self
            .state
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        let length = (self.state >> 24) as usize % 8;
        if length == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = length.min(self.left.len());
        let (now, later) = self.left.split_at(length);
        into[..length].copy_from_slice(now);
        self.left = later;
        Ok(length)
    }
}
