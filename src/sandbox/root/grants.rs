//! Paths of the host that a slot is granted, at the same paths inside.

use super::directory;
use crate::sandbox::call::{CallError, on};
use crate::sandbox::layout::Layout;
use crate::sandbox::network::resolver_elsewhere;
use crate::spec::policy::Grants;
use crate::sys::mount::{self, MountAttributes};
use crate::sys::plain::open_plain;
use crate::wire::failure::{Failure, Stage};
use nix::fcntl::OFlag;
use nix::sys::stat::{SFlag, fstat};
use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// The granted paths, opened while the process may still reach them.
#[derive(Default)]
pub(crate) struct OpenGrants {
    /// One that lies in another comes after it: mounted in this order, both are as they were asked for.
    grants: Vec<OpenGrant>,
}

struct OpenGrant {
    path: PathBuf,
    fd: OwnedFd,
    writable: bool,
}

impl OpenGrants {
    /// To be called inside the new mount namespace, but with the runner's uid: a path below a directory that only
    /// the runner may enter can be granted too.
    pub(crate) fn open(grants: &Grants, layout: &Layout) -> Result<Self, Failure> {
        let resolver = resolver_elsewhere(layout, grants.network);
        let readable = grants.readable.iter().map(|p| (p, false));
        let writable = grants.writable.iter().map(|p| (p, true));
        let all = readable
            .chain(writable)
            .chain(resolver.iter().map(|p| (p, false)));
        let open = |(path, writable): (&PathBuf, bool)| {
            let fd = open_plain(path, OFlag::O_PATH)
                .map_err(on("open", path))
                .map_err(Stage::GrantedPath.failed())?;
            let path = path.clone();
            Ok(OpenGrant { path, fd, writable })
        };
        let mut grants = all.map(open).collect::<Result<Vec<_>, Failure>>()?;
        grants.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(OpenGrants { grants })
    }

    /// Mounts them at the same paths, and closes them.
    pub(crate) fn mount(self) -> Result<(), Failure> {
        for (at, grant) in self.grants.iter().enumerate() {
            let outer = &self.grants[..at];
            let is_inside = outer
                .iter()
                .any(|outer| grant.path.starts_with(&outer.path));
            granted(grant, is_inside).map_err(Stage::GrantedPath.failed())?;
        }
        Ok(())
    }
}

/// Mounts a grant. Inside of another one programs of other slots may write meanwhile: there nothing is made, and no link is
/// followed.
fn granted(grant: &OpenGrant, is_inside: bool) -> Result<(), CallError> {
    if !is_inside {
        mount_point(grant)?;
    }
    let path = &grant.path;
    let target = open_plain(path, OFlag::O_PATH).map_err(on("open", path))?;
    let attributes = MountAttributes {
        read_only: !grant.writable,
        no_devices: true,
    };
    let copy = mount::copy_of(&grant.fd).map_err(on("open_tree", path))?;
    mount::restrict_copy(&copy, attributes).map_err(on("mount_setattr", path))?;
    mount::attach(&copy, &target).map_err(on("move_mount", path))
}

fn mount_point(grant: &OpenGrant) -> Result<(), CallError> {
    let found = fstat(&grant.fd).map_err(on("fstat", &grant.path))?;
    let kind = found.st_mode & SFlag::S_IFMT.bits();
    if kind == SFlag::S_IFDIR.bits() {
        return directory(&grant.path, 0o755);
    }
    if let Some(parent) = grant.path.parent() {
        directory(parent, 0o755)?;
    }
    if grant.path.exists() {
        Ok(())
    } else {
        fs::write(&grant.path, "").map_err(on("open", &grant.path))
    }
}
