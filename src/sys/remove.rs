//! Removes trees that untrusted programs made: of any depth, with directories that forbid their own removal,
//! without following links, in a constant number of descriptors and constant stack.
//!
//! A directory inside a directory is first moved up, beside the tree's root, and then has its own turn. So no
//! path is ever longer than two names, however deep the tree was.

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Removes a file or a whole tree. No process may be writing to it any more.
pub fn remove(path: &Path) -> Result<(), Errno> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::EINVAL);
    };
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let top = openat(AT_FDCWD, parent, flags, Mode::empty())?;
    let name = CString::new(name.as_bytes()).map_err(|_| Errno::EINVAL)?;
    match unlinkat(&top, name.as_c_str(), UnlinkatFlags::NoRemoveDir) {
        // EPERM is what POSIX wants for a directory, and what some file systems give (unlink(2)).
        Err(Errno::EISDIR | Errno::EPERM) => {}
        done => return done,
    }
    let mut moved = 0u64;
    let mut waiting = VecDeque::from([name]);
    while let Some(name) = waiting.pop_front() {
        let directory = open_up(&top, &name)?;
        empty(&top, directory, &mut moved, &mut waiting)?;
        unlinkat(&top, name.as_c_str(), UnlinkatFlags::RemoveDir)?;
    }
    Ok(())
}

/// Opens a directory, whatever its mode is.
fn open_up(top: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    // Entries can only be removed from a directory that may be written to.
    fchmodat(top, name, Mode::S_IRWXU, FchmodatFlags::FollowSymlink)?;
    openat(top, name, flags, Mode::empty())
}

fn empty(
    top: &OwnedFd,
    directory: OwnedFd,
    moved: &mut u64,
    waiting: &mut VecDeque<CString>,
) -> Result<(), Errno> {
    let mut entries = Dir::from_fd(directory.try_clone().map_err(|_| Errno::EMFILE)?)?;
    for entry in entries.iter() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        if !is_directory(&directory, name, entry.file_type())? {
            unlinkat(&directory, name, UnlinkatFlags::NoRemoveDir)?;
        } else if unlinkat(&directory, name, UnlinkatFlags::RemoveDir).is_err() {
            // Moving a directory changes its "..", which takes the right to write to it (rename(2)).
            fchmodat(
                &directory,
                name,
                Mode::S_IRWXU,
                FchmodatFlags::FollowSymlink,
            )?;
            waiting.push_back(move_up(top, &directory, name, moved)?);
        }
    }
    Ok(())
}

fn is_directory(parent: &OwnedFd, name: &CStr, kind: Option<Type>) -> Result<bool, Errno> {
    match kind {
        Some(kind) => Ok(kind == Type::Directory),
        // Not every file system tells.
        None => {
            let stat = fstatat(parent.as_fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
            Ok(SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR)
        }
    }
}

fn move_up(top: &OwnedFd, from: &OwnedFd, name: &CStr, moved: &mut u64) -> Result<CString, Errno> {
    loop {
        *moved += 1;
        let text = format!(".removing-{}-{moved}", std::process::id());
        let target = CString::new(text).map_err(|_| Errno::EINVAL)?;
        // rename replaces an empty directory, but nothing else of that name (rename(2)).
        match renameat(from, name, top, target.as_c_str()) {
            Ok(()) => return Ok(target),
            Err(Errno::EEXIST | Errno::ENOTEMPTY | Errno::ENOTDIR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

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
        let scratch = tempfile::tempdir().unwrap();
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
