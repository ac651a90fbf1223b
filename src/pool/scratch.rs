//! The directories of slots that have no root of their own: in the landlock tier.

use crate::spec::policy::Grants;
use std::path::{Path, PathBuf};

/// A grant that would show programs the directories of all slots: their neighbours' files, and what is run for them.
#[derive(Debug, thiserror::Error)]
#[error(
    "{granted:?} holds the directories in which episodes run without namespaces ({parent:?}, by TMPDIR), so that they could \
     change each other's files; grant a narrower path, or start the runner with TMPDIR set to a directory outside of it"
)]
pub struct ScratchGranted {
    granted: PathBuf,
    parent: PathBuf,
}

/// What their names begin with, before the runner's pid.
const PREFIX: &str = "runner-";

/// The directory of a slot. Unguessable, so that nobody can make it first.
pub fn directory(number: u32) -> PathBuf {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(number);
    let pid = std::process::id();
    std::env::temp_dir().join(format!("{PREFIX}{pid}-{number}-{random:016x}"))
}

/// Whether all of these may be granted to the programs of a slot.
///
/// # Errors
///
/// Where one is the directory that the slots' own are in, above it, or one of them.
pub fn check(grants: &Grants) -> Result<(), ScratchGranted> {
    let parent = std::env::temp_dir();
    let parent = parent.canonicalize().unwrap_or(parent);
    let mut granted = grants.readable.iter().chain(&grants.writable);
    match granted.find(|path| shows(path, &parent)) {
        None => Ok(()),
        Some(granted) => Err(ScratchGranted {
            granted: granted.clone(),
            parent,
        }),
    }
}

fn shows(granted: &Path, parent: &Path) -> bool {
    let is_slots = |below: &Path| {
        let name = below.iter().next().and_then(|name| name.to_str());
        let rest = name.and_then(|name| name.strip_prefix(PREFIX));
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    parent.starts_with(granted) || granted.strip_prefix(parent).is_ok_and(is_slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_shows_slots_that_is_above_their_directories_or_one_of_them() {
        let parent = Path::new("/var/tmp");
        for granted in [
            "/var/tmp",
            "/var",
            "/var/tmp/runner-7-0-ab",
            "/var/tmp/runner-7-0-ab/home",
        ] {
            assert!(shows(Path::new(granted), parent), "{granted}");
        }
        for granted in [
            "/var/tmp/data",
            "/var/tmp/runner-test-x/y",
            "/var/tm",
            "/srv",
        ] {
            assert!(!shows(Path::new(granted), parent), "{granted}");
        }
    }
}
