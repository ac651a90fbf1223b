//! Program output as JSON text.

use serde::{Serialize, Serializer};

/// Bytes a program printed. Serialised as a string in which each invalid UTF-8 sequence is U+FFFD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(pub Vec<u8>);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&String::from_utf8_lossy(&self.0))
    }
}
