//! Returns the files an episode asked for with `collect`, after its processes are gone and before the wipe.
//!
//! The episode decides how many there are, how deep they lie and how long their names are. So what is held while they
//! are looked for is bounded ([`search`]), and names count against what is returned. Nothing that was asked for is left
//! out without a word: what is not returned is listed with the reason, and what there is no room to list is counted.

mod bound;
mod pattern;
mod resolve;
mod search;
mod take;

use super::space::Space;
use crate::spec::collect::{COLLECT_BYTES, COLLECT_CPU_SECONDS, COLLECT_TIMEOUT_SECONDS};
use crate::spec::execution::{Collected, CollectedFile, NotCollected, WhyNot};
use crate::spec::names::escaped;
use crate::wire::answer::reason_bytes;
use bound::Bound;
use pattern::Patterns;
use search::{Found, Search};
use std::path::PathBuf;
use std::time::Duration;
use take::take;

const CPU_TIMEOUT: Duration = Duration::from_secs(COLLECT_CPU_SECONDS);
const WALL_TIMEOUT: Duration = Duration::from_secs(COLLECT_TIMEOUT_SECONDS);

/// Files matching the patterns, by name. Relative patterns are under `workdir`.
///
/// The episode may have put links anywhere, its own working directory included, and init is not restricted by
/// Landlock: every directory and file is opened below the space's root, without leaving it and without crossing into
/// a mount of the host.
pub(super) fn collect(space: &Space, workdir: &str, patterns: &[String]) -> Collected {
    let patterns = Patterns::of(patterns);
    let mut search = Search::within(Bound::from_now(CPU_TIMEOUT, WALL_TIMEOUT));
    for name in patterns.literal {
        search.found.named(space, workdir, name);
    }
    for (base, set) in &patterns.below {
        search.below(space, workdir, base, set);
    }
    let (found, unsearched) = search.end();
    let mut collected = read(space, found, Bound::from_now(CPU_TIMEOUT, WALL_TIMEOUT));
    collected.unsearched = unsearched;
    collected
}

/// Reads what was found, within this bound.
fn read(space: &Space, found: Found, bound: Bound) -> Collected {
    let mut collected = Collected {
        more: found.beyond,
        ..Collected::default()
    };
    let mut left = COLLECT_BYTES - found.name_bytes;
    for (path, place) in found.files {
        match place.and_then(|place| take(space, &place, left, bound)) {
            Ok(content) => {
                left -= content.len() as u64;
                collected.files.push(CollectedFile { path, content });
            }
            Err(why) if reason_bytes(&why) <= left => {
                left -= reason_bytes(&why);
                collected.not.push(NotCollected { path, why });
            }
            Err(_) => collected.more += 1,
        }
    }
    collected
}

/// A path of the contract, from the working directory on.
fn joined(workdir: &str, path: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{}/{path}", workdir.trim_end_matches('/'))
    }
}

/// Where a file is that may be returned, below the space's root; or why it can't be.
type Location = Result<PathBuf, WhyNot>;

impl Found {
    /// Adds a file that a pattern without wildcards names.
    fn named(&mut self, space: &Space, workdir: &str, name: String) {
        let place = space.inside(&joined(workdir, &name));
        self.add(escaped(name.as_bytes()), place.ok_or(WhyNot::NoPlace));
    }
}
