//! The fields of a request, read without making anything of their values: a short line can't become a large tree.

use super::answer::RequestError;
use crate::spec::field::Field;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// The fields of a request, each as the client wrote it.
pub(super) struct Fields<'a> {
    op: &'static str,
    fields: BTreeMap<&'static str, &'a RawValue>,
}

/// What every request has.
const COMMON: [&str; 2] = ["id", "op"];

/// The longest part of what a client sent that a message quotes, in characters.
const MAX_QUOTED: usize = 60;

impl<'a> Fields<'a> {
    /// Reads a line again, whole; a field that is not among `known` is an error.
    pub(super) fn read(
        line: &'a [u8],
        op: &'static str,
        known: &'static [&'static Field],
    ) -> Result<Fields<'a>, RequestError> {
        let mut json = serde_json::Deserializer::from_slice(line);
        let read = Known(known).deserialize(&mut json);
        let read = read.and_then(|read| json.end().map(|()| read));
        match read.map_err(|error| RequestError::bad(format!("the line can't be read: {error}")))? {
            Ok(fields) => Ok(Fields { op, fields }),
            Err(unknown) => Err(RequestError::bad(format!(
                "`{op}` has no field {:?}; it takes {}",
                shortened(&unknown),
                taken(known)
            ))),
        }
    }

    /// Takes out a field.
    pub(super) fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        self.fields.remove(name)
    }

    /// Takes out a field that has to be there, and a string.
    pub(super) fn text(&mut self, name: &str) -> Result<String, RequestError> {
        match self.take(name) {
            Some(value) => serde_json::from_str(value.get())
                .map_err(|_| RequestError::bad(format!("`{name}` is not a string"))),
            None => Err(RequestError::bad(format!("`{}` needs `{name}`", self.op))),
        }
    }

    /// Takes out a number of seconds, up to a week.
    pub(super) fn seconds(&mut self, name: &str) -> Result<Option<f64>, RequestError> {
        let Some(value) = self.take(name).map(RawValue::get) else {
            return Ok(None);
        };
        match serde_json::from_str::<Option<f64>>(value) {
            Ok(None) => Ok(None),
            Ok(Some(seconds)) if (0.0..=604_800.0).contains(&seconds) => Ok(Some(seconds)),
            _ => Err(RequestError::bad(format!(
                "`{name}` must be from 0 to 604800 seconds, not {}",
                shortened(value)
            ))),
        }
    }
}

/// What a request takes beside what every request has.
fn taken(known: &[&Field]) -> String {
    let names = known.iter().map(|field| field.name);
    let own: Vec<&str> = names.filter(|name| !COMMON.contains(name)).collect();
    own.join(", ")
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_QUOTED).collect()
}

/// Reads an object whose fields have these names, or the name of the first other one.
struct Known(&'static [&'static Field]);

type KnownFields<'a> = Result<BTreeMap<&'static str, &'a RawValue>, String>;

impl<'de> DeserializeSeed<'de> for Known {
    type Value = KnownFields<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Known {
    type Value = KnownFields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut read: Self::Value = Ok(BTreeMap::new());
        while let Some(name) = map.next_key::<String>()? {
            let known = self.0.iter().find(|known| known.name == name);
            match (&mut read, known) {
                (Ok(fields), Some(known)) => {
                    fields.insert(known.name, map.next_value::<&RawValue>()?);
                    continue;
                }
                (Ok(_), None) => read = Err(name),
                _ => {}
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(read)
    }
}
