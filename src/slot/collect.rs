//! Returns the files an episode asked for with `collect`, after its processes are gone and before the wipe.
//!
//! The episode decides how many there are, how deep they lie and how long their names are. So what is held while they
//! are looked for is bounded ([`Search`]), names count against what is returned, and the last entry tells how many files
//! there was no room for, and that some may not have been found.

use super::open::open_below;
use super::space::Space;
use crate::spec::execution::Collected;
use crate::sys::clock::monotonic_ns;
use crate::wire::answer::{COLLECT_BYTES, COLLECT_FILES, COLLECT_NAME_BYTES, collected_name_bytes};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use nix::dir::{Dir, Type};
use nix::fcntl::OFlag;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Directory entries looked at, so that a tree of a million files can't hold up the slot.
const MAX_ENTRIES: usize = 200_000;

/// How long the search may take, and after it the reading. A directory at the end of a path of 2,000 parts takes long to open, and
/// every entry may be one.
const SEARCH_NS: u64 = 5_000_000_000;
const READ_NS: u64 = 5_000_000_000;

/// What the paths of directories may take that are yet to be looked into.
const MAX_WAITING_BYTES: usize = 16 << 20;

/// What a path takes beside its bytes while it waits.
const PATH_BYTES: usize = 48;

/// Files matching the patterns, by name. Relative patterns are under `workdir`.
///
/// The episode may have put links anywhere, its own working directory included, and init is not restricted by
/// Landlock: every directory and file is opened below the space's root, without following any link and without
/// crossing into a mount of the host.
pub fn collect(space: &Space, workdir: &str, patterns: &[String]) -> Vec<Collected> {
    let (absolute, relative): (Vec<_>, Vec<_>) = patterns.iter().partition(|p| p.starts_with('/'));
    let mut search = Search::until(monotonic_ns() + SEARCH_NS);
    if let Some(set) = compile(&relative) {
        search.below(space, workdir, &set, |name| name.to_owned());
    }
    for pattern in absolute {
        if let Some(set) = compile(&[pattern]) {
            let base = literal_base(pattern);
            search.below(space, &base, &set, |name| Path::new(&base).join(name));
        }
    }
    let mut left = COLLECT_BYTES - search.found.name_bytes;
    let until_ns = monotonic_ns() + READ_NS;
    let mut returned = Vec::new();
    for (name, path) in std::mem::take(&mut search.found.files) {
        if monotonic_ns() > until_ns {
            search.found.beyond += 1;
            continue;
        }
        match read(space, name, &path, &mut left) {
            Some(file) => returned.push(file),
            // Its path is too long to be opened.
            None => search.found.beyond += 1,
        }
    }
    let rest = search.rest();
    returned.extend(rest.map(|path| Collected {
        path,
        content: None,
        bytes: 0,
    }));
    returned
}

/// The files found so far that are to be returned: the first by name, as many as there may be.
#[derive(Default)]
struct Found {
    files: BTreeSet<(String, PathBuf)>,
    name_bytes: u64,
    /// Files that were found, too, and are not among them.
    beyond: usize,
}

impl Found {
    fn add(&mut self, name: String, path: PathBuf) {
        let bytes = collected_name_bytes(&name);
        if self.files.insert((name, path)) {
            self.name_bytes += bytes;
        }
        while self.files.len() > COLLECT_FILES || self.name_bytes > COLLECT_NAME_BYTES {
            let Some((last, _)) = self.files.pop_last() else {
                return;
            };
            self.name_bytes -= collected_name_bytes(&last);
            self.beyond += 1;
        }
    }
}

/// A search for files, with what it holds and how far it has come.
struct Search {
    found: Found,
    waiting: Waiting,
    /// Directory entries that were looked at.
    seen: usize,
    /// When it ends, by CLOCK_MONOTONIC.
    until_ns: u64,
}

/// Directories that are yet to be looked into.
#[derive(Default)]
struct Waiting {
    paths: Vec<PathBuf>,
    bytes: usize,
    /// Directories that could not be kept, or not be looked into.
    left_out: usize,
}

impl Waiting {
    fn push(&mut self, path: PathBuf) {
        let bytes = path.as_os_str().len() + PATH_BYTES;
        if self.bytes + bytes > MAX_WAITING_BYTES {
            self.left_out += 1;
            return;
        }
        self.bytes += bytes;
        self.paths.push(path);
    }

    fn pop(&mut self) -> Option<PathBuf> {
        let path = self.paths.pop()?;
        self.bytes -= path.as_os_str().len() + PATH_BYTES;
        Some(path)
    }

    fn give_up(&mut self) {
        self.paths.clear();
        self.bytes = 0;
        self.left_out += 1;
    }
}

impl Search {
    fn until(until_ns: u64) -> Self {
        Search {
            found: Found::default(),
            waiting: Waiting::default(),
            seen: 0,
            until_ns,
        }
    }

