//! Where a path leads that goes through links, as programs of the sandbox would get there.
//!
//! Link by link and not by the kernel: directories on the way may be closed, and in the landlock tier an absolute link
//! begins at the root of the machine.

use super::bound::Bound;
use crate::slot::open::{kind, open_below, open_below_closed, open_in_closed};
use crate::slot::space::Space;
use nix::errno::Errno;
use nix::fcntl::{OFlag, readlinkat};
use nix::sys::stat::SFlag;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

/// How many links may lead to one another.
const MAX_LINKS: usize = 40;

/// Where a path leads.
pub(super) struct Led {
    /// Below the space's root, without a link on the way. EXDEV where it leads out of the files that an episode may write,
    /// ETIME where there is no time to follow it further.
    pub place: Result<PathBuf, Errno>,
    /// What the link leads to that the path itself is, if it is one.
    pub link: Option<OsString>,
}

/// Follows every link of a path below the space's root, within this bound: each step up takes as long as the place is deep,
/// and links have room for tens of thousands.
pub(super) fn resolve(space: &Space, path: &Path, bound: Bound) -> Led {
    let mut link = None;
    let place = Walk::begin(space, path, bound).and_then(|walk| walk.end(&mut link));
    Led { place, link }
}

/// A path that is partly walked.
struct Walk<'a> {
    space: &'a Space,
    bound: Bound,
    /// Where it is by now; there is no link in it.
    place: PathBuf,
    at: OwnedFd,
    /// The names that are yet to be walked, the next one last.
    rest: Vec<OsString>,
    links: usize,
}

impl<'a> Walk<'a> {
    fn begin(space: &'a Space, path: &Path, bound: Bound) -> Result<Walk<'a>, Errno> {
        let mut walk = Walk {
            space,
            bound,
            place: PathBuf::new(),
            at: root(space)?,
            rest: Vec::new(),
            links: 0,
        };
        walk.add(path);
        Ok(walk)
    }

    fn add(&mut self, path: &Path) {
        let names = path.components().rev();
        let names = names.filter(|c| matches!(c, Component::Normal(_) | Component::ParentDir));
        let names = names.map(|name| name.as_os_str().to_owned());
        self.rest.extend(names);
    }

    /// Walks to the end, and tells of the link that the path itself is.
    fn end(mut self, link: &mut Option<OsString>) -> Result<PathBuf, Errno> {
        while let Some(name) = self.rest.pop() {
            if name == ".." {
                self.up()?;
                continue;
            }
            let found = open_in_closed(&self.at, Path::new(&name), OFlag::O_PATH)?;
            if kind(&found)? == SFlag::S_IFLNK {
                let target = readlinkat(&found, "")?;
                if self.rest.is_empty() {
                    link.get_or_insert_with(|| target.clone());
                }
                self.follow(Path::new(&target))?;
            } else {
                self.place.push(name);
                self.at = found;
            }
        }
        let inside = Path::new("/").join(&self.place);
        if self.links > 0 && self.space.is_system(&inside) {
            Err(Errno::EXDEV)
        } else {
            Ok(self.place)
        }
    }

    fn up(&mut self) -> Result<(), Errno> {
        if !self.place.pop() {
            // Above the root of a private root is that root.
            return if self.space.tier.has_private_root() {
                Ok(())
            } else {
                Err(Errno::EXDEV)
            };
        }
        if self.bound.is_reached() {
            return Err(Errno::ETIME);
        }
        self.at = open_below_closed(self.space.root(), &self.place, OFlag::O_PATH)?;
        Ok(())
    }

    fn follow(&mut self, target: &Path) -> Result<(), Errno> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::ELOOP);
        }
        if !target.is_absolute() {
            self.add(target);
            return Ok(());
        }
        let below = self.space.below_root(target).ok_or(Errno::EXDEV)?;
        self.place = PathBuf::new();
        self.at = root(self.space)?;
        self.add(&below);
        Ok(())
    }
}

fn root(space: &Space) -> Result<OwnedFd, Errno> {
    open_below(space.root(), Path::new(""), OFlag::O_PATH)
}
