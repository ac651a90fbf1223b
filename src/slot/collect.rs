//! Returns the files an episode asked for with `collect`, after its processes are gone and before the wipe.

use super::space::Space;
use crate::spec::execution::Collected;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// All collected content together. A file that does not fit is named without its content.
pub const CAP_BYTES: u64 = 16 << 20;
/// Directory entries looked at per pattern root, so that a tree of a million files can't hold up the slot.
const MAX_ENTRIES: usize = 200_000;

/// Files matching the patterns, by name. Relative patterns are under `workdir`.
pub fn collect(space: &Space, workdir: &str, patterns: &[String]) -> Vec<Collected> {
    let (absolute, relative): (Vec<_>, Vec<_>) = patterns.iter().partition(|p| p.starts_with('/'));
    let mut found = Vec::new();
    if let Some(set) = compile(&relative) {
        let root = space.real(workdir);
        walk(&root, |path| {
            let name = path.strip_prefix(&root).unwrap_or(path);
            if set.is_match(name) {
                found.push((name.to_string_lossy().into_owned(), path.to_owned()));
            }
        });
    }
    for pattern in absolute {
        let Some(set) = compile(&[pattern]) else {
            continue;
        };
        let base = literal_base(pattern);
        let root = space.real(&base);
        walk(&root, |path| {
            let name = Path::new(&base).join(path.strip_prefix(&root).unwrap_or(path));
            if set.is_match(&name) {
                found.push((name.to_string_lossy().into_owned(), path.to_owned()));
            }
        });
    }
    found.sort();
    found.dedup();
    let mut left = CAP_BYTES;
    found
        .into_iter()
        .filter_map(|(name, path)| read(name, &path, &mut left))
        .collect()
}

fn compile(patterns: &[&String]) -> Option<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(
            GlobBuilder::new(pattern)
                .literal_separator(true)
                .build()
                .ok()?,
        );
    }
    (!patterns.is_empty()).then(|| set.build().ok())?
}

/// The directory an absolute pattern starts from: its components before the first with a wildcard.
fn literal_base(pattern: &str) -> String {
    let is_plain = |part: &&str| !part.contains(['*', '?', '[', '{', '\\']);
    let parts: Vec<&str> = pattern.split('/').take_while(is_plain).collect();
    let whole = parts.len() == pattern.split('/').count();
    let base = parts[..parts.len() - usize::from(whole)].join("/");
    if base.is_empty() { "/".into() } else { base }
}

/// Visits the regular files below a directory, without following links or leaving its file system.
fn walk(root: &Path, mut visit: impl FnMut(&Path)) {
    use std::os::unix::fs::MetadataExt;
    let Ok(device) = fs::symlink_metadata(root).map(|m| m.dev()) else {
        return;
    };
    let mut open: Vec<PathBuf> = vec![root.to_owned()];
    let mut seen = 0;
    while let Some(directory) = open.pop() {
        let Ok(entries) = fs::read_dir(&directory) else {
            continue;
        };
        for entry in entries.flatten() {
            seen += 1;
            if seen > MAX_ENTRIES {
                return;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_file() => visit(&entry.path()),
                Ok(kind) if kind.is_dir() && entry.metadata().is_ok_and(|m| m.dev() == device) => {
                    open.push(entry.path());
                }
                _ => {}
            }
        }
    }
}

fn read(name: String, path: &Path, left: &mut u64) -> Option<Collected> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty()).ok()?);
    let bytes = file.metadata().ok()?.len();
    if bytes > *left {
        return Some(Collected {
            path: name,
            content: None,
            bytes,
        });
    }
    let mut content = Vec::with_capacity(bytes as usize);
    file.take(bytes).read_to_end(&mut content).ok()?;
    *left -= content.len() as u64;
    Some(Collected {
        path: name,
        content: Some(content),
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absolute_pattern_is_searched_from_its_literal_part() {
        assert_eq!(literal_base("/tests/*.txt"), "/tests");
        assert_eq!(literal_base("/a/b/c.txt"), "/a/b");
        assert_eq!(literal_base("/*.txt"), "/");
    }
}