    /// Adds the files below a directory of the contract whose name, as `named` gives it, is in the set.
    fn below(
        &mut self,
        space: &Space,
        base: &str,
        set: &GlobSet,
        named: impl Fn(&Path) -> PathBuf,
    ) {
        let Some(root) = space.inside(base) else {
            return;
        };
        // A pattern's own directory may well not be there.
        let Ok(first) = open_directory(space, &root) else {
            return;
        };
        let mut next = Some((root.clone(), first));
        while let Some((directory, mut entries)) = next.take() {
            for entry in entries.iter().flatten() {
                let name = entry.file_name().to_bytes();
                if matches!(name, b"." | b"..") {
                    continue;
                }
                if self.seen == MAX_ENTRIES || monotonic_ns() > self.until_ns {
                    self.waiting.give_up();
                    return;
                }
                self.seen += 1;
                let path = directory.join(std::ffi::OsStr::from_bytes(name));
                match entry.file_type() {
                    Some(Type::File) => {
                        let name = named(path.strip_prefix(&root).unwrap_or(&path));
                        if set.is_match(&name) {
                            self.found.add(name.to_string_lossy().into_owned(), path);
                        }
                    }
                    Some(Type::Directory) => self.waiting.push(path),
                    _ => {}
                }
            }
            drop(entries);
            while next.is_none()
                && let Some(path) = self.waiting.pop()
            {
                if monotonic_ns() > self.until_ns {
                    self.waiting.give_up();
                    return;
                }
                match open_directory(space, &path) {
                    Ok(entries) => next = Some((path, entries)),
                    Err(_) => self.waiting.left_out += 1,
                }
            }
        }
    }

    /// What is told of files that are not returned, if there may be any.
    fn rest(&self) -> Option<String> {
        match (self.found.beyond, self.waiting.left_out) {
            (0, 0) => None,
            (beyond, 0) => Some(format!("… and {beyond} more files")),
            (beyond, _) => Some(format!(
                "… and {beyond} more files, and those in directories that were not searched: the tree has more than \
                 {MAX_ENTRIES} entries, is too deep, or took longer than {} s to search",
                SEARCH_NS / 1_000_000_000
            )),
        }
    }
}

fn open_directory(space: &Space, path: &Path) -> nix::Result<Dir> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    open_below(space.root(), path, flags).and_then(Dir::from_fd)
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

fn read(space: &Space, name: String, path: &Path, left: &mut u64) -> Option<Collected> {
    // Not blocking: by the time it is opened, what was a file may be a pipe.
    let file =
        File::from(open_below(space.root(), path, OFlag::O_RDONLY | OFlag::O_NONBLOCK).ok()?);
    let meta = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let bytes = meta.len();
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
    use crate::spec::policy::Tier;

    #[test]
    fn an_absolute_pattern_is_searched_from_its_literal_part() {
        assert_eq!(literal_base("/tests/*.txt"), "/tests");
        assert_eq!(literal_base("/a/b/c.txt"), "/a/b");
        assert_eq!(literal_base("/*.txt"), "/");
    }

    #[test]
    fn the_first_files_by_name_are_kept_and_the_others_counted() {
        let mut found = Found::default();
        for at in (0..COLLECT_FILES + 500).rev() {
            found.add(format!("{at:05}"), PathBuf::new());
        }
        assert_eq!((found.files.len(), found.beyond), (COLLECT_FILES, 500));
        assert_eq!(
            found.files.first().map(|(name, _)| &**name),
            Some("00000"),
            "the first are kept"
        );
    }

    #[test]
    fn long_names_are_held_up_to_a_bound_and_all_of_them_counted() {
        let mut found = Found::default();
        let long = "\u{1}".repeat(4000);
        for at in 0..2_000 {
            found.add(format!("{at:05}{long}"), PathBuf::from(&long));
        }
        assert_eq!(found.files.len() + found.beyond, 2_000);
        assert!(found.name_bytes <= COLLECT_NAME_BYTES);
        let held: u64 = found
            .files
            .iter()
            .map(|(n, _)| collected_name_bytes(n))
            .sum();
        assert_eq!(held, found.name_bytes);
    }

    #[test]
    fn a_search_whose_time_is_over_says_so() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(scratch.path().join("home/a/b")).unwrap();
        std::fs::write(scratch.path().join("home/a/b/file"), "x").unwrap();
        let root = scratch.path().to_owned();
        let space = Space::open(Tier::Namespaces, root, Vec::new(), false).unwrap();
        let set = compile(&[&"**/*".to_owned()]).unwrap();
        let found = |until_ns| {
            let mut search = Search::until(until_ns);
            search.below(&space, "/home", &set, |name| name.to_owned());
            (search.found.files.len(), search.rest().is_some())
        };
        assert_eq!(found(u64::MAX), (1, false));
        assert_eq!(found(monotonic_ns()), (0, true));
    }

    #[test]
    fn directories_that_wait_are_held_up_to_a_bound_and_the_search_says_so() {
        let mut search = Search::until(u64::MAX);
        let long = "d".repeat(4000);
        for at in 0..10_000 {
            search.waiting.push(format!("{at:05}{long}").into());
        }
        let held: usize = search
            .waiting
            .paths
            .iter()
            .map(|p| p.as_os_str().len())
            .sum();
        assert!(held <= MAX_WAITING_BYTES && search.waiting.left_out > 0);
        assert!(
            search
                .rest()
                .is_some_and(|told| told.contains("not searched"))
        );
        while search.waiting.pop().is_some() {}
        assert_eq!(search.waiting.bytes, 0);
    }
}
