//! Checks of the patterns of `collect`.

use super::program::no_nul;
use super::{Flaw, quoted};
use crate::spec::paths;
use globset::GlobBuilder;

/// The longest pattern of `collect`, in bytes: no path is longer.
const MAX_PATTERN: usize = paths::MAX_PATH;
/// The most `{` of a pattern: `{a,{b,c}}` nests, and globset compiles it with one call per level.
const MAX_BRACES: usize = 64;

/// The patterns, each of which can be searched for.
pub(super) fn collect(patterns: Vec<String>) -> Result<Vec<String>, Flaw> {
    for (i, pattern) in patterns.iter().enumerate() {
        let field = || format!("collect[{i}]");
        if pattern.is_empty() {
            return Err(Flaw::new(
                &field(),
                "is empty; write a pattern such as \"*.txt\"",
            ));
        }
        no_nul(field, pattern)?;
        if pattern.len() > MAX_PATTERN {
            return Err(Flaw::new(
                &field(),
                format_args!(
                    "is {} bytes long; no path is longer than {MAX_PATTERN}",
                    pattern.len()
                ),
            ));
        }
        if pattern.bytes().filter(|byte| *byte == b'{').count() > MAX_BRACES {
            return Err(Flaw::new(
                &field(),
                format_args!("holds more than {MAX_BRACES} `{{`; write it as several patterns"),
            ));
        }
        if pattern.split('/').any(|name| name == "..") {
            return Err(Flaw::new(
                &field(),
                format_args!(
                    "holds `..` ({}); write an absolute pattern inside the sandbox",
                    quoted(pattern)
                ),
            ));
        }
        GlobBuilder::new(pattern)
            .literal_separator(true)
            .build()
            .map_err(|e| {
                Flaw::new(
                    &field(),
                    format_args!(
                        "is not a valid pattern ({}); correct {}",
                        e.kind(),
                        quoted(pattern)
                    ),
                )
            })?;
    }
    Ok(patterns)
}
