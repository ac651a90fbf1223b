//! Files into and out of a session's sandbox, one piece at a time: between two pieces init does its other work.
//!
//! The session's programs may change the tree meanwhile. Every path is resolved below the space's root without leaving
//! its mount; below the place where a transfer out began, no link is followed at all.

use super::open::{
    BLOCK_BYTES, READ, kind, open_below_closed, open_directory, open_file, open_in_root,
};
use super::placement::{NotPlaced, Placement, errno};
use super::space::Space;
use crate::spec::names::escaped;
use crate::wire::transfer::{
    DATA_BYTES, Entry, EntryKind, Get, MAX_WAITING, MAX_WAITING_BYTES, NotDone, Piece, Put, Skipped,
};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, readlinkat};
use nix::sys::stat::{SFlag, fstat};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Take, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What is held beside the name of an entry that waits.
const WAITING_BYTES: usize = 40;

/// What is under way in a session; at most one of each.
#[derive(Default)]
pub(super) struct Transfers {
    into: Option<(String, File)>,
    out: Option<Walk>,
}

impl Transfers {
    /// Puts the next piece in place.
    pub(super) fn put(&mut self, space: &Space, piece: Put) -> Result<(), NotDone> {
        match piece {
            Put::Entry(entry) => {
                self.into = None;
                let mut stage = Placement::new(space, Vec::new());
                let made = match &entry.kind {
                    EntryKind::File => stage.create(&entry.path, entry.mode).map(|file| {
                        self.into = Some((entry.path.clone(), file));
                    }),
                    // Its owner has to get at what comes into it.
                    EntryKind::Directory => stage.make_directory(&entry.path, entry.mode | 0o700),
                    EntryKind::Link(target) => stage.link(&entry.path, target),
                };
                made.map_err(|NotPlaced { path, errno }| not_done(path, errno))
            }
            Put::Data(bytes) => match &mut self.into {
                Some((path, file)) => file
                    .write_all(&bytes)
                    .map_err(|error| not_done(path.clone(), errno(error))),
                None => Err(not_done(String::new(), Errno::EBADF)),
            },
            Put::End => {
                self.into = None;
                Ok(())
            }
        }
    }

    /// Takes the next piece out. A transfer may have as many bytes of holes as the disk may have of data: a file with
    /// nothing in it can be as long as its owner likes.
    pub(super) fn get(
        &mut self,
        space: &Space,
        what: Get,
        disk_bytes: u64,
    ) -> Result<Piece, NotDone> {
        match what {
            Get::Begin(path) => {
                let begun = Walk::begin(space, &path, disk_bytes);
                self.out = Some(begun.map_err(|errno| not_done(path, errno))?);
            }
            Get::Next => {}
            Get::End => self.out = None,
        }
        match &mut self.out {
            Some(walk) => walk.next(),
            None => Ok(Piece::End),
        }
    }
}

fn not_done(path: String, errno: Errno) -> NotDone {
    NotDone {
        path,
        errno: errno as i32,
    }
}

/// A tree on its way out: parents before what is in them, names in order.
struct Walk {
    base: OwnedFd,
    /// What is yet to come, the next one last.
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
    /// The path below the base of what came last. Parents come before what is in them, so the directory of whatever comes
    /// next is a beginning of it.
    path: Vec<u8>,
    /// The file whose bytes come next: as many as it had when it was opened.
    open: Option<(PathBuf, Take<File>)>,
    /// Bytes that are sent though nothing on the disk holds them.
    holes: u64,
    most_holes: u64,
}

/// A name, and how much of the last path is its directory: whole paths could be many times as long.
struct Waiting {
    parent: usize,
    name: Vec<u8>,
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.name.len() + WAITING_BYTES
    }
}

impl Walk {
    fn begin(space: &Space, path: &str, most_holes: u64) -> Result<Walk, Errno> {
        let inside = space.inside(path).ok_or(Errno::EACCES)?;
        let open = |flags| open_in_root(space.root(), &inside, flags, 0);
        let base = open_file(open, READ)?;
        match kind(&base)? {
            SFlag::S_IFREG | SFlag::S_IFDIR => Ok(Walk {
                base,
                waiting: vec![Waiting {
                    parent: 0,
                    name: Vec::new(),
                }],
                waiting_bytes: WAITING_BYTES,
                path: Vec::new(),
                open: None,
                holes: 0,
                most_holes,
            }),
            _ => Err(Errno::EINVAL),
        }
    }

