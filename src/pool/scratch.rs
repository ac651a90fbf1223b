//! The directories of slots that have no root of their own: in the landlock tier.

use crate::spec::policy::Grants;
use std::io;
use std::path::{Path, PathBuf};

/// A grant that would show programs the directories of all slots: their neighbours' files, and what is run for them.
#[derive(Debug, thiserror::Error)]
#[error(
    "{granted:?} can't be granted without namespaces: it would show the directories that episodes run in ({parent:?}, by \
     TMPDIR) to each other; grant a narrower path, or start the runner with TMPDIR set to a directory outside of it"
)]
pub struct ScratchGranted {
    granted: PathBuf,
    parent: PathBuf,
}

/// What their names begin with, before the runner's pid.
const PREFIX: &str = "runner-";

/// The directory that they are in, without links on the way to it: a program may write where one lies.
///
/// # Errors
///
/// Where TMPDIR leads nowhere.
pub(super) fn parent() -> io::Result<PathBuf> {
    let named = std::env::temp_dir();
    if named.as_os_str().is_empty() {
        Path::new(".").canonicalize()
    } else {
        named.canonicalize()
    }
}

/// The directory of a slot. Unguessable, so that nobody can make it first.
pub(super) fn directory(parent: &Path, number: u32) -> PathBuf {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(number);
    let pid = std::process::id();
    parent.join(format!("{PREFIX}{pid}-{number}-{random:016x}"))
}

/// Whether all of these may be granted to the programs of a slot.
///
/// # Errors
///
/// Where one is the directory that the slots' own are in, above it, or one of them.
pub(super) fn check(grants: &Grants, parent: &Path) -> Result<(), ScratchGranted> {
    let mut granted = grants.readable.iter().chain(&grants.writable);
    match granted.find(|path| shows(path, parent)) {
        None => Ok(()),
        Some(granted) => Err(ScratchGranted {
            granted: granted.clone(),
            parent: parent.to_owned(),
        }),
    }
}

fn shows(granted: &Path, parent: &Path) -> bool {
    let is_slots = |below: &Path| {
        let name = below.iter().next().and_then(|name| name.to_str());
        let numbers = name.and_then(|name| name.strip_prefix(PREFIX));
        let mut numbers = numbers.into_iter().flat_map(|numbers| numbers.split('-'));
        let mut is = |digits: fn(&str) -> bool| numbers.next().is_some_and(digits);
        let decimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        is(decimal) && is(decimal) && is(|text| text.len() == 16) && numbers.next().is_none()
    };
    parent.starts_with(granted) || granted.strip_prefix(parent).is_ok_and(is_slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_shows_slots_that_is_above_their_directories_or_one_of_them() {
        let parent = Path::new("/var/tmp");
        let own = directory(parent, 7);
        let inside = own.join("home");
        let above = ["/var/tmp", "/var"].map(Path::new);
        for granted in above.into_iter().chain([own.as_path(), &inside]) {
            assert!(shows(granted, parent), "{granted:?}");
        }
        for granted in [
            "/var/tmp/data",
            "/var/tmp/runner-test-x/y",
            "/var/tmp/runner-2024/data",
            "/var/tm",
            "/srv",
        ] {
            assert!(!shows(Path::new(granted), parent), "{granted}");
        }
    }
}
