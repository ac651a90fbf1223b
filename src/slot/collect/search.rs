//! The search for files that match a pattern, in bounded memory and time.

use super::bound::Bound;
use super::resolve::resolve;
use super::{Location, joined};
use crate::slot::open::{self, open_below_closed};
use crate::slot::space::Space;
use crate::spec::collect::{
    COLLECT_ENTRIES, COLLECT_FILES, COLLECT_NAME_BYTES, COLLECT_WAITING_BYTES,
};
use crate::spec::execution::WhyNot;
use crate::spec::names::escaped;
use crate::wire::answer::collected_name_bytes;
use globset::GlobSet;
use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::SFlag;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What a path takes beside its bytes while it waits.
const PATH_BYTES: usize = 48;

/// The files found so far: the first by name, as many as there may be.
#[derive(Default)]
pub(super) struct Found {
    pub files: BTreeMap<String, Location>,
    pub name_bytes: u64,
    /// Files that were found, too, and are not among them.
    pub beyond: u64,
}

impl Found {
    pub(super) fn add(&mut self, name: String, place: Location) {
        let bytes = collected_name_bytes(&name);
        if self.files.insert(name, place).is_none() {
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
pub(super) struct Search {
    pub found: Found,
    waiting: Waiting,
    /// Directory entries that were looked at.
    seen: usize,
    bound: Bound,
}

/// Directories that are yet to be looked into.
#[derive(Default)]
struct Waiting {
    paths: Vec<PathBuf>,
    bytes: usize,
    /// Whether some could not be kept, or not be looked into.
    left_out: bool,
}

impl Waiting {
    fn push(&mut self, path: PathBuf) {
        let bytes = path.as_os_str().len() + PATH_BYTES;
        if self.bytes + bytes > COLLECT_WAITING_BYTES {
            self.left_out = true;
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
        self.left_out = true;
    }
}

impl Search {
    pub(super) fn within(bound: Bound) -> Self {
        Search {
            found: Found::default(),
            waiting: Waiting::default(),
            seen: 0,
            bound,
        }
    }

    /// What was found, and whether there may be more in directories that were not searched.
    pub(super) fn end(self) -> (Found, bool) {
        (self.found, self.waiting.left_out)
    }

    fn is_over(&self) -> bool {
        self.seen == COLLECT_ENTRIES || self.bound.is_reached()
    }

    /// Adds the files below a directory, as its pattern names it, whose name is in the set.
    pub(super) fn below(&mut self, space: &Space, workdir: &str, base: &str, set: &GlobSet) {
        let (root, first) = match open_base(space, &joined(workdir, base), self.bound) {
            Ok(opened) => opened,
            // A pattern's own directory may well not be there.
            Err(WhyNot::Unreadable(libc::ENOENT | libc::ENOTDIR)) => return,
            Err(why) => return self.found.add(escaped(base.as_bytes()), Err(why)),
        };
        let mut next = Some((root.clone(), first));
        while let Some((directory, mut entries)) = next.take() {
            for entry in entries.iter() {
                let Ok(entry) = entry else {
                    self.waiting.left_out = true;
                    break;
                };
                let name = entry.file_name().to_bytes();
                if matches!(name, b"." | b"..") {
                    continue;
                }
                if self.is_over() {
                    return self.waiting.give_up();
                }
                self.seen += 1;
                let path = directory.join(OsStr::from_bytes(name));
                if kind(space, entry.file_type(), &path) == Some(Type::Directory) {
                    self.waiting.push(path);
                    continue;
                }
                let name = Path::new(base).join(path.strip_prefix(&root).unwrap_or(&path));
                if set.is_match(&name) {
                    self.found
                        .add(escaped(name.as_os_str().as_bytes()), Ok(path));
                }
            }
            drop(entries);
            while next.is_none()
                && let Some(path) = self.waiting.pop()
            {
                if self.is_over() {
                    return self.waiting.give_up();
                }
                match open_directory(space, &path) {
                    Ok(entries) => next = Some((path, entries)),
                    Err(_) => self.waiting.left_out = true,
                }
            }
        }
    }
}

/// What an entry is; not every file system says so in the list of a directory.
fn kind(space: &Space, told: Option<Type>, path: &Path) -> Option<Type> {
    if told.is_some() {
        return told;
    }
    let found = open_below_closed(space.root(), path, OFlag::O_PATH).ok()?;
    match open::kind(&found).ok()? {
        SFlag::S_IFDIR => Some(Type::Directory),
        SFlag::S_IFLNK => Some(Type::Symlink),
        _ => Some(Type::File),
    }
}

/// Opens the directory that a pattern starts from; the path to it may lead through links. Where it is below the root, and
/// its entries.
fn open_base(space: &Space, path: &str, bound: Bound) -> Result<(PathBuf, Dir), WhyNot> {
    let inside = space.inside(path).ok_or(WhyNot::NoPlace)?;
    let unreadable = |errno: Errno| match errno {
        Errno::EXDEV => WhyNot::Outside,
        Errno::ETIME => WhyNot::Late,
        errno => WhyNot::Unreadable(errno as i32),
    };
    let real = resolve(space, &inside, bound).place.map_err(unreadable)?;
    let entries = open_directory(space, &real).map_err(unreadable)?;
    Ok((real, entries))
}

fn open_directory(space: &Space, path: &Path) -> nix::Result<Dir> {
    let open = |flags| open_below_closed(space.root(), path, flags);
    open::open_directory(open).and_then(Dir::from_fd)
}

#[cfg(test)]
mod tests;
