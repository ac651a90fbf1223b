//! Files that are compressed by gzip or Zstandard: jobs files are read, results are read and written.
//!
//! What is written at one time is a member (gzip) or a frame (Zstandard) of its own, and whole: all of them one after the
//! other are a file that every tool reads, up to the last whole one where the writer was killed.

mod decode;
mod magic;

pub use magic::{COMPRESSED, Magic};

use decode::Zeros;
use std::borrow::Cow;
use std::io::{self, Read, Write};

/// The level that the library takes for its default, zstd(1).
const ZSTD_LEVEL: i32 = 0;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// What the name of a file promises; `None` where it says nothing.
    pub fn promised_by(name: &str) -> Option<Compression> {
        let name = name.to_ascii_lowercase();
        match () {
            () if name.ends_with(".gz") => Some(Compression::Gzip),
            () if name.ends_with(".zst") => Some(Compression::Zstd),
            () => None,
        }
    }

    /// What a file is whose first bytes these are.
    pub fn of_content(head: &[u8]) -> Compression {
        let known = COMPRESSED.iter().find(|(magic, _)| magic.is_of(head));
        known.map_or(Compression::None, |(_, compression)| *compression)
    }

    /// Whether a file of it may begin so, where that is too little to tell.
    pub fn may_begin(self, head: &[u8]) -> bool {
        let mut own = COMPRESSED.iter().filter(|(_, of)| *of == self);
        own.any(|(magic, _)| magic.may_be_of(head))
    }

    /// As messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "plain text",
            Compression::Gzip => "gzip",
            Compression::Zstd => "Zstandard",
        }
    }

    /// The decoded bytes of all members or frames.
    pub fn reader<'a>(self, input: impl Read + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
        self.reader_with(input, Zeros::Padding)
    }

    /// The decoded bytes of a file that was appended to. Zeros at its end are blocks that were never filled, as a power
    /// failure leaves them: it is torn there.
    pub fn reader_of_appended<'a>(
        self,
        input: impl Read + Send + 'a,
    ) -> io::Result<Box<dyn Read + Send + 'a>> {
        self.reader_with(input, Zeros::Torn)
    }

    fn reader_with<'a>(
        self,
        input: impl Read + Send + 'a,
        zeros: Zeros,
    ) -> io::Result<Box<dyn Read + Send + 'a>> {
        Ok(match self {
            Compression::None => Box::new(input),
            Compression::Gzip => Box::new(decode::gzip(input, zeros)),
            Compression::Zstd => Box::new(decode::zstd(input, zeros)?),
        })
    }

    /// One whole member or frame.
    pub fn frame(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        if self == Compression::None || bytes.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut frame = Vec::new();
        let copied = self.copy(&mut &*bytes, &mut frame);
        copied.expect("compressing from memory to memory can't fail");
        Cow::Owned(frame)
    }

    /// Writes all of `input` as one member or frame; returns how many bytes that were before.
    pub fn copy(self, input: &mut dyn Read, output: &mut dyn Write) -> io::Result<u64> {
        match self {
            Compression::None => io::copy(input, output),
            Compression::Gzip => {
                let level = flate2::Compression::default();
                let mut encoder = flate2::write::GzEncoder::new(output, level);
                let copied = io::copy(input, &mut encoder)?;
                encoder.finish()?;
                Ok(copied)
            }
            Compression::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(output, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                let copied = io::copy(input, &mut encoder)?;
                encoder.finish()?;
                Ok(copied)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Zstd];

    #[test]
    fn frames_one_after_the_other_read_as_one_file() {
        for compression in ALL {
            let file = [
                compression.frame(b"one\n"),
                compression.frame(b""),
                compression.frame(b"two\n"),
            ]
            .concat();
            let mut text = String::new();
            let mut reader = compression.reader(&file[..]).unwrap();
            reader.read_to_string(&mut text).unwrap();
            assert_eq!(text, "one\ntwo\n", "{compression:?}");
            assert_eq!(Compression::of_content(&file), compression);
        }
    }

    #[test]
    fn a_file_that_is_cut_anywhere_gives_its_whole_frames_and_says_that_it_was_cut() {
        for compression in [Compression::Gzip, Compression::Zstd] {
            let (one, two) = (compression.frame(b"one\n"), compression.frame(b"two\n"));
            let file = [&one[..], &two[..]].concat();
            for cut in one.len() + 1..file.len() {
                let mut text = Vec::new();
                let mut reader = compression.reader(&file[..cut]).unwrap();
                let error = reader.read_to_end(&mut text).unwrap_err();
                assert_eq!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof,
                    "{compression:?} {cut}"
                );
                assert!(text.starts_with(b"one\n"), "{compression:?} {cut}");
            }
        }
    }

    #[test]
    fn a_file_that_begins_with_a_frame_to_skip_is_zstandard() {
        for kind in 0x50..=0x5F {
            let head = [kind, 0x2A, 0x4D, 0x18, 4, 0, 0, 0];
            assert_eq!(Compression::of_content(&head), Compression::Zstd);
        }
        assert_eq!(Compression::of_content(b"P*M"), Compression::None);
    }

    #[test]
    fn a_name_promises_what_the_file_is() {
        assert_eq!(
            Compression::promised_by("a.jsonl.GZ"),
            Some(Compression::Gzip)
        );
        assert_eq!(Compression::promised_by("a.zst"), Some(Compression::Zstd));
        assert_eq!(Compression::promised_by("a.jsonl"), None);
    }
}
