//! The patterns of `collect`, by how their files are found.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::collections::BTreeMap;

/// Where a wildcard begins in a pattern; a backslash takes the meaning of what follows.
const WILDCARDS: [char; 6] = ['*', '?', '[', '{', '}', '\\'];

#[derive(Default)]
pub(super) struct Patterns {
    /// Names without wildcards: they are opened, not searched for.
    pub literal: Vec<String>,
    /// The others, by the directory that they start from. Relative ones start at the working directory, which is `""`.
    pub below: BTreeMap<String, GlobSet>,
}

impl Patterns {
    pub(super) fn of(patterns: &[String]) -> Patterns {
        let mut literal = Vec::new();
        let mut below: BTreeMap<String, GlobSetBuilder> = BTreeMap::new();
        for pattern in patterns {
            if let Some(name) = plain(pattern) {
                literal.push(name);
                continue;
            }
            let pattern = normal(pattern);
            // They were compiled once before, when the line was checked.
            let glob = GlobBuilder::new(&pattern).literal_separator(true).build();
            if let Ok(glob) = glob {
                let set = below.entry(literal_base(&pattern));
                set.or_insert_with(GlobSetBuilder::new).add(glob);
            }
        }
        let below = below.into_iter();
        let below = below.filter_map(|(base, set)| Some((base, set.build().ok()?)));
        Patterns {
            literal,
            below: below.collect(),
        }
    }
}

/// A pattern without slashes, and parts that are `.`, that no name has which is found: with them it would match nothing.
/// What stands in brackets stays, and a `./` that a pattern begins with, which is part of the names it gives.
fn normal(pattern: &str) -> String {
    let mut kept = String::with_capacity(pattern.len());
    let mut in_brackets = false;
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        let mut length = letter.len_utf8();
        match letter {
            '\\' => length += rest[length..].chars().next().map_or(0, char::len_utf8),
            '[' => in_brackets = true,
            ']' => in_brackets = false,
            _ => {}
        }
        kept.push_str(&rest[..length]);
        rest = &rest[length..];
        if letter == '/' && !in_brackets {
            rest = without_first_parts(rest);
        }
    }
    // Only files are collected, so one that ends in a slash can mean nothing else.
    match kept.strip_suffix('/') {
        Some(name) if !name.is_empty() && !name.ends_with('\\') => name.to_owned(),
        _ => kept,
    }
}

/// What follows a slash, without the parts that add nothing to it.
fn without_first_parts(mut rest: &str) -> &str {
    while let Some(next) = rest.strip_prefix('/').or_else(|| rest.strip_prefix("./")) {
        rest = next;
    }
    match rest {
        "." => "",
        rest => rest,
    }
}

/// The name that a pattern without wildcards stands for.
fn plain(pattern: &str) -> Option<String> {
    let mut name = String::with_capacity(pattern.len());
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => name.push(letters.next()?),
            wildcard if WILDCARDS.contains(&wildcard) => return None,
            plain => name.push(plain),
        }
    }
    Some(name)
}

/// The directory a pattern starts from: its components before the first with a wildcard.
fn literal_base(pattern: &str) -> String {
    let is_plain = |part: &&str| !part.contains(WILDCARDS);
    let parts: Vec<&str> = pattern.split('/').take_while(is_plain).collect();
    match parts.join("/") {
        base if base.is_empty() && pattern.starts_with('/') => "/".into(),
        base => base,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_searched_from_its_literal_part() {
        for (pattern, base) in [
            ("/tests/*.txt", "/tests"),
            ("/a/b/c?.txt", "/a/b"),
            ("/*.txt", "/"),
            ("*.txt", ""),
            ("out/deep/**/x", "out/deep"),
            ("out/a\\*b/*", "out"),
        ] {
            assert_eq!(literal_base(pattern), base, "{pattern}");
        }
    }

    #[test]
    fn slashes_and_dots_that_add_nothing_are_left_out_of_a_pattern() {
        for (pattern, is) in [
            ("out//*", "out/*"),
            ("out/././/./*.txt", "out/*.txt"),
            ("//a//*/", "/a/*"),
            ("./out/*/.", "./out/*"),
            ("/*", "/*"),
            ("a.//.b/*", "a./.b/*"),
            ("[a/./b]//*", "[a/./b]/*"),
            ("\\[a/./b*", "\\[a/b*"),
            ("{a//b,c}*", "{a/b,c}*"),
            ("é//*", "é/*"),
        ] {
            assert_eq!(normal(pattern), is, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_without_wildcards_is_a_name() {
        for (pattern, name) in [
            ("out/log", Some("out/log")),
            ("a\\*b\\\\", Some("a*b\\")),
            ("a*", None),
            ("[ab]", None),
            ("{a,b}", None),
            ("a?", None),
        ] {
            assert_eq!(plain(pattern).as_deref(), name, "{pattern}");
        }
        let patterns = ["a", "b/*", "b/?", "/c/*"].map(str::to_owned);
        let patterns = Patterns::of(&patterns);
        assert_eq!(patterns.literal, ["a"]);
        assert_eq!(patterns.below.keys().collect::<Vec<_>>(), ["/c", "b"]);
        assert!(patterns.below["b"].is_match("b/x") && !patterns.below["b"].is_match("x"));
    }
}
