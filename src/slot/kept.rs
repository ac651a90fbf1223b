//! What is kept of one stream of output: all of it up to a cap, and of more its beginning, its end, or both.
//!
//! The bytes lie in one buffer, which grows up to the cap. When it is full, its first part stays as it is; the rest is a
//! ring, round which everything further goes. So memory is bounded by the cap.

use crate::spec::execution::MAX_NOTE_BYTES;
use crate::spec::sandbox::OutputKeep;

pub(super) struct Kept {
    keep: OutputKeep,
    cap: usize,
    /// How much of the buffer is the beginning; what follows is the ring.
    head: usize,
    buffer: Vec<u8>,
    /// Where in the ring the next byte goes.
    next: usize,
    produced: u64,
}

impl Kept {
    pub(super) fn new(keep: OutputKeep, cap: usize) -> Self {
        Kept {
            keep,
            cap,
            head: match keep {
                OutputKeep::Ends => cap / 4,
                OutputKeep::Head => cap,
                OutputKeep::Tail => 0,
            },
            buffer: Vec::new(),
            next: 0,
            produced: 0,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.produced += bytes.len() as u64;
        let room = self.cap - self.buffer.len();
        let (fitting, rest) = bytes.split_at(bytes.len().min(room));
        self.buffer.extend_from_slice(fitting);
        if !rest.is_empty() && self.head < self.cap {
            self.go_round(rest);
        }
    }

    fn go_round(&mut self, bytes: &[u8]) {
        let ring = &mut self.buffer[self.head..];
        // Of more than it holds, only the end would be left.
        let bytes = &bytes[bytes.len().saturating_sub(ring.len())..];
        let (first, second) = bytes.split_at(bytes.len().min(ring.len() - self.next));
        ring[self.next..][..first.len()].copy_from_slice(first);
        ring[..second.len()].copy_from_slice(second);
        self.next = (self.next + bytes.len()) % ring.len();
    }

    /// Whether more was produced than is kept.
    pub(super) fn is_truncated(&self) -> bool {
        self.produced > self.cap as u64
    }

    /// The kept bytes in order. Where output was cut, no half of a character is left; with `is_cut_short` its end was cut,
    /// too, because the program was ended.
    pub(super) fn finish(mut self, is_cut_short: bool) -> Vec<u8> {
        if !self.is_truncated() {
            if is_cut_short {
                let whole = self.buffer.len() - half_at_end(&self.buffer);
                self.buffer.truncate(whole);
            }
            return self.buffer;
        }
        let (beginning, ring) = self.buffer.split_at_mut(self.head);
        ring.rotate_left(self.next);
        let gap = self.head - half_at_end(beginning)..self.head + half_at_start(ring);
        if is_cut_short {
            let whole = self.buffer.len() - half_at_end(&self.buffer[gap.end..]);
            self.buffer.truncate(whole);
        }
        let kept = self.buffer.len() - gap.len();
        let note = match self.keep {
            OutputKeep::Ends if kept > 0 => {
                let breaks_line = gap.start > 0 && self.buffer[gap.start - 1] != b'\n';
                note(self.produced - kept as u64, breaks_line)
            }
            _ => String::new(),
        };
        self.buffer.reserve_exact(note.len());
        self.buffer.splice(gap, note.bytes());
        self.buffer
    }
}

/// The line that stands for what was left out.
fn note(bytes: u64, breaks_line: bool) -> String {
    let begin = if breaks_line { "\n" } else { "" };
    let note = format!("{begin}[… {bytes} bytes left out …]\n");
    debug_assert!(note.len() <= MAX_NOTE_BYTES);
    note
}

/// How many bytes at the end begin a character that goes on behind it.
fn half_at_end(bytes: &[u8]) -> usize {
    let last = &bytes[bytes.len().saturating_sub(3)..];
    let lead = last.iter().rposition(|byte| !is_continuation(*byte));
    let half = lead.map_or(&[][..], |at| &last[at..]);
    match std::str::from_utf8(half) {
        Err(error) if error.error_len().is_none() => half.len(),
        _ => 0,
    }
}

/// How many bytes at the start end a character that began before it.
fn half_at_start(bytes: &[u8]) -> usize {
    let run = bytes
        .iter()
        .take(4)
        .take_while(|byte| is_continuation(**byte));
    // A character has three such bytes at most; what has more was no text.
    match run.count() {
        4 => 0,
        half => half,
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept(keep: OutputKeep, cap: usize, pushes: &[&[u8]], is_cut_short: bool) -> String {
        let mut kept = Kept::new(keep, cap);
        for bytes in pushes {
            kept.push(bytes);
        }
        String::from_utf8_lossy(&kept.finish(is_cut_short)).into_owned()
    }

    #[test]
    fn of_more_than_the_cap_the_asked_for_part_is_kept() {
        let pushes: &[&[u8]] = &[b"abc", b"defghij", b"k", b"lmnop"];
        for (keep, expected) in [
            (OutputKeep::Head, "abcdefgh"),
            (OutputKeep::Tail, "ijklmnop"),
            (OutputKeep::Ends, "ab\n[… 8 bytes left out …]\nklmnop"),
        ] {
            assert_eq!(kept(keep, 8, pushes, false), expected);
            assert_eq!(kept(keep, 8, &[b"abcdefgh"], false), "abcdefgh");
            assert_eq!(kept(keep, 0, pushes, false), "");
        }
    }

    #[test]
    fn the_note_stands_on_a_line_of_its_own() {
        let text = b"a\nbcdefghij";
        assert_eq!(
            kept(OutputKeep::Ends, 8, &[text], false),
            "a\n[… 3 bytes left out …]\nefghij"
        );
    }

    #[test]
    fn no_half_of_a_character_is_left_where_output_was_cut() {
        let text = "é€𝄞".repeat(20);
        for cap in 8..64 {
            for keep in [OutputKeep::Head, OutputKeep::Tail, OutputKeep::Ends] {
                let kept = kept(keep, cap, &[text.as_bytes()], false);
                assert!(!kept.contains('\u{FFFD}'), "{keep:?} {cap}: {kept}");
            }
        }
        let torn = &"aé".as_bytes()[..2];
        assert_eq!(kept(OutputKeep::Ends, 8, &[torn], true), "a");
        assert_eq!(kept(OutputKeep::Ends, 8, &[torn], false), "a\u{FFFD}");
        let torn = [b"0123456789".as_slice(), torn].concat();
        assert_eq!(kept(OutputKeep::Tail, 8, &[&torn], true), "456789a");
    }

    #[test]
    fn bytes_that_were_never_text_stay() {
        let noise = [0x80, 0xFF, 0x80, 0x80, 0x80, 0x80].repeat(4);
        let mut kept = Kept::new(OutputKeep::Tail, 4);
        kept.push(&noise);
        assert_eq!(kept.finish(false), [0x80; 4]);
        let mut kept = Kept::new(OutputKeep::Head, 2);
        kept.push(&noise);
        assert_eq!(kept.finish(true), [0x80, 0xFF]);
    }

    proptest! {
        #[test]
        fn how_output_is_cut_into_reads_does_not_matter(
            reads in prop::collection::vec("[a-z\n]{0,30}", 0..20), cap in 0usize..64
        ) {
            let whole = reads.concat();
            let reads: Vec<&[u8]> = reads.iter().map(|read| read.as_bytes()).collect();
            let all = |keep| kept(keep, cap, &reads, false);
            prop_assert_eq!(all(OutputKeep::Head), &whole[..cap.min(whole.len())]);
            prop_assert_eq!(all(OutputKeep::Tail), &whole[whole.len().saturating_sub(cap)..]);
            if whole.len() <= cap {
                prop_assert_eq!(all(OutputKeep::Ends), whole);
            } else if cap > 0 {
                let (head, tail) = (&whole[..cap / 4], &whole[whole.len() - (cap - cap / 4)..]);
                let note = note((whole.len() - cap) as u64, !head.is_empty() && !head.ends_with('\n'));
                prop_assert_eq!(all(OutputKeep::Ends), format!("{head}{note}{tail}"));
            }
        }
    }
}
