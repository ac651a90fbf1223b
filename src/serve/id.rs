//! What a client calls its requests by.

use serde_json::value::RawValue;

/// What a client calls its request by: its JSON, a string or an integer.
#[derive(Clone, Debug)]
pub(super) struct Id(Box<RawValue>);

/// The longest of them, in bytes.
const MAX_ID_BYTES: usize = 256;

impl Id {
    /// None for what is no string and no integer, or too long.
    pub(super) fn read(raw: &RawValue) -> Option<Id> {
        let text = raw.get();
        let named = text.starts_with('"') || text.parse::<i64>().is_ok();
        (named && text.len() <= MAX_ID_BYTES).then(|| Id(raw.to_owned()))
    }

    /// The id of answers to what has none that could be read.
    pub(super) fn none() -> Id {
        Id(RawValue::NULL.to_owned())
    }

    pub(super) fn raw(&self) -> &RawValue {
        &self.0
    }

    pub(super) fn key(&self) -> &str {
        self.0.get()
    }
}
