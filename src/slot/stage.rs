//! Puts an episode's files and working directories in place.
//!
//! An earlier step may have left symbolic links where a later one writes: every path is resolved below the
//! space's root without leaving its mount and without following /proc's magic links (openat2(2)).

use super::space::Space;
use crate::wire::message::FileRequest;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{Mode, fchmod, mkdirat};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// A path of the spec that could not be put in place.
#[derive(Debug, PartialEq, Eq)]
pub struct NotPlaced {
    pub path: String,
    pub errno: Errno,
}

pub struct Stage<'a> {
    space: &'a Space,
    /// What was made outside of the places the slot's ruleset lets episodes write to.
    extra: Vec<String>,
}

impl<'a> Stage<'a> {
    pub fn new(space: &'a Space) -> Self {
        Stage {
            space,
            extra: Vec::new(),
        }
    }

    /// Paths that the episode's own ruleset has to add.
    pub fn into_extra(self) -> Vec<String> {
        self.extra
    }

    /// Makes a working directory unless there is one.
    pub fn workdir(&mut self, path: &str) -> Result<(), NotPlaced> {
        if self.space.real(path).is_dir() {
            return Ok(());
        }
        self.place(path, |stage, inside| stage.directory(inside).map(drop))
    }

    pub fn file(&mut self, file: &FileRequest) -> Result<(), NotPlaced> {
        self.place(&file.path, |stage, inside| match &file.content {
            None => fchmod_path(stage.directory(inside)?, file.mode),
            Some(content) => stage.write(inside, content, file.mode),
        })
    }

    fn place(
        &mut self,
        path: &str,
        put: impl FnOnce(&mut Self, &Path) -> Result<(), Errno>,
    ) -> Result<(), NotPlaced> {
        let inside = self.space.inside(path).ok_or(Errno::EACCES);
        inside
            .and_then(|inside| put(self, &inside))
            .map_err(|errno| NotPlaced {
                path: path.to_owned(),
                errno,
            })
    }

    fn write(&mut self, inside: &Path, content: &[u8], mode: u32) -> Result<(), Errno> {
        let parent = inside.parent().unwrap_or(Path::new(""));
        self.directory(parent)?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_NONBLOCK;
        let fd = self.open(inside, flags, 0o600)?;
        fchmod(&fd, Mode::from_bits_truncate(mode))?;
        self.note(inside);
        File::from(fd)
            .write_all(content)
            .map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)))
    }

    /// Opens a directory, making it and its parents where they are missing.
    fn directory(&mut self, inside: &Path) -> Result<OwnedFd, Errno> {
        match self.open(inside, OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0) {
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
        self.open(inside, OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0)
    }

    fn open(&self, inside: &Path, flags: OFlag, mode: u32) -> Result<OwnedFd, Errno> {
        let path = if inside.as_os_str().is_empty() {
            Path::new(".")
        } else {
            inside
        };
        let resolve = ResolveFlag::RESOLVE_IN_ROOT
            | ResolveFlag::RESOLVE_NO_MAGICLINKS
            | ResolveFlag::RESOLVE_NO_XDEV;
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .mode(Mode::from_bits_truncate(mode))
            .resolve(resolve);
        openat2(self.space.root(), path, how)
    }

    fn note(&mut self, inside: &Path) {
        let path = PathBuf::from("/").join(inside);
        let known = |p: &String| path.starts_with(p);
        if !self.space.is_writable(&path) && !self.extra.iter().any(known) {
            self.extra.extend(path.to_str().map(str::to_owned));
        }
    }
}

fn fchmod_path(directory: OwnedFd, mode: u32) -> Result<(), Errno> {
    fchmod(directory.as_fd(), Mode::from_bits_truncate(mode))
}
