//! Why serde refused a line, in words that name the field.
//!
//! Runs only on lines that failed. Walking a line against the table of fields finds the first field that is unknown, given twice or
//! of the wrong type, however deep.

use super::{Flaw, no_number, quoted};
use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::raw::{Pairs, Whole as RawWhole};
use crate::spec::field::{Field, MAX_STEPS, Shape};
use crate::spec::fields::{EPISODE, RESOURCE, STEP};
use Shape::*;

/// Names that other tools use for a field of ours.
const ALIASES: [(&str, &str); 7] = [
    ("cmd", "command"),
    ("script", "command"),
    ("args", "argv"),
    ("cwd", "workdir"),
    ("working_dir", "workdir"),
    ("input", "stdin"),
    ("metadata", "meta"),
];

/// The sentence for a line that is to have these fields, and that [`super::raw`] refused with `error`.
pub(super) fn explain(
    text: &str,
    error: &serde_json::Error,
    fields: &'static [&'static Field],
) -> Flaw {
    let raw = match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => raw,
        Err(syntax) => return not_json(text, &syntax),
    };
    match raw.get().as_bytes().first() {
        Some(b'{') => {}
        Some(b'[') => {
            return Flaw("the line holds an array, not an object; write each episode as one object on its own line".into());
        }
        _ => {
            return Flaw(format!(
                "the line holds {}, not an object; write each episode as one object on its own line",
                described(raw)
            ));
        }
    }
    find("", raw, &Object(fields)).unwrap_or_else(|| {
        // The table and the structs of `raw` disagree; the tests hold them together.
        Flaw(format!(
            "the line is not a valid episode: {}; correct that field",
            reason(error)
        ))
    })
}

fn not_json(text: &str, error: &serde_json::Error) -> Flaw {
    let column = error.column();
    if let Some(no_number) = no_number::find(text, column) {
        return has_none(&no_number);
    }
    Flaw(match error.classify() {
        Category::Eof => {
            "the line ends in the middle of its JSON; write each episode whole, on one line".into()
        }
        _ if reason(error) == "trailing characters" => {
            format!("more text follows the JSON at column {column}; write one episode per line")
        }
        _ => format!(
            "the line is not valid JSON at column {column}: {}; write one JSON object per line",
            reason(error)
        ),
    })
}

fn has_none(found: &no_number::NoNumber<'_>) -> Flaw {
    let remedy = match Object(EPISODE).at(&found.path) {
        _ if found.path.is_empty() => "write each episode as one object on its own line".into(),
        Some(Any) => "write null, or a string".into(),
        Some(Number(..) | Whole(..)) => "write null or a finite number".into(),
        Some(shape) => format!("write {}", shape.in_words()),
        None => "write what JSON has".into(),
    };
    let problem = format!("is {}, which JSON does not have; {remedy}", found.spelling);
    match found.path.as_str() {
        "" => Flaw(format!("the line {problem}")),
        path => Flaw::new(&shortened(path), problem),
    }
}

/// A path that says where to look, without its middle where a message would drown in it.
fn shortened(path: &str) -> Cow<'_, str> {
    const SHOWN_BEFORE: usize = 120;
    const SHOWN_AFTER: usize = 80;
    let nth = |n| path.char_indices().nth(n).map(|(at, _)| at);
    let nth_last = |n| path.char_indices().nth_back(n).map(|(at, _)| at);
    match (nth(SHOWN_BEFORE), nth_last(SHOWN_AFTER - 1)) {
        (Some(before), Some(after)) if before < after => {
            Cow::Owned(format!("{}…{}", &path[..before], &path[after..]))
        }
        _ => Cow::Borrowed(path),
    }
}

/// serde's message without its position, which counts lines that are not the user's.
fn reason(error: &serde_json::Error) -> String {
    let full = error.to_string();
    full.rsplit_once(" at line ")
        .map_or(full.clone(), |(reason, _)| reason.to_owned())
}

/// The first flaw at or below `raw`, which stands at `path`.
fn find(path: &str, raw: &RawValue, shape: &Shape) -> Option<Flaw> {
    let json = raw.get();
    let wrong = || {
        Some(Flaw::new(
            path,
            format_args!("must be {}, not {}", shape.in_words(), described(raw)),
        ))
    };
    match (shape, json.as_bytes().first()) {
        (Any, _) => None,
        (Text | Choice(_) | TextOr(_), Some(b'"')) => match serde_json::from_str::<String>(json) {
            Ok(_) => None,
            Err(e) => Some(Flaw::new(
                path,
                format_args!("is not a valid string: {}; correct the escape", reason(&e)),
            )),
        },
        (Number(..), _) => match serde_json::from_str::<f64>(json) {
            Ok(_) => None,
            Err(_) => wrong(),
        },
        (Whole(..), _) => match serde_json::from_str::<RawWhole>(json) {
            Ok(_) => None,
            Err(_) => wrong(),
        },
        (List(of), Some(b'[')) => children::<Vec<&RawValue>>(json)?
            .into_iter()
            .enumerate()
            .find_map(|(i, raw)| find(&format!("{path}[{i}]"), raw, of)),
        (Steps(fields), Some(b'[')) => {
            let list = children::<Vec<&RawValue>>(json)?;
            // serde stops at the first of the two as well.
            let mut found = list.iter().take(MAX_STEPS).enumerate();
            found
                .find_map(|(i, raw)| find(&format!("{path}[{i}]"), raw, &Object(fields)))
                .or_else(|| (list.len() > MAX_STEPS).then(|| too_many(path, list.len())))
        }
        (Map(of), Some(b'{')) => match serde_json::from_str::<Pairs<&RawValue>>(json) {
            Ok(Pairs(pairs)) => pairs
                .into_iter()
                .find_map(|(key, raw)| find(&format!("{path}[{}]", quoted(&key)), raw, of)),
            Err(e) => Some(bad_name(path, &e)),
        },
        (Object(fields) | TextOr(fields), Some(b'{')) => find_in_object(path, json, fields),
        _ => wrong(),
    }
}

