//! NaN and Infinity, which other programs write into JSON though it has none: where a line holds the first of them.

use super::quoted;

/// As Python, JavaScript and their libraries spell them. What has a sign comes first.
const SPELLINGS: [&str; 9] = [
    "-Infinity",
    "-inf",
    "-nan",
    "-NaN",
    "Infinity",
    "NaN",
    "nan",
    "inf",
    "Inf",
];

/// How deep a value is looked for: nothing that is read as JSON may be nested deeper.
const MAX_LEVELS: usize = 128;

/// What stands in the place of a number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoNumber<'a> {
    pub spelling: &'a str,
    /// The field it is the value of, such as `meta.loss[3]`; empty where the line does not get so far.
    pub path: String,
}

/// An object or an array that is open where a line is read.
enum Level<'a> {
    /// The name of the last field, as it stands in the line.
    Object(&'a str),
    /// The index of the element.
    Array(usize),
}

/// The first NaN or Infinity of `text`, when that is what makes it no JSON at `column` (1-based). `None` where it is
/// nested deeper than [`MAX_LEVELS`].
pub(super) fn find(text: &str, column: usize) -> Option<NoNumber<'_>> {
    let mut levels: Vec<Level<'_>> = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let at = text.len() - rest.len();
        if at > column || levels.len() > MAX_LEVELS {
            return None;
        }
        let token = match next {
            '"' => {
                let string = string(rest)?;
                // Of two strings in an object, the first is the name; it is replaced before it is asked for.
                if let Some(Level::Object(name)) = levels.last_mut()
                    && rest[string.len()..].trim_start().starts_with(':')
                {
                    *name = string;
                }
                string
            }
            '{' => {
                levels.push(Level::Object(""));
                "{"
            }
            '[' => {
                levels.push(Level::Array(0));
                "["
            }
            '}' | ']' => {
                levels.pop();
                "}"
            }
            ',' => {
                if let Some(Level::Array(index)) = levels.last_mut() {
                    *index += 1;
                }
                ","
            }
            _ => match SPELLINGS.into_iter().find(|&s| rest.starts_with(s)) {
                Some(spelling) if column <= at + spelling.len() => {
                    return Some(NoNumber {
                        spelling,
                        path: path(&levels),
                    });
                }
                _ => &rest[..next.len_utf8()],
            },
        };
        rest = &rest[token.len()..];
    }
    None
}

/// The string that `text` begins with, quotes included; `None` when it has no end.
fn string(text: &str) -> Option<&str> {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some(&text[..end + 2])
}

fn path(levels: &[Level<'_>]) -> String {
    let mut path = String::new();
    for level in levels {
        match level {
            Level::Array(index) => path.push_str(&format!("[{index}]")),
            Level::Object(name) => {
                let name = serde_json::from_str::<String>(name).unwrap_or_default();
                let shown = quoted(&name);
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(shown.trim_matches('"'));
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(&str, String)> {
        let error = serde_json::from_str::<serde_json::Value>(text).unwrap_err();
        find(text, error.column()).map(|found| (found.spelling, found.path))
    }

    #[test]
    fn the_first_of_them_is_found_with_its_field() {
        for (text, spelling, path) in [
            (r#"{"a": NaN}"#, "NaN", "a"),
            (
                r#"{"a": [1, {"b": 2, "c": -Infinity}]}"#,
                "-Infinity",
                "a[1].c",
            ),
            (
                r#"{"a": "NaN \" {[", "b": {"c": {}, "d": [[], [0, Infinity]]}}"#,
                "Infinity",
                "b.d[1][1]",
            ),
            (r#"{"é": "é", "b" : nan, "c": NaN}"#, "nan", "b"),
            ("NaN", "NaN", ""),
            ("[NaN]", "NaN", "[0]"),
        ] {
            assert_eq!(found(text), Some((spelling, path.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_nested_deeper_than_serde_reads_is_not_looked_into() {
        let deep = |levels: usize| "[".repeat(levels) + "NaN";
        let column = |levels: usize| levels + 1;
        assert!(find(&deep(128), column(128)).is_some());
        assert_eq!(find(&deep(129), column(129)), None);
        let objects = r#"{"a":"#.repeat(129) + "NaN";
        assert_eq!(find(&objects, objects.len() - 2), None);
    }

    #[test]
    fn other_flaws_are_not_taken_for_one() {
        for text in [
            r#"{"a": nul, "b": NaN}"#,
            r#"{"a": "NaN" "b"}"#,
            r#"{"a": NaN"#,
            r#"{"NaN": "#,
            r#"{"a": "torn"#,
            r#"nope"#,
        ] {
            let expected = (text == r#"{"a": NaN"#).then(|| ("NaN", "a".to_owned()));
            assert_eq!(found(text), expected, "{text}");
        }
    }
}
