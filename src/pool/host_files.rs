//! Reads the host files and directories that an episode names with `host_path`.
//!
//! The line was checked before, and programs may write to what the host granted them: every path is opened without
//! following a link. Links inside a directory are copied as links where they lead to somewhere in that directory.
//! Nothing is left out: what can't be copied is an error that names it. One entry is open at a time: this process runs
//! every slot, and has its descriptors for them.

mod error;

use crate::spec::limits::MB;
use crate::spec::step::{Content, InputFile};
use crate::sys::plain::open_plain;
pub use error::HostFileError;
use nix::dir::Dir;
use nix::fcntl::{OFlag, readlinkat};
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

/// All files of an episode travel to the slot in one message, which is held in memory.
const MAX_COPIED_MB: u64 = 512;

/// What an entry counts as beside what it holds and its path: even an empty file takes memory on its way, and of the disk.
const ENTRY_BYTES: u64 = 256;

/// How deep a directory may be nested in the one that is copied.
const MAX_DEPTH: usize = 200;

/// Files are held in memory on their way, so no more is read than the episode could store.
pub(super) struct Budget {
    left: u64,
    disk_mb: u64,
}

impl Budget {
    pub(super) fn new(disk_bytes: u64) -> Budget {
        let disk_mb = disk_bytes / MB;
        Budget {
            left: disk_mb.min(MAX_COPIED_MB) * MB,
            disk_mb,
        }
    }

    fn take(&mut self, bytes: u64, path: &Path) -> Result<(), HostFileError> {
        let over = || {
            if self.disk_mb < MAX_COPIED_MB {
                HostFileError::OverDisk {
                    path: path.to_owned(),
                    limit_mb: self.disk_mb,
                }
            } else {
                HostFileError::OverCopied(path.to_owned())
            }
        };
        self.left = self.left.checked_sub(bytes).ok_or_else(over)?;
        Ok(())
    }

    /// Counts an entry by its path, whatever it holds.
    fn entry(&mut self, inside: &str, host: &Path) -> Result<(), HostFileError> {
        self.take(ENTRY_BYTES + inside.len() as u64, host)
    }
}

/// Adds a file, or a directory with everything below it, to what is put at a place inside.
pub(super) fn copy(
    host: &Path,
    inside: &str,
    mode: Option<u32>,
    budget: &mut Budget,
    files: &mut Vec<InputFile>,
) -> Result<(), HostFileError> {
    let mut copy = Copy {
        root: host,
        budget,
        files,
        waiting: Vec::new(),
    };
    let copied = copy.whole(inside, mode);
    copied.map_err(|error| changed(error, host))
}

/// What the line names was a file or a directory when the line was read.
fn changed(error: HostFileError, named: &Path) -> HostFileError {
    use libc::{EACCES, ELOOP, ENOENT, ENOTDIR, ENXIO};
    match error {
        HostFileError::Special(path) if path == named => HostFileError::Changed(path),
        HostFileError::Read { path, error }
            if path == named
                && matches!(
                    error.raw_os_error(),
                    Some(ENOENT | ENOTDIR | ELOOP | EACCES | ENXIO)
                ) =>
        {
            HostFileError::Changed(path)
        }
        other => other,
    }
}

fn failed(path: &Path, error: impl Into<io::Error>) -> HostFileError {
    HostFileError::Read {
        path: path.to_owned(),
        error: error.into(),
    }
}

/// Not blocking: a pipe has no end to wait for.
fn open(path: &Path) -> Result<File, HostFileError> {
    let opened = open_plain(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK);
    Ok(File::from(opened.map_err(|e| failed(path, e))?))
}

struct Copy<'a> {
    /// What the line names.
    root: &'a Path,
    budget: &'a mut Budget,
    files: &'a mut Vec<InputFile>,
    /// What was found in directories and is yet to be copied, by its path below the root. All of it has been counted.
    waiting: Vec<String>,
}

