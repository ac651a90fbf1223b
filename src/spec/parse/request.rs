//! A request of a session as JSON spells it: an episode's or a step's fields, and between them the protocol's own.

use crate::spec::field::Field;
use crate::spec::fields::PROTOCOL;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::marker::PhantomData;

/// Reads a request that has these fields, as an episode or a step that has them. What is the protocol's own is left out.
pub(super) fn read<'a, T: Deserialize<'a>>(
    text: &'a str,
    fields: &'static [&'static Field],
) -> serde_json::Result<T> {
    struct V<T>(&'static [&'static Field], PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for V<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            let own = WithoutProtocol {
                map,
                fields: self.0,
                seen: [false; PROTOCOL.len()],
            };
            T::deserialize(MapAccessDeserializer::new(own))
        }
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let read = json.deserialize_map(V(fields, PhantomData))?;
    json.end()?;
    Ok(read)
}

/// The fields of a request that are not the protocol's own.
struct WithoutProtocol<A> {
    map: A,
    fields: &'static [&'static Field],
    /// Which of the protocol's have been there.
    seen: [bool; PROTOCOL.len()],
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithoutProtocol<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(name) = self.map.next_key_seed(OneOf(self.fields))? {
            let Some(index) = PROTOCOL.iter().position(|field| field.name == name) else {
                return seed.deserialize(name.into_deserializer()).map(Some);
            };
            if std::mem::replace(&mut self.seen[index], true) {
                return Err(A::Error::custom("duplicate field"));
            }
            self.map.next_value::<IgnoredAny>()?;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// The name of one of these fields.
struct OneOf(&'static [&'static Field]);

impl<'de> DeserializeSeed<'de> for OneOf {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<&'static str, D::Error> {
        d.deserialize_identifier(self)
    }
}

impl Visitor<'_> for OneOf {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<&'static str, E> {
        let known = self.0.iter().find(|field| field.name == name);
        known
            .map(|field| field.name)
            .ok_or_else(|| E::custom("unknown field"))
    }
}