    fn next(&mut self) -> Result<Piece, NotDone> {
        if let Some((path, file)) = &mut self.open {
            let mut data = Vec::new();
            file.take(DATA_BYTES as u64)
                .read_to_end(&mut data)
                .map_err(|error| not_done(shown(path), errno(error)))?;
            if !data.is_empty() {
                return Ok(Piece::Data(data));
            }
            self.open = None;
        }
        while let Some(path) = self.next_path() {
            match self.entry(&path) {
                Ok(piece) => return Ok(piece),
                // Gone by now.
                Err(Errno::ENOENT) => {}
                Err(errno) => return Err(not_done(shown(&path), errno)),
            }
        }
        Ok(Piece::End)
    }

    fn next_path(&mut self) -> Option<PathBuf> {
        let next = self.waiting.pop()?;
        self.waiting_bytes -= next.bytes();
        self.path.truncate(next.parent);
        if next.parent > 0 {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(&next.name);
        Some(OsStr::from_bytes(&self.path).into())
    }

    fn entry(&mut self, path: &Path) -> Result<Piece, Errno> {
        let found = if path.as_os_str().is_empty() {
            self.base.try_clone().map_err(errno)?
        } else {
            open_below_closed(self.base.as_fd(), path, OFlag::O_PATH)?
        };
        let meta = fstat(&found)?;
        let kind = match SFlag::from_bits_truncate(meta.st_mode) & SFlag::S_IFMT {
            SFlag::S_IFREG => {
                let held = meta.st_blocks as u64 * BLOCK_BYTES;
                self.holes += (meta.st_size as u64).saturating_sub(held);
                if self.holes > self.most_holes {
                    return Err(Errno::EFBIG);
                }
                let file = self.readable(path, found, |open| open_file(open, READ))?;
                let whole = File::from(file).take(meta.st_size as u64);
                self.open = Some((path.to_owned(), whole));
                EntryKind::File
            }
            SFlag::S_IFDIR => {
                let directory = self.readable(path, found, |open| open_directory(open))?;
                self.list(path, directory)?;
                EntryKind::Directory
            }
            SFlag::S_IFLNK => match readlinkat(&found, "")?.into_string() {
                Ok(target) => EntryKind::Link(target),
                Err(_) => return Ok(Piece::Skipped(shown(path), Skipped::Target)),
            },
            _ => return Ok(Piece::Skipped(shown(path), Skipped::Special)),
        };
        Ok(Piece::Entry(Entry {
            path: shown(path),
            kind,
            mode: meta.st_mode & 0o7777,
        }))
    }

    /// Opens what was found for reading, though its program may have closed it, or what it is in.
    fn readable(
        &self,
        path: &Path,
        found: OwnedFd,
        read: impl FnOnce(&dyn Fn(OFlag) -> Result<OwnedFd, Errno>) -> Result<OwnedFd, Errno>,
    ) -> Result<OwnedFd, Errno> {
        if path.as_os_str().is_empty() {
            Ok(found)
        } else {
            read(&|flags| open_below_closed(self.base.as_fd(), path, flags))
        }
    }

    fn list(&mut self, path: &Path, directory: OwnedFd) -> Result<(), Errno> {
        let parent = path.as_os_str().len();
        let mut listed = Vec::new();
        for entry in Dir::from_fd(directory)?.iter() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let name = name.to_vec();
            let waiting = Waiting { parent, name };
            self.waiting_bytes += waiting.bytes();
            listed.push(waiting);
            if self.waiting.len() + listed.len() > MAX_WAITING
                || self.waiting_bytes > MAX_WAITING_BYTES
            {
                return Err(Errno::E2BIG);
            }
        }
        listed.sort_unstable_by(|a, b| b.name.cmp(&a.name));
        self.waiting.append(&mut listed);
        Ok(())
    }
}

fn shown(path: &Path) -> String {
    escaped(path.as_os_str().as_bytes())
}
