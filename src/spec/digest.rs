//! A digest of what a line asks for: two lines with the same one have the same verdict. And the fingerprint that such digests,
//! and ids, are.
//!
//! It is of the values, not of the text: white space, the order of fields, escapes in strings and fields that are `null`
//! make no difference, nor is `512` another number than `512.0`. The fields `id`, `group` and `meta` do not count, for
//! nothing runs otherwise because of them; nor do the flags of the command line; and of a `host_path` the path counts,
//! not what lies there. A line that is no valid episode asks for nothing, so it goes by its bytes.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::NonZeroU64;
use xxhash_rust::xxh3::{Xxh3, xxh3_128, xxh3_128_with_seed};

/// What does not change what runs.
const ECHOED: [&str; 3] = ["id", "group", "meta"];

/// Keep apart what has the same bytes and is of another kind.
mod seed {
    pub(super) const TEXT: u64 = 1;
    pub(super) const WHOLE: u64 = 2;
    pub(super) const NUMBER: u64 = 3;
    pub(super) const BOOL: u64 = 4;
    pub(super) const NULL: u64 = 5;
    pub(super) const LIST: u64 = 6;
    pub(super) const OBJECT: u64 = 7;
    pub(super) const BYTES: u64 = 8;
}

/// 64 bits of a 128-bit hash; as text, 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(NonZeroU64);

impl Digest {
    /// What a line asks for; `None` when it is no JSON object.
    pub fn of_request(line: &[u8]) -> Option<Digest> {
        let mut json = serde_json::Deserializer::from_slice(line);
        let hash = json.deserialize_map(Request).ok()?;
        json.end().ok()?;
        Some(Digest::short(hash))
    }

    /// A line as it is written.
    pub fn of_bytes(line: &[u8]) -> Digest {
        Digest::short(xxh3_128_with_seed(line, seed::BYTES))
    }

    /// From its text.
    pub fn parse(text: &str) -> Option<Digest> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = digits.then(|| u64::from_str_radix(text, 16).ok())??;
        NonZeroU64::new(value).map(Digest)
    }

    fn short(hash: u128) -> Digest {
        Digest(NonZeroU64::new(hash as u64).unwrap_or(NonZeroU64::MIN))
    }
}

/// What an earlier verdict is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    For(Digest),
    /// Results of older versions don't say.
    Unknown,
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// What stands for an id where its text would take too much memory: 128 bits, of which two ids of a run of a billion
/// episodes share all with a chance below one in 10^20. As bytes it stands beside others without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fingerprint([u8; 16]);

pub(crate) fn fingerprint(id: &str) -> Fingerprint {
    Fingerprint(xxh3_128(id.as_bytes()).to_le_bytes())
}

impl Fingerprint {
    /// One of so many parts of all of them, whatever their hash is.
    pub(crate) fn part(self, of: usize) -> usize {
        usize::from(self.0[15]) % of
    }
}

impl Hash for Fingerprint {
    /// Half of it is a hash already.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        state.write_u64(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    }
}

/// The object of a line, without what is only echoed.
struct Request;

impl<'de> Visitor<'de> for Request {
    type Value = u128;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<u128, A::Error> {
        hash_fields(map, &ECHOED)
    }
}

/// Any value.
struct Value;

