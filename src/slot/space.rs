//! Where the contract's paths are: at their own place in a private root, or below the slot's scratch directory.

use super::disk;
use crate::sandbox::layout::{self, Layout};
use crate::spec::execution::DiskEvidence;
use crate::spec::limits::Limits;
use crate::spec::policy::Tier;
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::Setup;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::statfs::statfs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The part of the file tree an episode may write to.
pub(super) struct Space {
    pub tier: Tier,
    pub layout: &'static Layout,
    /// Whether episodes may write anywhere below the root.
    open: bool,
    scratch: PathBuf,
    granted: Vec<PathBuf>,
    root: OwnedFd,
}

impl Space {
    /// Opens that of a slot whose root is built.
    pub(super) fn of(setup: &Setup) -> Result<Self, Failure> {
        let scratch = setup.scratch.clone().unwrap_or_else(|| PathBuf::from("/"));
        let granted = setup.grants.writable.clone();
        let layout = layout::of(setup);
        Space::open(setup.tier, layout, scratch, granted, setup.open_root)
            .map_err(Stage::Scratch.failed())
    }

    /// `scratch` is the slot's own directory in the landlock tier, and `/` in the namespaces tier.
    pub(super) fn open(
        tier: Tier,
        layout: &'static Layout,
        scratch: PathBuf,
        granted: Vec<PathBuf>,
        open_root: bool,
    ) -> Result<Self, Errno> {
        let root = open(
            &scratch,
            OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )?;
        Ok(Space {
            tier,
            layout,
            open: open_root,
            scratch,
            granted,
            root,
        })
    }

    /// The directory below which every file of an episode lies.
    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    pub(super) fn root_path(&self) -> &Path {
        &self.scratch
    }

    /// A path of the contract relative to [`root`](Self::root); `None` where the landlock tier has no such place.
    pub(super) fn inside(&self, path: &str) -> Option<PathBuf> {
        if self.tier.has_private_root() {
            return Some(PathBuf::from(path.trim_start_matches('/')));
        }
        self.layout.scratch.iter().find_map(|(contract, name)| {
            let rest = Path::new(path).strip_prefix(contract).ok()?;
            // Joining an empty rest would leave a slash at the end.
            let components = Path::new(name).components().chain(rest.components());
            Some(components.collect())
        })
    }

    /// A path of the contract as programs have to name it.
    pub(super) fn real(&self, path: &str) -> PathBuf {
        match self.inside(path) {
            Some(inside) if !self.tier.has_private_root() => self.scratch.join(inside),
            _ => PathBuf::from(path),
        }
    }

    /// A path as programs name it relative to [`root`](Self::root); `None` where it is not below that.
    pub(super) fn below_root(&self, path: &Path) -> Option<PathBuf> {
        let root = if self.tier.has_private_root() {
            Path::new("/")
        } else {
            &self.scratch
        };
        path.strip_prefix(root).ok().map(Path::to_owned)
    }

    /// Whether this belongs to the system that the sandbox shows, and not to an episode.
    pub(super) fn is_system(&self, path: &Path) -> bool {
        self.tier.has_private_root() && self.layout.is_system(path)
    }

    /// Whether the slot's ruleset already lets episodes write there.
    pub(super) fn is_writable(&self, path: &Path) -> bool {
        let own = self.layout.writable.iter().map(|(p, _)| Path::new(p));
        !self.tier.has_private_root()
            || self.open
            || own
                .chain([Path::new("/dev/shm")])
                .any(|p| path.starts_with(p))
            || self.granted.iter().any(|p| path.starts_with(p))
    }
}

/// What shows that the disk limit was reached, if it was.
pub(super) fn exhausted(tier: Tier, limits: &Limits, root: &Path) -> Option<DiskEvidence> {
    if !tier.has_private_root() {
        let counted = disk::usage(root, limits.disk_bytes, limits.inodes());
        let used = counted.used;
        // One file may be as large as the limit; what EFBIG stopped stands at it.
        let full = used.bytes >= limits.disk_bytes;
        let crowded = used.inodes > limits.inodes();
        return match (full, crowded) {
            (true, _) => Some(DiskEvidence::Bytes(used.bytes)),
            (false, true) => Some(DiskEvidence::Inodes(used.inodes)),
            (false, false) => counted.lost.then_some(DiskEvidence::Uncounted),
        };
    }
    let now = statfs(root).ok()?;
    if now.blocks_free() == 0 {
        return Some(DiskEvidence::Bytes(now.blocks() * now.block_size() as u64));
    }
    (now.files_free() == 0).then_some(DiskEvidence::Inodes(now.files()))
}
