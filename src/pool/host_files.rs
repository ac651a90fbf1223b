//! Reads the host files and directories that an episode names with `host_path`.
//!
//! The line was checked before, and programs may write to what the host granted them: every path is opened without
//! following a link. Links inside a directory are copied as links where they lead to somewhere in that directory.
//! Nothing is left out: what can't be copied is an error that names it.

use crate::spec::limits::MB;
use crate::sys::plain::open_plain;
use crate::wire::message::{FileContent, FileRequest};
use nix::dir::Dir;
use nix::fcntl::{OFlag, readlinkat};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

/// All files of an episode travel to the slot in one message, which is held in memory.
const MOST_COPIED_MB: u64 = 512;

/// A `host_path` that was there when the line was checked and can't be copied now.
#[derive(Debug, thiserror::Error)]
pub enum HostFileError {
    #[error("host_path {path:?} can't be read: {error}")]
    Read { path: PathBuf, error: io::Error },
    #[error(
        "host_path {0:?} is not what it was when the line was read: it is gone, closed, or a link or a pipe by now; keep it \
         out of what programs may write to (fs_writable), and as it is while the run lasts"
    )]
    Changed(PathBuf),
    #[error(
        "host_path {path:?} brings the files to more than the {limit_mb} MB of resources.disk_mb; raise that, or grant what \
         is large with fs_readable"
    )]
    OverDisk { path: PathBuf, limit_mb: u64 },
    #[error(
        "host_path {0:?} brings the files to more than {MOST_COPIED_MB} MB, the most that is copied into a sandbox whatever \
         resources.disk_mb is; grant what is large with fs_readable"
    )]
    OverCopied(PathBuf),
    #[error(
        "host_path holds a link {path:?} to {target:?}, which does not lead to a place in the directory that is copied; put \
         what it leads to in its place, or grant the directory with fs_readable"
    )]
    LinkOut { path: PathBuf, target: PathBuf },
    #[error(
        "host_path holds {0:?}, which is neither a file nor a directory nor a link and can't be copied; keep it out of the \
         directory"
    )]
    Special(PathBuf),
    #[error("host_path holds {0:?}, whose name is not UTF-8; rename it")]
    Name(PathBuf),
}

/// Files are held in memory on their way, so no more is read than the episode could store.
pub struct Budget {
    left: u64,
    disk_mb: u64,
}

impl Budget {
    pub fn new(disk_bytes: u64) -> Budget {
        let disk_mb = disk_bytes / MB;
        Budget {
            left: disk_mb.min(MOST_COPIED_MB) * MB,
            disk_mb,
        }
    }

    fn take(&mut self, bytes: u64, path: &Path) -> Result<(), HostFileError> {
        let over = || match self.disk_mb < MOST_COPIED_MB {
            true => HostFileError::OverDisk {
                path: path.to_owned(),
                limit_mb: self.disk_mb,
            },
            false => HostFileError::OverCopied(path.to_owned()),
        };
        self.left = self.left.checked_sub(bytes).ok_or_else(over)?;
        Ok(())
    }
}

/// Adds a file, or a directory with everything below it, to what is put at a place inside.
pub fn copy(
    host: &Path,
    inside: &str,
    mode: Option<u32>,
    budget: &mut Budget,
    files: &mut Vec<FileRequest>,
) -> Result<(), HostFileError> {
    let mut copy = Copy {
        root: host,
        budget,
        files,
    };
    let copied = open(host).and_then(|file| copy.opened(file, host, inside, mode));
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
    files: &'a mut Vec<FileRequest>,
}

impl Copy<'_> {
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
            self.add(inside, own_mode | 0o700, FileContent::Directory);
            return self.entries(file.into(), host, inside);
        }
        if !meta.is_file() {
            return Err(HostFileError::Special(host.to_owned()));
        }
        let content = self.content(file, &meta, host)?;
        self.add(
            inside,
            mode.unwrap_or(own_mode),
            FileContent::Bytes(content),
        );
        Ok(())
    }

    fn add(&mut self, path: &str, mode: u32, content: FileContent) {
        self.files.push(FileRequest {
            path: path.into(),
            mode,
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

    fn entries(
        &mut self,
        directory: OwnedFd,
        host: &Path,
        inside: &str,
    ) -> Result<(), HostFileError> {
        let mut entries = Dir::from_fd(directory).map_err(|e| failed(host, e))?;
        for entry in entries.iter() {
            let entry = entry.map_err(|e| failed(host, e))?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let Ok(name) = entry.file_name().to_str() else {
                use std::os::unix::ffi::OsStrExt;
                let name = std::ffi::OsStr::from_bytes(name);
                return Err(HostFileError::Name(host.join(name)));
            };
            self.entry(&host.join(name), &format!("{inside}/{name}"))?;
        }
        Ok(())
    }

    fn entry(&mut self, host: &Path, inside: &str) -> Result<(), HostFileError> {
        // Opened as what it is: not every file system says that in the list of a directory.
        let found = open_plain(host, OFlag::O_PATH).map_err(|e| failed(host, e))?;
        let kind = File::from(found.try_clone().map_err(|e| failed(host, e))?).metadata();
        let kind = kind.map_err(|e| failed(host, e))?.file_type();
        if kind.is_symlink() {
            let target = PathBuf::from(readlinkat(&found, "").map_err(|e| failed(host, e))?);
            return self.link(host, inside, target);
        }
        if !kind.is_file() && !kind.is_dir() {
            return Err(HostFileError::Special(host.to_owned()));
        }
        let file = open(host)?;
        self.opened(file, host, inside, None)
    }

    fn link(&mut self, host: &Path, inside: &str, target: PathBuf) -> Result<(), HostFileError> {
        let below = host.strip_prefix(self.root).unwrap_or(host);
        match target.to_str() {
            Some(text) if stays_below(below, &target) => {
                self.add(inside, 0o777, FileContent::Link(text.to_owned()));
                Ok(())
            }
            _ => Err(HostFileError::LinkOut {
                path: host.to_owned(),
                target,
            }),
        }
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
}
