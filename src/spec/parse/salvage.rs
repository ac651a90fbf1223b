//! What a broken line still says of itself: its id, group and meta, so that its result can be
//! matched to the line. Reads up to the point where the JSON breaks.

use super::Invalid;
use super::check::check_id;
use crate::spec::episode::Echo;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// An [`Invalid`] with what can be read of `text`.
pub(super) fn invalid(text: &str, message: String) -> Invalid {
    let mut found = Found::default();
    // The error is why we are here; what was collected before it is what we want.
    let _ = serde_json::Deserializer::from_str(text).deserialize_map(&mut found);
    let Found { id, group, meta } = found;
    let id = id.filter(|id| check_id(id).is_ok());
    Invalid {
        id,
        echo: Echo {
            group,
            meta,
            spec_digest: None,
        },
        message,
    }
}

/// The same for bytes that are not UTF-8; a field that holds such bytes is not kept.
pub(super) fn invalid_utf8(bytes: &[u8], message: String) -> Invalid {
    let torn = |text: &str| text.contains('\u{FFFD}');
    let mut invalid = invalid(&String::from_utf8_lossy(bytes), message);
    invalid.id = invalid.id.filter(|id| !torn(id));
    invalid.echo.group = invalid.echo.group.filter(|group| !torn(group));
    invalid.echo.meta = invalid.echo.meta.filter(|meta| !torn(meta.get()));
    invalid
}

/// The usable id of a line, valid or not: what [`super::parse`] would give it, for a fraction of
/// the work.
pub fn id_of(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct OnlyId {
        id: Option<String>,
    }
    // serde does not look at strings it skips, but `parse` refuses the line for one that is not UTF-8.
    let Ok(text) = std::str::from_utf8(bytes) else {
        return invalid_utf8(bytes, String::new()).id;
    };
    match serde_json::from_str::<super::raw::Object<OnlyId>>(text) {
        Ok(object) => object.0.id.filter(|id| check_id(id).is_ok()),
        Err(_) => invalid(text, String::new()).id,
    }
}

#[derive(Default)]
struct Found {
    id: Option<String>,
    group: Option<String>,
    meta: Option<Box<RawValue>>,
}

impl<'de> Visitor<'de> for &mut Found {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
            let text = || serde_json::from_str::<String>(value.get()).ok();
            match key.as_str() {
                "id" if self.id.is_none() => self.id = text(),
                "group" if self.group.is_none() => self.group = text(),
                "meta" if self.meta.is_none() => self.meta = Some(value.to_owned()),
                _ => {}
            }
        }
        Ok(())
    }
}