impl Copy<'_> {
    fn whole(&mut self, inside: &str, mode: Option<u32>) -> Result<(), HostFileError> {
        let host = self.root;
        let file = open(host)?;
        self.budget.entry(inside, host)?;
        self.opened(file, host, inside, mode)?;
        while let Some(below) = self.waiting.pop() {
            self.entry(&host.join(&below), &format!("{inside}/{below}"))?;
        }
        Ok(())
    }

    fn opened(
        &mut self,
        file: File,
        host: &Path,
        inside: &str,
        mode: Option<u32>,
    ) -> Result<(), HostFileError> {
        let meta = file.metadata().map_err(|e| failed(host, e))?;
        let own_mode = meta.permissions().mode() & 0o777;
        if meta.is_dir() {
            self.add(inside, own_mode | 0o700, Content::Directory);
            return self.list(file, host, inside);
        }
        if !meta.is_file() {
            return Err(HostFileError::Special(host.to_owned()));
        }
        let content = self.content(file, &meta, host)?;
        self.add(
            inside,
            mode.unwrap_or(own_mode),
            Content::Bytes(content.into()),
        );
        Ok(())
    }

    fn add(&mut self, path: &str, mode: u32, content: Content) {
        self.files.push(InputFile {
            path: path.into(),
            mode: Some(mode),
            content,
        });
    }

    fn content(
        &mut self,
        file: File,
        meta: &Metadata,
        host: &Path,
    ) -> Result<Vec<u8>, HostFileError> {
        // What is too large need not be read for that.
        let most = self.budget.left.saturating_add(1);
        if meta.len() > self.budget.left {
            self.budget.take(most, host)?;
        }
        let mut content = Vec::with_capacity(meta.len() as usize);
        let mut limited = file.take(most);
        let read = limited.read_to_end(&mut content);
        let length = read.map_err(|e| failed(host, e))?;
        self.budget.take(length as u64, host)?;
        Ok(content)
    }

    /// Adds what is in a directory to what is to be copied, and closes it.
    fn list(&mut self, directory: File, host: &Path, inside: &str) -> Result<(), HostFileError> {
        let below = host.strip_prefix(self.root).unwrap_or(host);
        if below.components().count() > MAX_DEPTH {
            return Err(HostFileError::TooDeep(host.to_owned()));
        }
        let mut entries = Dir::from_fd(directory.into()).map_err(|e| failed(host, e))?;
        for entry in entries.iter() {
            let entry = entry.map_err(|e| failed(host, e))?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let host = host.join(OsStr::from_bytes(name));
            let Ok(name) = entry.file_name().to_str() else {
                return Err(HostFileError::Name(host));
            };
            self.budget.entry(&format!("{inside}/{name}"), &host)?;
            // Both are UTF-8, so nothing of them is lost.
            self.waiting
                .push(below.join(name).to_string_lossy().into_owned());
        }
        Ok(())
    }

    fn entry(&mut self, host: &Path, inside: &str) -> Result<(), HostFileError> {
        if let Some(target) = link_target(host)? {
            return self.link(host, inside, target);
        }
        let file = open(host)?;
        self.opened(file, host, inside, None)
    }

    fn link(&mut self, host: &Path, inside: &str, target: PathBuf) -> Result<(), HostFileError> {
        let below = host.strip_prefix(self.root).unwrap_or(host);
        match target.to_str() {
            Some(text) if stays_below(below, &target) => {
                self.budget.take(text.len() as u64, host)?;
                self.add(inside, 0o777, Content::Link(text.to_owned()));
                Ok(())
            }
            _ => Err(HostFileError::LinkOut {
                path: host.to_owned(),
                target,
            }),
        }
    }
}

/// Where an entry leads, if it is a link. Opened as what it is: not every file system says that in the list of a directory.
fn link_target(host: &Path) -> Result<Option<PathBuf>, HostFileError> {
    let found = open_plain(host, OFlag::O_PATH).map_err(|e| failed(host, e))?;
    let found = File::from(found);
    let kind = found.metadata().map_err(|e| failed(host, e))?.file_type();
    if kind.is_symlink() {
        let target = readlinkat(&found, "").map_err(|e| failed(host, e))?;
        return Ok(Some(target.into()));
    }
    if kind.is_file() || kind.is_dir() {
        Ok(None)
    } else {
        Err(HostFileError::Special(host.to_owned()))
    }
}

/// Whether a link at this path below a directory leads to a place in that directory, by the names on its way.
fn stays_below(link: &Path, target: &Path) -> bool {
    let mut depth = link.components().count().saturating_sub(1);
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_below_where_no_step_of_it_leaves_the_directory() {
        let stays = |link: &str, target: &str| stays_below(Path::new(link), Path::new(target));
        assert!(stays("latest", "v1"));
        assert!(stays("a/b/latest", "../../c/./d"));
        assert!(stays("a/latest", ".."));
        assert!(!stays("latest", ".."));
        assert!(!stays("a/latest", "x/../../../a"));
        assert!(!stays("latest", "/etc/passwd"));
    }

    #[test]
    fn what_is_over_the_limit_is_told_with_the_limit_that_was_met() {
        let over = |disk_mb: u64, bytes: u64| {
            let mut budget = Budget::new(disk_mb * MB);
            let taken = budget.take(bytes, Path::new("/x"));
            taken.map_err(|error| error.to_string())
        };
        assert_eq!(over(2000, 512 * MB), Ok(()));
        let told = over(2000, 600 * MB).unwrap_err();
        assert!(
            told.contains("more than 512 MB") && !told.contains("raise"),
            "{told}"
        );
        let told = over(100, 101 * MB).unwrap_err();
        assert!(
            told.contains("the 100 MB of resources.disk_mb; raise"),
            "{told}"
        );
    }

    fn copied(root: &Path, disk_mb: u64) -> Result<Vec<InputFile>, HostFileError> {
        let mut files = Vec::new();
        let mut budget = Budget::new(disk_mb * MB);
        copy(root, "/workspace/d", None, &mut budget, &mut files).map(|()| files)
    }

    #[test]
    fn directories_and_empty_files_count_and_so_do_their_names() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let name = "n".repeat(230);
        for at in 0..2100 {
            std::fs::write(root.join(format!("{name}{at}")), "").unwrap();
        }
        // Some 500 bytes each.
        let error = copied(&root, 1).expect_err("2,100 names are more than 1 MB");
        assert!(matches!(error, HostFileError::OverDisk { .. }), "{error}");
        assert_eq!(copied(&root, 2).map(|files| files.len()).ok(), Some(2101));
    }

    #[test]
    fn a_tree_that_is_too_deep_is_told_and_a_deep_one_takes_few_descriptors() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let nested = |depth: usize| root.join(vec!["d"; depth].join("/"));
        std::fs::create_dir_all(nested(150)).unwrap();
        std::fs::write(nested(150).join("file"), "x").unwrap();
        let files = copied(&root, 9).unwrap();
        assert_eq!(files.len(), 152);
        let parents_first = files.is_sorted_by_key(|file| file.path.len());
        assert!(parents_first, "what is in a directory comes after it");
        std::fs::create_dir_all(nested(1500)).unwrap();
        let error = copied(&root, 9).unwrap_err().to_string();
        assert!(error.contains("200 directories deep"), "{error}");
        assert!(error.len() < 700, "{} bytes: {error}", error.len());
        assert!(error.contains("\"…"), "{error}");
    }
}
