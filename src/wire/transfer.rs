//! Files into and out of a session, piece by piece, so that neither side holds a whole one.

use serde::{Deserialize, Serialize};

/// The most content of one message, in bytes.
pub(crate) const DATA_BYTES: usize = 512 * 1024;

/// Entries that may wait for their turn on the way out, so that a tree of millions can't fill the slot's memory.
pub(crate) const MAX_WAITING: usize = 200_000;
/// What their names may take together, each with what is held beside it.
pub(crate) const MAX_WAITING_BYTES: usize = 16 << 20;

/// The next piece of what is put into the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Put {
    /// Makes it, with its parents; a file is then filled by the data that follows. The path is one of the contract:
    /// absolute, inside the sandbox.
    Entry(Entry),
    Data(#[serde(with = "serde_bytes")] Vec<u8>),
    /// There is no more: what is open is closed.
    End,
}

/// What is taken out of the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Get {
    /// Begins at a file or a directory; an absolute path inside the sandbox.
    Begin(String),
    Next,
    /// Forgets what was begun.
    End,
}

/// The next piece of what is taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// Its path is relative to where it began; empty for that itself.
    Entry(Entry),
    /// More of the last entry, a file.
    Data(#[serde(with = "serde_bytes")] Vec<u8>),
    /// What has this path can't be sent.
    Skipped(String, Skipped),
    End,
}

/// Why something is not taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Skipped {
    /// Neither a file nor a directory nor a link.
    Special,
    /// A link, and where it leads is not UTF-8.
    Target,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// [Escaped](crate::spec::names::escaped) where it is taken out.
    pub path: String,
    pub kind: EntryKind,
    /// Permission bits; without meaning for a link.
    pub mode: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    File,
    Directory,
    /// A symbolic link, and where it leads.
    Link(String),
}

/// A piece that could not be put or taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotDone {
    pub path: String,
    pub errno: i32,
}
