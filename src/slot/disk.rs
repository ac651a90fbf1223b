//! What an episode has on disk, counted where no mount bounds it (landlock tier).
//!
//! Init runs as the slot's uid, so a directory the program closed (mode 000) is closed to us too: it is opened up to
//! be listed, and its mode put back. Without root that uid is the user's own. So every directory is opened in the one
//! above it, without following a link, and its mode changed through the descriptor, never by a path that the
//! program could turn to somebody else's directory meanwhile.
//!
//! A program decides how long its tree takes to count. So one look counts for a while only, and the next one goes on
//! where it ended.

use super::open::open_below;
use crate::sys::clock::monotonic_ns;
use crate::sys::mode::set_mode;
use nix::dir::{Dir, OwningIter};
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use std::ffi::{CStr, OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How long counting at once may take, so that the slot answers in time. What usually is there is counted in a tenth of it.
const USAGE_NS: u64 = 5_000_000_000;
/// How many directories that lead to one another are open at one time: those of which some directory is still to be
/// looked into. A single path may be of any depth.
const MAX_OPEN: usize = 128;
/// What has to be allowed to list a directory and to look at what is in it.
const LISTABLE: u32 = 0o500;
/// What of it has to be allowed for the second.
const ENTERABLE: u32 = 0o100;

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

    /// The greater of both, each by itself.
    fn max(self, other: Usage) -> Usage {
        Usage {
            bytes: self.bytes.max(other.bytes),
            inodes: self.inodes.max(other.inodes),
        }
    }

    /// Whether this is over what an episode may have on disk; both are the most that it may.
    pub fn is_over(self, bytes: u64, inodes: u64) -> bool {
        self.bytes > bytes || self.inodes > inodes
    }
}

/// What one look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub used: Usage,
    /// Whether that is all there is, and not the most that is known so far.
    pub whole: bool,
}

/// A count that may take several looks. What lies in too many open directories counts as more than any limit: nothing
/// could bound it otherwise.
#[derive(Default)]
pub struct Count {
    /// The directories that are open, each inside the one before.
    open: Vec<Directory>,
    used: Usage,
    /// What the count before this one found.
    last: Usage,
}

/// A directory that is being looked into.
struct Directory {
    descriptor: OwnedFd,
    /// Its own mode, if it had to be opened up.
    closed: Option<u32>,
    /// While it is being listed.
    entries: Option<OwningIter>,
    /// The directories in it that are still to be looked into.
    below: Vec<OsString>,
}

/// Everything below a directory, counted at once, or what was found in [`USAGE_NS`]. See [`Count::look`].
pub fn usage(root: &Path, most_bytes: u64, most_inodes: u64) -> Usage {
    let until_ns = monotonic_ns() + USAGE_NS;
    Count::default()
        .look(root, most_bytes, most_inodes, until_ns)
        .used
}

impl Count {
    /// Counts everything below a directory, links not followed, until CLOCK_MONOTONIC is `until_ns`, but one entry at
    /// least. A count ends once it is over the most that may be there.
    pub fn look(
        &mut self,
        root: &Path,
        most_bytes: u64,
        most_inodes: u64,
        until_ns: u64,
    ) -> Counted {
        if self.open.is_empty() {
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            let root = open(root, flags, Mode::empty()).ok();
            self.open.extend(root.map(Directory::new));
        }
        while !self.open.is_empty() {
            self.step();
            if self.used.is_over(most_bytes, most_inodes) {
                self.open.clear();
            } else if !self.open.is_empty() && monotonic_ns() > until_ns {
                return Counted {
                    used: self.used.max(self.last),
                    whole: false,
                };
            }
        }
        self.last = std::mem::take(&mut self.used);
        Counted {
            used: self.last,
            whole: true,
        }
    }

    /// Counts one entry, or goes on to the next directory.
    fn step(&mut self) {
        let Some(directory) = self.open.last_mut() else {
            return;
        };
        if directory.entries.is_some() {
            return directory.list_one(&mut self.used);
        }
        let name = directory.below.pop();
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let base = directory.descriptor.as_fd();
        let below = name.and_then(|name| open_below(base, Path::new(&name), flags).ok());
        // Before the next one is looked into, so that a path of any depth takes two descriptors.
        if directory.below.is_empty() {
            self.open.pop();
        }
        match below {
            Some(_) if self.open.len() >= MAX_OPEN => self.used = Usage::BEYOND,
            below => self.open.extend(below.map(Directory::new)),
        }
    }
}

