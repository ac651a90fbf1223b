//! What an episode has on disk, counted where no mount bounds it (landlock tier).
//!
//! Init runs as the slot's uid, so a directory the program closed (mode 000) is closed to us too: it is opened up to
//! be listed, and its mode put back. Without root that uid is the user's own. So every directory is opened below
//! the slot's, without following a link, and its mode changed through the descriptor, never by a path that the
//! program could turn to somebody else's directory meanwhile.

use super::open::open_below;
use crate::sys::mode::set_mode;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How many closed directories inside each other are looked into: each takes a descriptor meanwhile.
const MOST_CLOSED: usize = 64;
/// What has to be allowed to list a directory and to look at what is in it.
const LISTABLE: u32 = 0o500;

/// What some files take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes on disk: holes of a file take none.
    pub bytes: u64,
    /// Files, directories and links, each name by itself.
    pub inodes: u64,
}

impl Usage {
    /// More than any limit.
    const BEYOND: Usage = Usage {
        bytes: u64::MAX,
        inodes: 0,
    };

    pub fn add(&mut self, blocks: u64) {
        // A block of stat(2) is 512 bytes.
        self.bytes = self.bytes.saturating_add(blocks * 512);
        self.inodes += 1;
    }

    pub fn plus(self, other: Usage) -> Usage {
        Usage {
            bytes: self.bytes.saturating_add(other.bytes),
            inodes: self.inodes + other.inodes,
        }
    }

    /// Whether this is over what an episode may have on disk; both are the most that it may.
    pub fn is_over(self, bytes: u64, inodes: u64) -> bool {
        self.bytes > bytes || self.inodes > inodes
    }
}

/// A step of the walk still to be taken.
enum Task {
    List(PathBuf),
    /// Closes a directory again, when everything below it was seen.
    Close(OwnedFd, u32),
}

/// Everything below a directory, links not followed; counting ends once it is over the most that may be there, so
/// that no tree can hold us up for long. What lies too deep to be reached by a path, or in too many closed
/// directories, counts as more than any limit: nothing could bound it otherwise.
pub fn usage(root: &Path, most_bytes: u64, most_inodes: u64) -> Usage {
    let mut used = Usage::default();
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let Ok(root) = open(root, flags, Mode::empty()) else {
        return used;
    };
    let mut tasks = vec![Task::List(PathBuf::from("."))];
    let mut closed = 0;
    while let Some(task) = tasks.pop() {
        let path = match task {
            Task::List(_) if used.is_over(most_bytes, most_inodes) => continue,
            Task::List(path) => path,
            Task::Close(directory, mode) => {
                closed -= 1;
                // Unless the program has set it itself meanwhile.
                if mode_of(&directory) == Some(mode | LISTABLE) {
                    let _ = set_mode(&directory, mode);
                }
                continue;
            }
        };
        let directory = match open_below(root.as_fd(), &path, OFlag::O_PATH | OFlag::O_DIRECTORY) {
            Ok(directory) => directory,
            Err(Errno::ENAMETOOLONG) => {
                used = Usage::BEYOND;
                continue;
            }
            Err(_) => continue,
        };
        let mode = mode_of(&directory).unwrap_or(LISTABLE);
        let is_closed = mode & LISTABLE != LISTABLE;
        if is_closed && closed == MOST_CLOSED {
            used = Usage::BEYOND;
            continue;
        }
        if is_closed && set_mode(&directory, mode | LISTABLE).is_ok() {
            closed += 1;
            // What is below it comes before this in the stack's order.
            let again = directory.try_clone();
            tasks.extend(again.map(|again| Task::Close(again, mode)));
        }
        let below = list(&directory, &mut used, most_bytes, most_inodes);
        tasks.extend(below.into_iter().map(|name| Task::List(path.join(name))));
    }
    used
}

/// Counts what is in a directory. Returns the names of those that are directories themselves.
fn list(directory: &OwnedFd, used: &mut Usage, bytes: u64, inodes: u64) -> Vec<OsString> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let opened = openat(directory, ".", flags, Mode::empty()).and_then(Dir::from_fd);
    let Ok(mut entries) = opened else {
        return Vec::new();
    };
    let mut below = Vec::new();
    for entry in entries.iter().flatten() {
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let stat = fstatat(directory.as_fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW);
        let Ok(stat) = stat else { continue };
        used.add(stat.st_blocks as u64);
        if is_directory(&stat) {
            below.push(OsStr::from_bytes(name.to_bytes()).to_owned());
        }
        if used.is_over(bytes, inodes) {
            break;
        }
    }
    below
}

fn is_directory(stat: &FileStat) -> bool {
    stat.st_mode & libc::S_IFMT == libc::S_IFDIR
}

fn mode_of(directory: &OwnedFd) -> Option<u32> {
    fstat(directory).ok().map(|stat| stat.st_mode & 0o7777)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn closed_directories_count_and_are_closed_again() {
        let root = tempfile::tempdir().unwrap();
        let (outer, inner) = (root.path().join("outer"), root.path().join("outer/inner"));
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("file"), vec![1; 100_000]).unwrap();
        for directory in [&inner, &outer] {
            set_permissions(directory, Permissions::from_mode(0o000)).unwrap();
        }
        let used = usage(root.path(), u64::MAX, u64::MAX);
        assert_eq!(used.inodes, 3);
        assert!(used.bytes >= 100_000, "{used:?}");
        assert_eq!(mode(&outer), 0);
        set_permissions(&outer, Permissions::from_mode(0o700)).unwrap();
        assert_eq!(mode(&inner), 0);
    }

    #[test]
    fn links_are_not_followed() {
        let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(other.path().join("file"), vec![1; 100_000]).unwrap();
        std::os::unix::fs::symlink(other.path(), root.path().join("link")).unwrap();
        let used = usage(root.path(), u64::MAX, u64::MAX);
        assert_eq!(used.inodes, 1);
        assert!(used.bytes < 100_000, "{used:?}");
    }

    #[test]
    fn counting_ends_at_the_most_that_may_be_there() {
        let root = tempfile::tempdir().unwrap();
        for n in 0..50 {
            fs::write(root.path().join(n.to_string()), "").unwrap();
        }
        assert_eq!(usage(root.path(), u64::MAX, 10).inodes, 11);
    }
}
