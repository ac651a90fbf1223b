//! Removes trees that untrusted programs made: of any depth, with directories that forbid their own removal,
//! without following links, in a constant number of descriptors and constant stack.
//!
//! A directory inside a directory is first moved up into the tree's root, and then has its own turn. So no path is
//! ever longer than one name, however deep the tree was, and all that a removal moves stays below the tree.
//!
//! Nobody should be writing to the tree any more. Should a program do so all the same, the worst it can reach is that
//! the tree stays: every name is looked up in a directory that is open, no link and no mount is crossed on the way to
//! the next, and modes are changed through descriptors.

use super::clock::monotonic_ns;
use super::mode::set_mode;
use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat, openat2, renameat};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How often a tree is gone through before it is left to the caller. Once is enough unless somebody writes to it.
const MAX_PASSES: usize = 4;

/// Removes a file or a whole tree.
pub(crate) fn remove(path: &Path) -> Result<(), Errno> {
    let (parent, name) = open_parent(path)?;
    remove_in(&parent, &name, u64::MAX)
}

/// The same for what has this name in a directory, until CLOCK_MONOTONIC is `until_ns`: then ETIMEDOUT, and what is left
/// can be removed by another call.
pub(crate) fn remove_in(parent: &OwnedFd, name: &CStr, until_ns: u64) -> Result<(), Errno> {
    let mut left = Errno::ENOTEMPTY;
    for _ in 0..MAX_PASSES {
        in_time(until_ns)?;
        if remove_entry(parent, name)? == Entry::Removed {
            return Ok(());
        }
        if let Err(errno) = empty(&open_directory(parent, name)?, until_ns) {
            left = errno;
        }
    }
    match remove_entry(parent, name)? {
        Entry::Removed => Ok(()),
        Entry::FullDirectory => Err(left),
    }
}

/// Removes everything in a directory; for who may not remove the directory itself.
pub(crate) fn remove_contents(path: &Path) -> Result<(), Errno> {
    let (parent, name) = open_parent(path)?;
    empty(&open_directory(&parent, &name)?, u64::MAX)
}

/// Removes a directory that is empty; whether it is gone.
pub(crate) fn remove_empty(path: &Path) -> bool {
    matches!(
        unlinkat(AT_FDCWD, path, UnlinkatFlags::RemoveDir),
        Ok(()) | Err(Errno::ENOENT)
    )
}

fn in_time(until_ns: u64) -> Result<(), Errno> {
    if monotonic_ns() > until_ns {
        Err(Errno::ETIMEDOUT)
    } else {
        Ok(())
    }
}

fn open_parent(path: &Path) -> Result<(OwnedFd, CString), Errno> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::EINVAL);
    };
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let parent = openat(AT_FDCWD, parent, flags, Mode::empty())?;
    let name = CString::new(name.as_bytes()).map_err(|_| Errno::EINVAL)?;
    Ok((parent, name))
}

#[derive(PartialEq, Eq)]
enum Entry {
    Removed,
    FullDirectory,
}

/// Removes a file or an empty directory.
fn remove_entry(parent: &OwnedFd, name: &CStr) -> Result<Entry, Errno> {
    match unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
        // EPERM is what POSIX wants for a directory, and what some file systems give (unlink(2)).
        Err(Errno::EISDIR | Errno::EPERM) => remove_directory(parent, name),
        done => done.map(|()| Entry::Removed),
    }
}

fn remove_directory(parent: &OwnedFd, name: &CStr) -> Result<Entry, Errno> {
    match unlinkat(parent, name, UnlinkatFlags::RemoveDir) {
        Err(Errno::ENOTEMPTY | Errno::EEXIST) => Ok(Entry::FullDirectory),
        done => done.map(|()| Entry::Removed),
    }
}

/// Opens a directory, and sees to it that its entries can be listed and removed.
fn open_directory(parent: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_XDEV);
    let directory = openat2(parent, name, how)?;
    let mode = fstat(&directory)?.st_mode & 0o7777;
    let needed = Mode::S_IRWXU.bits();
    if mode & needed != needed {
        set_mode(&directory, mode | needed)
            .map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)))?;
    }
    Ok(directory)
}

/// Removes everything in a directory, as far as it can; the first failure. Ends at once when the time is over.
fn empty(root: &OwnedFd, until_ns: u64) -> Result<(), Errno> {
    let mut waiting = VecDeque::new();
    let mut result = clear(root, until_ns, |name| {
        waiting.push_back(name.to_owned());
        Ok(())
    });
    let mut moved = 0u64;
    while let Some(name) = waiting.pop_front() {
        in_time(until_ns)?;
        let emptied = open_directory(root, &name).and_then(|directory| {
            clear(&directory, until_ns, |name| {
                // Moving a directory changes its "..", which takes the right to write to it (rename(2)).
                open_directory(&directory, name)?;
                waiting.push_back(move_up(root, &directory, name, &mut moved)?);
                Ok(())
            })
        });
        result = result
            .and(emptied)
            .and(remove_directory(root, &name).map(drop));
    }
    result
}

