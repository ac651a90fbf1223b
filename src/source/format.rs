//! What a jobs file is, by its first bytes.

use crate::compression::{COMPRESSED, Compression, Magic};
use std::io::{self, Read};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Plain text too.
    Known(Compression),
    Unsupported(&'static str),
}

/// What can't be read, and how it begins.
const UNSUPPORTED: [(Magic, &str); 4] = [
    (
        Magic::exactly(&[0xFD, b'7', b'z', b'X', b'Z', 0]),
        "xz-compressed",
    ),
    (Magic::exactly(b"BZh"), "bzip2-compressed"),
    (Magic::exactly(b"PK\x03\x04"), "a zip archive"),
    (Magic::exactly(b"PAR1"), "a Parquet file"),
];

impl Format {
    pub(super) fn of(head: &[u8]) -> Format {
        let unsupported = UNSUPPORTED.iter().find(|(magic, _)| magic.is_of(head));
        match unsupported {
            Some((_, name)) => Format::Unsupported(name),
            None => Format::Known(Compression::of_content(head)),
        }
    }
}

/// As many first bytes as it takes to tell the format; a stream is not kept waiting for more.
pub(super) fn head(input: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let magics = || {
        let compressed = COMPRESSED.iter().map(|(magic, _)| magic);
        compressed.chain(UNSUPPORTED.iter().map(|(magic, _)| magic))
    };
    let undecided = |head: &[u8]| magics().any(|magic| magic.may_be_of(head));
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
    fn text_that_begins_as_something_compressed_or_unsupported_is_text() {
        for plain in [&b"P"[..], b"P*M\x19", b"@*M\x18", b"Q*"] {
            assert_eq!(Format::of(plain), Format::Known(Compression::None));
        }
        assert_eq!(Format::of(b"PAR1"), Format::Unsupported("a Parquet file"));
    }
}