impl<'de> DeserializeSeed<'de> for Value {
    type Value = u128;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<u128, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = u128;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u128, E> {
        Ok(xxh3_128_with_seed(text.as_bytes(), seed::TEXT))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u128, E> {
        Ok(whole(number.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u128, E> {
        Ok(whole(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<u128, E> {
        // Every float of that size that is whole is an i128 exactly.
        Ok(if number.fract() == 0.0 && number.abs() < 1e36 {
            whole(number as i128)
        } else {
            xxh3_128_with_seed(&number.to_bits().to_le_bytes(), seed::NUMBER)
        })
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<u128, E> {
        Ok(xxh3_128_with_seed(&[value.into()], seed::BOOL))
    }

    fn visit_unit<E: Error>(self) -> Result<u128, E> {
        Ok(null())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<u128, A::Error> {
        let mut hashes = Xxh3::with_seed(seed::LIST);
        while let Some(hash) = list.next_element_seed(Value)? {
            hashes.update(&hash.to_le_bytes());
        }
        Ok(hashes.digest128())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<u128, A::Error> {
        hash_fields(map, &[])
    }
}

/// The name of a field, which is copied only where it has escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The fields of an object in an order that is always the same, without those that are not set.
fn hash_fields<'de, A: MapAccess<'de>>(mut map: A, left_out: &[&str]) -> Result<u128, A::Error> {
    // Name and value as they are hashed.
    let mut fields: Vec<[[u8; 16]; 2]> = Vec::new();
    while let Some(Name(name)) = map.next_key()? {
        if left_out.contains(&&*name) {
            map.next_value::<IgnoredAny>()?;
            continue;
        }
        let value = map.next_value_seed(Value)?;
        if value != null() {
            fields.push([xxh3_128(name.as_bytes()), value].map(u128::to_le_bytes));
        }
    }
    fields.sort_unstable_by_key(|field| field.map(u128::from_le_bytes));
    let bytes = fields.as_flattened().as_flattened();
    Ok(xxh3_128_with_seed(bytes, seed::OBJECT))
}

fn whole(number: i128) -> u128 {
    xxh3_128_with_seed(&number.to_le_bytes(), seed::WHOLE)
}

fn null() -> u128 {
    xxh3_128_with_seed(&[], seed::NULL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> String {
        Digest::of_request(line.as_bytes()).unwrap().to_string()
    }

    const LINE: &str = r#"{"id": "a", "command": "é", "env": {"A": "1", "B": "2"}, "resources": {"memory_mb": 512}, "timeout_s": 5}"#;

    #[test]
    fn how_a_line_is_written_makes_no_difference() {
        for same in [
            r#"{"timeout_s":5.0,"resources":{"memory_mb":512.0},"env":{"B":"2","A":"1"},"command":"\u00e9","id":"b"}"#,
            r#"{"command": "é", "env": {"A": "1", "B": "2"}, "resources": {"memory_mb": 512, "disk_mb": null}, "timeout_s": 5, "argv": null, "group": "g", "meta": {"x": [1]}}"#,
        ] {
            assert_eq!(of(LINE), of(same), "{same}");
        }
    }

    #[test]
    fn what_it_asks_for_does() {
        let mut seen = vec![of(LINE)];
        for (from, to) in [
            ("é", "e"),
            ("timeout_s\": 5", "timeout_s\": 5.5"),
            ("timeout_s\": 5", "timeout_s\": -5"),
            ("timeout_s\": 5", "timeout_s\": \"5\""),
            ("timeout_s\": 5", "timeout_s\": [5]"),
            ("timeout_s\": 5", "timeout_s\": true"),
            ("timeout_s\": 5", "workdir\": 5"),
            ("\"A\": \"1\", \"B\": \"2\"", "\"A\": \"2\", \"B\": \"1\""),
            ("env", "files"),
            ("{\"memory_mb\": 512}", "{\"meta\": 512}"),
            ("{\"memory_mb\": 512}", "{\"id\": 512}"),
            ("{\"memory_mb\": 512}", "[\"memory_mb\", 512]"),
        ] {
            let other = of(&LINE.replace(from, to));
            assert!(!seen.contains(&other), "{from} -> {to}");
            seen.push(other);
        }
    }

    #[test]
    fn what_it_is_stays_from_version_to_version() {
        let nested = r#"{"steps": [{"command": "a", "env": {"B": "\u00e9", "A": null}}, {"argv": ["x", 1, 1.5, true, []]}], "a\tb": {}}"#;
        let digests = [of(r#"{"command":"true"}"#), of(LINE), of(nested)];
        assert_eq!(
            digests,
            ["9457ddd58fe620ff", "2b9171ed824fdac6", "d82c8a75a00942b9"]
        );
        let many = format!("{{\"argv\": [{}]}}", vec!["\"x\""; 100].join(", "));
        assert_eq!(of(&many), "173f083a1f4f1c16");
    }

    #[test]
    fn its_text_is_sixteen_digits_and_is_read_back() {
        let digest = Digest::of_request(br#"{"command": "true"}"#).unwrap();
        let text = digest.to_string();
        assert_eq!(text.len(), 16);
        assert_eq!(Digest::parse(&text), Some(digest));
        for bad in [
            "",
            "0",
            "+123456789abcdef",
            "0000000000000000",
            "g123456789abcdef",
        ] {
            assert_eq!(Digest::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_no_object_has_only_its_bytes() {
        for line in ["", "[]", "nope", "{\"a\": NaN}", "{} {}"] {
            assert_eq!(Digest::of_request(line.as_bytes()), None, "{line}");
        }
        assert_ne!(Digest::of_bytes(b"a"), Digest::of_bytes(b"b"));
    }
}
