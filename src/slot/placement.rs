//! Puts an episode's files and working directories in place.
//!
//! An earlier step may have left symbolic links where a later one writes: every path is resolved below the
//! space's root without leaving its mount and without following /proc's magic links (openat2(2)).

use super::open::open_in_root;
use super::space::Space;
use crate::spec::execution::NotPrepared;
use crate::spec::step::{Content, DEFAULT_MODE, InputFile};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fchmod, mkdirat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// A path of the spec that could not be put in place.
#[derive(Debug, PartialEq, Eq)]
pub struct NotPlaced {
    pub path: String,
    pub errno: Errno,
}

impl From<NotPlaced> for NotPrepared {
    fn from(NotPlaced { path, errno }: NotPlaced) -> NotPrepared {
        NotPrepared {
            path,
            errno: errno as i32,
        }
    }
}

pub(super) struct Placement<'a> {
    space: &'a Space,
    /// What was made outside of the places the slot's ruleset lets episodes write to.
    extra: Vec<String>,
}

impl<'a> Placement<'a> {
    /// `extra`: what earlier steps have made there.
    pub(super) fn new(space: &'a Space, extra: Vec<String>) -> Self {
        Placement { space, extra }
    }

    /// Paths that the episode's own ruleset has to add. None lies below another, where programs could replace it.
    pub(super) fn into_extra(self) -> Vec<String> {
        self.extra
    }

    /// Makes a working directory unless there is one.
    pub(super) fn workdir(&mut self, path: &str) -> Result<(), NotPlaced> {
        if self.space.real(path).is_dir() {
            return Ok(());
        }
        self.place(path, |placement, inside| {
            placement.directory(inside).map(drop)
        })
    }

    pub(super) fn file(&mut self, file: &InputFile) -> Result<(), NotPlaced> {
        let mode = file.mode.unwrap_or(DEFAULT_MODE);
        match &file.content {
            Content::Directory => self.make_directory(&file.path, mode),
            Content::Link(target) => self.link(&file.path, target),
            Content::Bytes(content) => self.place(&file.path, |placement, inside| {
                let mut opened = placement.write(inside, mode)?;
                opened.write_all(content).map_err(errno)
            }),
            // The runner has read those.
            Content::HostPath(_) => self.place(&file.path, |_, _| Err(Errno::EINVAL)),
        }
    }

    /// Makes a directory, or changes the mode of one that is there.
    pub(super) fn make_directory(&mut self, path: &str, mode: u32) -> Result<(), NotPlaced> {
        self.place(path, |placement, inside| {
            let made = placement.directory(inside)?;
            fchmod(&made, Mode::from_bits_truncate(mode))
        })
    }

    /// Makes a new file, in place of whatever had its name, unless that is a directory.
    pub(super) fn create(&mut self, path: &str, mode: u32) -> Result<File, NotPlaced> {
        self.place(path, |placement, inside| {
            placement.make_way(inside)?;
            placement.write(inside, mode)
        })
    }

    /// Makes a symbolic link in place of whatever had its name, unless that is a directory.
    pub(super) fn link(&mut self, path: &str, target: &str) -> Result<(), NotPlaced> {
        self.place(path, |placement, inside| {
            let (parent, name) = placement.make_way(inside)?;
            symlinkat(target, &parent, name)
        })
    }

    /// Removes what has this name; the directory it is in, which is made if need be, and the name.
    fn make_way<'p>(&mut self, inside: &'p Path) -> Result<(OwnedFd, &'p OsStr), Errno> {
        let parent = self.directory(inside.parent().unwrap_or(Path::new("")))?;
        let name = inside.file_name().ok_or(Errno::EISDIR)?;
        match unlinkat(&parent, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok((parent, name)),
            Err(errno) => Err(errno),
        }
    }

    fn place<T>(
        &mut self,
        path: &str,
        put: impl FnOnce(&mut Self, &Path) -> Result<T, Errno>,
    ) -> Result<T, NotPlaced> {
        let inside = self.space.inside(path).ok_or(Errno::EACCES);
        inside
            .and_then(|inside| put(self, &inside))
            .map_err(|errno| NotPlaced {
                path: path.to_owned(),
                errno,
            })
    }

    fn write(&mut self, inside: &Path, mode: u32) -> Result<File, Errno> {
        let parent = inside.parent().unwrap_or(Path::new(""));
        self.directory(parent)?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_NONBLOCK;
        let fd = open_in_root(self.space.root(), inside, flags, 0o600)?;
        fchmod(&fd, Mode::from_bits_truncate(mode))?;
        self.note(inside);
        Ok(File::from(fd))
    }

    /// Opens a directory, making it and its parents where they are missing.
    fn directory(&mut self, inside: &Path) -> Result<OwnedFd, Errno> {
        match open_in_root(
            self.space.root(),
            inside,
            OFlag::O_RDONLY | OFlag::O_DIRECTORY,
            0,
        ) {
            Err(Errno::ENOENT) => {}
            other => return other,
        }
        let (Some(parent), Some(name)) = (inside.parent(), inside.file_name()) else {
            return Err(Errno::ENOENT);
        };
        let parent = self.directory(parent)?;
        match mkdirat(&parent, name, Mode::from_bits_truncate(0o755)) {
            Ok(()) => self.note(inside),
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
        open_in_root(
            self.space.root(),
            inside,
            OFlag::O_RDONLY | OFlag::O_DIRECTORY,
            0,
        )
    }

    fn note(&mut self, inside: &Path) {
        let path = PathBuf::from("/").join(inside);
        let known = |p: &String| path.starts_with(p);
        if !self.space.is_writable(&path) && !self.extra.iter().any(known) {
            self.extra.extend(path.to_str().map(str::to_owned));
        }
    }
}

/// The errno of an error of the standard library's.
pub(super) fn errno(error: std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}