/// Removes the files and empty directories in a directory, and hands on the names of the other directories. Goes on
/// after a failure; the first one is the result.
fn clear(
    directory: &OwnedFd,
    until_ns: u64,
    mut full: impl FnMut(&CStr) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut entries = Dir::from_fd(openat(directory, ".", flags, Mode::empty())?)?;
    let mut result = Ok(());
    for entry in entries.iter() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        in_time(until_ns)?;
        let removed = match entry.file_type() {
            Some(Type::Directory) => remove_directory(directory, name),
            // Not every file system tells what it is.
            _ => remove_entry(directory, name),
        };
        result = result.and(match removed {
            Ok(Entry::Removed) => Ok(()),
            Ok(Entry::FullDirectory) => full(name),
            Err(errno) => Err(errno),
        });
    }
    result
}

fn move_up(root: &OwnedFd, from: &OwnedFd, name: &CStr, moved: &mut u64) -> Result<CString, Errno> {
    loop {
        *moved += 1;
        let target = CString::new(format!(".removing-{moved}")).map_err(|_| Errno::EINVAL)?;
        // rename replaces an empty directory, but nothing else of that name (rename(2)).
        match renameat(from, name, root, target.as_c_str()) {
            Ok(()) => return Ok(target),
            Err(Errno::EEXIST | Errno::ENOTEMPTY | Errno::ENOTDIR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::{RenameFlags, renameat2};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::time::{Duration, Instant};

    #[test]
    fn a_tree_with_closed_directories_is_removed_and_links_are_not_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let (tree, kept) = (scratch.path().join("tree"), scratch.path().join("kept"));
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::write(tree.join("a/b/file"), "x").unwrap();
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("file"), "x").unwrap();
        std::os::unix::fs::symlink(&kept, tree.join("link")).unwrap();
        fs::set_permissions(tree.join("a/b"), Permissions::from_mode(0o0)).unwrap();
        fs::set_permissions(tree.join("a"), Permissions::from_mode(0o0)).unwrap();
        remove(&tree).unwrap();
        assert!(!tree.exists());
        assert!(kept.join("file").exists());
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_tree_of_twenty_thousand_levels_is_removed() {
        // In memory where that exists: some file systems take half a millisecond for a directory, where many were removed.
        let scratch = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let scratch = scratch.unwrap();
        let top = scratch.path().join("deep");
        fs::create_dir(&top).unwrap();
        let mut here = OwnedFd::from(fs::File::open(&top).unwrap());
        for _ in 0..20_000 {
            nix::sys::stat::mkdirat(&here, "d", Mode::S_IRWXU).unwrap();
            here = openat(&here, "d", OFlag::O_DIRECTORY, Mode::empty()).unwrap();
        }
        drop(here);
        remove(&top).unwrap();
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_removal_ends_when_its_time_is_over_and_can_be_gone_on_with() {
        let scratch = tempfile::tempdir().unwrap();
        let tree = scratch.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::write(tree.join("a/b/file"), "x").unwrap();
        let over = monotonic_ns();
        for path in [&tree, &tree.join("a/b/file")] {
            let (parent, name) = open_parent(path).unwrap();
            assert_eq!(remove_in(&parent, &name, over), Err(Errno::ETIMEDOUT));
            assert!(path.exists());
        }
        remove(&tree).unwrap();
        assert!(!tree.exists());
    }

    /// A directory becomes a link and a directory again, as fast as can be.
    fn swap(tree: &Path, victim: &Path, stop: &AtomicBool) {
        let (directory, link) = (tree.join("a/b"), tree.join("a/link"));
        while !stop.load(Relaxed) {
            let _ = fs::create_dir_all(directory.join("c/d"));
            let _ = std::os::unix::fs::symlink(victim, &link);
            for _ in 0..100 {
                let exchange = RenameFlags::RENAME_EXCHANGE;
                let _ = renameat2(AT_FDCWD, &directory, AT_FDCWD, &link, exchange);
            }
        }
    }

    #[test]
    fn directories_that_are_swapped_for_links_meanwhile_lead_nowhere_and_leave_nothing_beside_the_tree()
     {
        let scratch = tempfile::tempdir().unwrap();
        let (tree, victim) = (scratch.path().join("tree"), scratch.path().join("victim"));
        fs::create_dir(&victim).unwrap();
        fs::write(victim.join("kept"), "x").unwrap();
        fs::set_permissions(&victim, Permissions::from_mode(0o500)).unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| swap(&tree, &victim, &stop));
            scope.spawn(|| swap(&tree, &victim, &stop));
            let end = Instant::now() + Duration::from_millis(500);
            while Instant::now() < end {
                let _ = remove(&tree);
                let mode = fs::metadata(&victim).unwrap().permissions().mode();
                assert_eq!(mode & 0o7777, 0o500);
            }
            stop.store(true, Relaxed);
        });
        let gone = remove(&tree);
        assert!(matches!(gone, Ok(()) | Err(Errno::ENOENT)), "{gone:?}");
        assert!(victim.join("kept").exists());
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_single_file_and_a_link_are_removed_themselves() {
        let scratch = tempfile::tempdir().unwrap();
        let (file, link) = (scratch.path().join("file"), scratch.path().join("link"));
        fs::write(&file, "x").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        remove(&link).unwrap();
        assert!(file.exists());
        remove(&file).unwrap();
        assert!(!file.exists());
    }
}
