//! How compressed files begin.

use super::Compression;

/// The first bytes of files of one kind.
pub struct Magic {
    bytes: &'static [u8],
    /// The bits of the first byte that count.
    first: u8,
}

impl Magic {
    pub const fn exactly(bytes: &'static [u8]) -> Magic {
        Magic { bytes, first: 0xFF }
    }

    /// Whether a file that begins so is one.
    pub fn is_of(&self, head: &[u8]) -> bool {
        head.len() >= self.bytes.len() && self.agrees(head)
    }

    /// Whether it may be one, which so few bytes can't tell.
    pub fn may_be_of(&self, head: &[u8]) -> bool {
        head.len() < self.bytes.len() && self.agrees(head)
    }

    /// Whether they agree as far as both go.
    fn agrees(&self, head: &[u8]) -> bool {
        let mut masks = std::iter::once(self.first).chain(std::iter::repeat(0xFF));
        let mut pairs = self.bytes.iter().zip(head);
        pairs.all(|(magic, byte)| masks.next().is_some_and(|mask| *magic == byte & mask))
    }
}

/// Everything that a compressed file can begin with.
pub const COMPRESSED: [(Magic, Compression); 3] = [
    (Magic::exactly(&[0x1F, 0x8B]), Compression::Gzip),
    (Magic::exactly(&[0x28, 0xB5, 0x2F, 0xFD]), Compression::Zstd),
    // A frame to be skipped, of any of sixteen kinds (RFC 8878, 3.1.2): pzstd begins its files with one.
    (
        Magic {
            bytes: &[0x50, 0x2A, 0x4D, 0x18],
            first: 0xF0,
        },
        Compression::Zstd,
    ),
];
