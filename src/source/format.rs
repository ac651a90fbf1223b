//! What a jobs file is, by its first bytes.

use crate::compression::Compression;
use std::io::{self, Read};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Plain text too.
    Known(Compression),
    Unsupported(&'static str),
}

/// How files begin that are not plain text.
struct Magic {
    bytes: &'static [u8],
    /// The bits of the first byte that count.
    first: u8,
    format: Format,
}

const fn exactly(bytes: &'static [u8], format: Format) -> Magic {
    let first = 0xFF;
    Magic {
        bytes,
        first,
        format,
    }
}

const MAGIC: [Magic; 7] = [
    exactly(GZIP.magic(), Format::Known(GZIP)),
    exactly(ZSTD.magic(), Format::Known(ZSTD)),
    // A frame to be skipped, of any of sixteen kinds (RFC 8878, 3.1.2): pzstd begins its files with one.
    Magic {
        bytes: &[0x50, 0x2A, 0x4D, 0x18],
        first: 0xF0,
        format: Format::Known(ZSTD),
    },
    exactly(
        &[0xFD, b'7', b'z', b'X', b'Z', 0],
        Format::Unsupported("xz-compressed"),
    ),
    exactly(b"BZh", Format::Unsupported("bzip2-compressed")),
    exactly(b"PK\x03\x04", Format::Unsupported("a zip archive")),
    exactly(b"PAR1", Format::Unsupported("a Parquet file")),
];

const GZIP: Compression = Compression::Gzip;
const ZSTD: Compression = Compression::Zstd;

impl Magic {
    /// Whether they agree as far as both go.
    fn agrees(&self, head: &[u8]) -> bool {
        let mut masks = std::iter::once(self.first).chain(std::iter::repeat(0xFF));
        let mut pairs = self.bytes.iter().zip(head);
        pairs.all(|(magic, byte)| masks.next().is_some_and(|mask| *magic == byte & mask))
    }
}

impl Format {
    pub fn of(head: &[u8]) -> Format {
        let known = MAGIC
            .iter()
            .find(|magic| head.len() >= magic.bytes.len() && magic.agrees(head));
        known.map_or(Format::Known(Compression::None), |magic| magic.format)
    }
}

/// As many first bytes as it takes to tell the format; a stream is not kept waiting for more.
pub fn head(input: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let undecided = |head: &[u8]| {
        MAGIC
            .iter()
            .any(|magic| head.len() < magic.bytes.len() && magic.agrees(head))
    };
    while undecided(&head) {
        let mut more = [0; 6];
        match input.read(&mut more) {
            Ok(0) => break,
            Ok(n) => head.extend_from_slice(&more[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_stream_is_not_kept_waiting_for_its_format() {
        struct Once(bool);
        impl Read for Once {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                assert!(!std::mem::replace(&mut self.0, true), "read again");
                into[..3].copy_from_slice(b"{}\n");
                Ok(3)
            }
        }
        assert_eq!(head(&mut Once(false)).unwrap(), b"{}\n");
    }

    #[test]
    fn every_kind_of_skippable_frame_is_zstandard_and_text_that_begins_alike_is_not() {
        for kind in 0x50..=0x5F {
            assert_eq!(Format::of(&[kind, 0x2A, 0x4D, 0x18]), Format::Known(ZSTD));
        }
        for plain in [&b"P"[..], b"P*M\x19", b"@*M\x18", b"Q*"] {
            assert_eq!(Format::of(plain), Format::Known(Compression::None));
        }
        assert_eq!(Format::of(b"PAR1"), Format::Unsupported("a Parquet file"));
    }
}
