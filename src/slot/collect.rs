//! Returns the files an episode asked for with `collect`, after its processes are gone and before the wipe.

use super::open::open_below;
use super::space::Space;
use crate::spec::execution::Collected;
use crate::wire::answer::{COLLECT_BYTES, COLLECT_FILES};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use nix::dir::{Dir, Type};
use nix::fcntl::OFlag;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What a returned file takes of the cap besides its content: its name, and the JSON around it.
const OVERHEAD_BYTES: u64 = 64;
/// Directory entries looked at per pattern root, so that a tree of a million files can't hold up the slot.
const MAX_ENTRIES: usize = 200_000;

/// Files matching the patterns, by name. Relative patterns are under `workdir`.
///
/// The episode may have put links anywhere, its own working directory included, and init is not restricted by
/// Landlock: every directory and file is opened below the space's root, without following any link and without
/// crossing into a mount of the host.
pub fn collect(space: &Space, workdir: &str, patterns: &[String]) -> Vec<Collected> {
    let (absolute, relative): (Vec<_>, Vec<_>) = patterns.iter().partition(|p| p.starts_with('/'));
    let mut found = Vec::new();
    if let Some(set) = compile(&relative) {
        search(space, workdir, &set, |name| name.to_owned(), &mut found);
    }
    for pattern in absolute {
        if let Some(set) = compile(&[pattern]) {
            let base = literal_base(pattern);
            search(
                space,
                &base,
                &set,
                |name| Path::new(&base).join(name),
                &mut found,
            );
        }
    }
    found.sort();
    found.dedup();
    let beyond = found.len().saturating_sub(COLLECT_FILES);
    found.truncate(COLLECT_FILES);
    let mut left = COLLECT_BYTES;
    let files = found.into_iter();
    let mut returned: Vec<Collected> = files
        .filter_map(|(name, path)| read(space, name, &path, &mut left))
        .collect();
    if beyond > 0 {
        returned.push(Collected {
            path: format!("… and {beyond} more files"),
            content: None,
            bytes: 0,
        });
    }
    returned
}

/// Adds the files below a directory of the contract whose name, as `named` gives it, is in the set.
fn search(
    space: &Space,
    base: &str,
    set: &GlobSet,
    named: impl Fn(&Path) -> PathBuf,
    found: &mut Vec<(String, PathBuf)>,
) {
    let Some(root) = space.inside(base) else {
        return;
    };
    walk(space, &root, |path| {
        let name = named(path.strip_prefix(&root).unwrap_or(path));
        if set.is_match(&name) {
            found.push((name.to_string_lossy().into_owned(), path.to_owned()));
        }
    });
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

/// Visits the regular files below a directory, by their path inside the space.
fn walk(space: &Space, root: &Path, mut visit: impl FnMut(&Path)) {
    let mut open: Vec<PathBuf> = vec![root.to_owned()];
    let mut seen = 0;
    while let Some(directory) = open.pop() {
        let opened = open_below(
            space.root(),
            &directory,
            OFlag::O_RDONLY | OFlag::O_DIRECTORY,
        );
        let Ok(mut entries) = opened.and_then(Dir::from_fd) else {
            continue;
        };
        for entry in entries.iter().flatten() {
            seen += 1;
            if seen > MAX_ENTRIES {
                return;
            }
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let path = directory.join(std::ffi::OsStr::from_bytes(name));
            match entry.file_type() {
                Some(Type::File) => visit(&path),
                Some(Type::Directory) => open.push(path),
                _ => {}
            }
        }
    }
}

fn read(space: &Space, name: String, path: &Path, left: &mut u64) -> Option<Collected> {
    // Not blocking: by the time it is opened, what was a file may be a pipe.
    let file =
        File::from(open_below(space.root(), path, OFlag::O_RDONLY | OFlag::O_NONBLOCK).ok()?);
    let meta = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let bytes = meta.len();
    *left = left.saturating_sub(name.len() as u64 + OVERHEAD_BYTES);
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
