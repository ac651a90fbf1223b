//! What a field of a user's JSON is: its name, its type and range, and what the reference says of it.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;

/// A field of a JSON object that users write.
pub struct Field {
    pub name: &'static str,
    pub shape: Shape,
    /// What holds without it, as the reference says it; [`NO_DEFAULT`] for nothing.
    pub default: &'static str,
    /// What it means, in Markdown for the reference.
    pub doc: &'static str,
}

/// The default of a field that has none.
pub(crate) const NO_DEFAULT: &str = "–";

/// The type and the range of a field.
pub enum Shape {
    Text,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// A number from the first to the second, and what it counts, in the plural.
    Number(f64, f64, &'static str),
    /// A whole number from the first to the second.
    Whole(u64, u64),
    /// Whatever is JSON.
    Any,
    List(&'static Shape),
    /// A list of at most [`MAX_STEPS`].
    Steps(&'static [&'static Field]),
    /// An object with free keys.
    Map(&'static Shape),
    /// An object with these keys.
    Object(&'static [&'static Field]),
    /// A string, or an object with these keys.
    TextOr(&'static [&'static Field]),
}

/// The most steps of one episode. A step takes many times what `{}` takes on the line.
pub(crate) const MAX_STEPS: usize = 10_000;

/// A value outside of its field's range; reads on after the field's name.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("must be {wanted}, not {value}")]
pub struct OutOfRange {
    wanted: String,
    value: f64,
}

impl Field {
    /// Whether it is an alternative to a plain string, and does not stand beside another.
    fn is_content(&self) -> bool {
        self.default == NO_DEFAULT
    }

    /// The lowest and the highest value of a number.
    pub fn range(&self) -> RangeInclusive<f64> {
        match self.shape {
            Shape::Number(from, to, _) => from..=to,
            Shape::Whole(from, to) => from as f64..=to as f64,
            _ => f64::MIN..=f64::MAX,
        }
    }

    /// Whether a number is in the field's range.
    pub fn check(&self, value: f64) -> Result<f64, OutOfRange> {
        if self.range().contains(&value) {
            return Ok(value);
        }
        Err(OutOfRange {
            wanted: self.shape.range_in_words(),
            value,
        })
    }
}

impl Shape {
    fn range_in_words(&self) -> String {
        match self {
            Shape::Whole(from, to) => format!("a whole number from {from} to {to}"),
            Shape::Number(from, to, "") => format!("from {from} to {to}"),
            Shape::Number(from, to, unit) => format!("from {from} to {to} {unit}"),
            other => other.in_words().to_owned(),
        }
    }

    /// What a value of another type is told.
    pub fn in_words(&self) -> &'static str {
        match self {
            Shape::Text | Shape::Choice(_) => "a string",
            Shape::Number(..) => "a number",
            Shape::Whole(..) => "a whole number of 0 or more",
            Shape::Any => "JSON",
            Shape::List(_) => "an array of strings",
            Shape::Steps(_) => "an array of objects",
            Shape::Map(_) | Shape::Object(_) => "an object",
            Shape::TextOr(fields) if fields.len() == 1 => "a string or {\"base64\": …}",
            Shape::TextOr(_) => "a string, {\"base64\": …} or {\"host_path\": …}",
        }
    }

    /// What stands at a path such as `steps[0].timeout_s`, where that is a field of ours.
    pub fn at(&self, path: &str) -> Option<&Shape> {
        match self {
            _ if path.is_empty() => Some(self),
            Shape::Any => Some(self),
            // The rest begins with a free name, which ends wherever it likes.
            Shape::Map(of) => Some(of),
            Shape::List(of) => of.at(path.strip_prefix('[')?.split_once(']')?.1),
            Shape::Steps(fields) => {
                let path = path.strip_prefix('[')?.split_once(']')?.1;
                at_field(fields, path)
            }
            Shape::Object(fields) | Shape::TextOr(fields) => at_field(fields, path),
            Shape::Text | Shape::Choice(_) | Shape::Number(..) | Shape::Whole(..) => None,
        }
    }
}

fn at_field<'a>(fields: &'a [&'static Field], path: &str) -> Option<&'a Shape> {
    let path = path.strip_prefix('.').unwrap_or(path);
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    fields
        .iter()
        .find(|field| field.name == name)?
        .shape
        .at(rest)
}

/// As the reference writes a type.
impl Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Text => f.write_str("string"),
            Shape::Choice(words) => write!(f, "`{}`", words.join("`, `")),
            Shape::Number(from, to, _) => write!(f, "number, {from} to {to}"),
            Shape::Whole(from, to) => write!(f, "whole number, {from} to {to}"),
            Shape::Any => f.write_str("any JSON"),
            Shape::List(of) => write!(f, "[{of}]"),
            Shape::Steps(_) => f.write_str("[step]"),
            Shape::Map(of) => write!(f, "{{name: {of}}}"),
            Shape::Object(_) => f.write_str("object"),
            Shape::TextOr(fields) => {
                f.write_str("string")?;
                let alternatives = fields.iter().filter(|field| field.is_content());
                alternatives
                    .into_iter()
                    .try_for_each(|field| write!(f, " or `{{\"{}\": …}}`", field.name))
            }
        }
    }
}