impl Directory {
    fn new(descriptor: OwnedFd) -> Directory {
        let mode = mode_of(&descriptor).unwrap_or(LISTABLE);
        let is_closed = mode & LISTABLE != LISTABLE;
        let opened_up = is_closed && set_mode(&descriptor, mode | LISTABLE).is_ok();
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let listed = openat(&descriptor, ".", flags, Mode::empty()).and_then(Dir::from_fd);
        let mut directory = Directory {
            descriptor,
            closed: opened_up.then_some(mode),
            entries: listed.ok().map(Dir::into_iter),
            below: Vec::new(),
        };
        // To open it took the right to read it; to look at what is in it takes the right to enter it alone.
        if mode & ENTERABLE != 0 {
            directory.close();
        }
        directory
    }

    /// Closes it again, unless the program has set its mode itself meanwhile.
    fn close(&mut self) {
        if let Some(mode) = self.closed.take()
            && mode_of(&self.descriptor) == Some(mode | LISTABLE)
        {
            let _ = set_mode(&self.descriptor, mode);
        }
    }

    /// Counts one more entry, if there is one.
    fn list_one(&mut self, used: &mut Usage) {
        match self.entries.as_mut().and_then(Iterator::next) {
            Some(Ok(entry)) => self.count(entry.file_name(), used),
            Some(Err(_)) => {}
            None => self.entries = None,
        }
    }

    fn count(&mut self, name: &CStr, used: &mut Usage) {
        if matches!(name.to_bytes(), b"." | b"..") {
            return;
        }
        let stat = fstatat(self.descriptor.as_fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW);
        let Ok(stat) = stat else { return };
        used.add(stat.st_blocks as u64);
        if is_directory(&stat) {
            self.below
                .push(OsStr::from_bytes(name.to_bytes()).to_owned());
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.close();
    }
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

    #[test]
    fn a_look_that_is_too_short_is_gone_on_with_and_says_the_most_that_is_known() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("closed/inner");
        fs::create_dir_all(&inner).unwrap();
        for n in 0..500 {
            fs::write(inner.join(n.to_string()), "").unwrap();
        }
        set_permissions(root.path().join("closed"), Permissions::from_mode(0o000)).unwrap();
        let mut count = Count::default();
        let mut looks = vec![];
        while looks.last().is_none_or(|c: &Counted| !c.whole) && looks.len() < 10_000 {
            looks.push(count.look(root.path(), u64::MAX, u64::MAX, 0));
        }
        assert!(looks.len() > 500, "{}", looks.len());
        assert!(looks.is_sorted_by_key(|counted| counted.used.inodes));
        assert_eq!(looks.last().unwrap().used.inodes, 502);
        // The next count begins with what this one found.
        let next = count.look(root.path(), u64::MAX, u64::MAX, 0);
        assert_eq!((next.used.inodes, next.whole), (502, false));
        drop(count);
        assert_eq!(mode(&root.path().join("closed")), 0);
        set_permissions(root.path().join("closed"), Permissions::from_mode(0o700)).unwrap();
    }

    #[test]
    fn a_path_may_be_of_any_depth_but_not_so_many_directories_with_others_beside_it() {
        let deep = |beside: bool| {
            // In memory where that exists: some file systems take half a millisecond for a directory, where many were removed.
            let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
            let root = root.unwrap();
            let mut here = OwnedFd::from(fs::File::open(root.path()).unwrap());
            for _ in 0..3000 {
                for name in ["a", "b"].iter().take(1 + usize::from(beside)) {
                    nix::sys::stat::mkdirat(&here, *name, Mode::S_IRWXU).unwrap();
                }
                here = openat(&here, "a", OFlag::O_DIRECTORY, Mode::empty()).unwrap();
            }
            let used = usage(root.path(), u64::MAX, u64::MAX);
            crate::sys::remove::remove(root.path()).unwrap();
            used
        };
        assert_eq!(deep(false).inodes, 3000);
        assert!(deep(true).is_over(u64::MAX - 1, u64::MAX));
    }
}
