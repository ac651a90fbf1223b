//! A line as JSON spells it, before any check: field names, types, nothing else.
//!
//! `null` stands for a field that is not set. Objects keep the order of their keys and any key that
//! comes twice, so that the checks can refuse it.

use crate::spec::field::{MAX_STEPS, Shape};
use crate::spec::limits::{LIMITS, Limit};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEpisode {
    pub id: Option<String>,
    pub command: Option<String>,
    pub argv: Option<Vec<String>>,
    pub steps: Option<Few<Object<RawStep>>>,
    pub stdin: Option<TextOr<RawBase64>>,
    pub files: Option<Pairs<TextOr<RawFile>>>,
    pub env: Option<Pairs<String>>,
    pub workdir: Option<String>,
    pub timeout_s: Option<f64>,
    pub stretch: Option<f64>,
    pub deadline_s: Option<f64>,
    pub resources: Option<RawResources>,
    pub fs_readable: Option<Vec<String>>,
    pub fs_writable: Option<Vec<String>>,
    pub network: Option<String>,
    pub capture: Option<String>,
    pub output_keep: Option<String>,
    pub collect: Option<Vec<String>>,
    pub group: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub meta: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStep {
    pub name: Option<String>,
    pub command: Option<String>,
    pub argv: Option<Vec<String>>,
    pub stdin: Option<TextOr<RawBase64>>,
    pub env: Option<Pairs<String>>,
    pub workdir: Option<String>,
    pub timeout_s: Option<f64>,
    pub files: Option<Pairs<TextOr<RawFile>>>,
    pub on_failure: Option<String>,
}

/// The limits of `resources` that are set, as the table has them.
pub(super) struct RawResources(pub Vec<(&'static Limit, f64)>);

impl<'de> Deserialize<'de> for RawResources {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = RawResources;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut seen = [false; LIMITS.len()];
                let mut set = Vec::new();
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    let index = LIMITS.iter().position(|limit| limit.field.name == name);
                    let index = index.ok_or_else(|| A::Error::custom("unknown field"))?;
                    if std::mem::replace(&mut seen[index], true) {
                        return Err(A::Error::custom("duplicate field"));
                    }
                    let limit = &LIMITS[index];
                    let value = match limit.field.shape {
                        Shape::Whole(..) => map.next_value::<Option<Whole>>()?.map(|n| n.0 as f64),
                        _ => map.next_value::<Option<f64>>()?,
                    };
                    set.extend(value.map(|value| (limit, value)));
                }
                Ok(RawResources(set))
            }
        }
        d.deserialize_map(V)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBase64 {
    pub base64: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    pub base64: Option<String>,
    pub host_path: Option<String>,
    pub mode: Option<String>,
}

/// Reads one line. serde's errors do not name fields; `diagnose` does.
pub(super) fn read(text: &str) -> serde_json::Result<RawEpisode> {
    serde_json::from_str::<Object<RawEpisode>>(text).map(|object| object.0)
}

/// A `null` here is a value, not an absence: `meta` is echoed as it is.
fn present<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(d).map(Some)
}

/// A struct that is written as an object; serde alone would take an array for it too.
pub(super) struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for V<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        d.deserialize_map(V(PhantomData))
    }
}

/// A whole number of 0 or more. `512.0` is one: programs that know only one kind of number write it so.
pub(super) struct Whole(pub u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Whole;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a whole number")
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Whole, E> {
                Ok(Whole(value))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Whole, E> {
                /// Beyond this a float skips whole numbers.
                const EXACT: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;
                if value.fract() == 0.0 && (0.0..=EXACT).contains(&value) {
                    Ok(Whole(value as u64))
                } else {
                    Err(E::custom("not a whole number"))
                }
            }
        }
        d.deserialize_u64(V)
    }
}

/// A list of at most [`MAX_STEPS`]; a longer one is refused without being held.
pub(super) struct Few<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for V<T> {
            type Value = Few<T>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut few = Vec::new();
                while let Some(one) = list.next_element()? {
                    if few.len() == MAX_STEPS {
                        return Err(A::Error::custom("too many steps"));
                    }
                    few.push(one);
                }
                Ok(Few(few))
            }
        }
        d.deserialize_seq(V(PhantomData))
    }
}

/// A plain string, or an object for what a string cannot say.
pub(super) enum TextOr<T> {
    Text(String),
    Object(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for TextOr<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for V<T> {
            type Value = TextOr<T>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string or an object")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(TextOr::Text(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(TextOr::Object)
            }
        }
        d.deserialize_any(V(PhantomData))
    }
}

/// An object with free keys, in the order of the line.
pub(super) struct Pairs<T>(pub Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for V<T> {
            type Value = Pairs<T>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        d.deserialize_map(V(PhantomData))
    }
}