fn find_in_object(path: &str, json: &str, fields: &[&'static Field]) -> Option<Flaw> {
    let pairs = match serde_json::from_str::<Pairs<&RawValue>>(json) {
        Ok(Pairs(pairs)) => pairs,
        Err(e) => return Some(bad_name(path, &e)),
    };
    for (i, (key, raw)) in pairs.iter().enumerate() {
        let here = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        let Some(field) = fields.iter().find(|field| field.name == key) else {
            return Some(unknown(path, key, fields));
        };
        if pairs[..i].iter().any(|(earlier, _)| earlier == key) {
            return Some(Flaw::new(&here, "is given twice; keep one of them"));
        }
        if raw.get() == "null" {
            // Not set; only `stdin`'s base64 cannot be left out.
            if fields.len() == 1 {
                return find(&here, raw, &field.shape);
            }
            continue;
        }
        if let Some(flaw) = find(&here, raw, &field.shape) {
            return Some(flaw);
        }
    }
    if pairs.is_empty() && fields.len() == 1 {
        return Some(Flaw::new(
            path,
            format_args!("lacks its `{}`; add it", fields[0].name),
        ));
    }
    None
}

/// The JSON is whole, so what can't be read of an object is a name in it.
fn bad_name(path: &str, error: &serde_json::Error) -> Flaw {
    let place = match path {
        "" => "the episode".to_owned(),
        path => format!("`{path}`"),
    };
    Flaw(format!(
        "a field name in {place} is not a valid string: {}; correct the escape",
        reason(error)
    ))
}

fn too_many(path: &str, count: usize) -> Flaw {
    Flaw::new(
        path,
        format_args!(
            "has {count} steps; use at most {MAX_STEPS}, and a loop inside a step for more"
        ),
    )
}

fn children<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    serde_json::from_str(json).ok()
}

fn unknown(path: &str, key: &str, fields: &[&'static Field]) -> Flaw {
    let place = match path {
        "" => "the episode".to_owned(),
        path => format!("`{path}`"),
    };
    let shown = quoted(key);
    let shown = shown.trim_matches('"');
    let has = |fields: &[&Field]| fields.iter().any(|field| field.name == key);
    let advice = if let Some(name) = closest(key, fields) {
        format!("did you mean `{name}`?")
    } else if path.is_empty() && has(&RESOURCE) {
        "it belongs in `resources`".to_owned()
    } else if path.is_empty() && has(STEP) {
        "it belongs in a step of `steps`".to_owned()
    } else if has(EPISODE) {
        "it belongs at the top of the episode".to_owned()
    } else {
        "remove it, or keep extra data in the episode's `meta`".to_owned()
    };
    Flaw(format!("unknown field `{shown}` in {place}; {advice}"))
}

/// The field that a misspelt one was most likely meant to be.
fn closest(key: &str, fields: &[&'static Field]) -> Option<&'static str> {
    let key = key.to_ascii_lowercase();
    let names = || fields.iter().map(|field| field.name);
    if let Some((_, ours)) = ALIASES.iter().find(|(theirs, _)| *theirs == key) {
        return names().find(|name| name == ours);
    }
    names()
        .map(|name| (strsim::damerau_levenshtein(&key, name), name))
        .filter(|(distance, name)| *distance <= 2.min(name.len() / 3).max(1) || is_stem(&key, name))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `timeout` for `timeout_s`, `memory` for `memory_mb`.
fn is_stem(key: &str, name: &str) -> bool {
    name.strip_prefix(key)
        .is_some_and(|rest| rest.starts_with('_'))
}

/// What a JSON value is; short ones are quoted as they stand.
fn described(raw: &RawValue) -> String {
    let json = raw.get();
    match json.as_bytes().first() {
        Some(b'{') => "an object".into(),
        Some(b'[') => "an array".into(),
        Some(b'"') if json.len() <= 40 => format!("the string {json}"),
        Some(b'"') => "a string".into(),
        _ if json.len() <= 40 => json.into(),
        _ => "a number".into(),
    }
}
