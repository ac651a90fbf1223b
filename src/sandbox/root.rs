//! Builds the private root of a slot in the namespaces tier: a tmpfs with the host's system directories bound
//! read-only into it, the slot's own /proc and /dev, and the paths that were granted.

mod devices;
mod etc;
mod grants;

pub(crate) use grants::OpenGrants;

use super::call::{CallError, on};
use super::layout::{self, Layout};
use super::quotas;
use crate::spec::limits::{Limits, inodes};
use crate::sys::mount::{MountAttributes, restrict};
use crate::wire::failure::{Cause, Failure, Stage};
use crate::wire::message::Setup;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root, sethostname};
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::Path;

/// Where the host's root is seen while the private one is being built.
const HOST: &str = "/.host";
const ETC: &str = "/etc";
/// Where the sandbox's own files of /etc are kept.
const OWN_ETC: &str = "/.etc";
/// An empty file without any permission.
const NOTHING: &str = "/.etc/.nothing";
const NONE: Option<&str> = None;

/// Mount options of the slot's tmpfs for a disk limit.
pub(crate) fn tmpfs_options(disk_bytes: u64) -> String {
    format!(
        "size={disk_bytes},nr_inodes={},mode=0755",
        inodes(disk_bytes)
    )
}

/// Sets the disk limit of the running slot.
pub(crate) fn resize(disk_bytes: u64) -> Result<(), Failure> {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let options = format!("size={disk_bytes},nr_inodes={}", inodes(disk_bytes));
    mount(NONE, "/", NONE, flags, Some(options.as_str())).map_err(Stage::ResizeDisk.failed())
}

/// Builds the root and moves this process, and every process of its mount namespace, into it. To be called as
/// PID 1 of the slot, with the slot's uid and all capabilities in its user namespace.
///
/// An *open* root is one whose programs may write wherever no mount forbids it.
pub(crate) fn build(grants: OpenGrants, setup: &Setup) -> Result<(), Failure> {
    let (network, open) = (setup.grants.network, setup.open_root);
    let layout = layout::of(setup);
    private_root(layout).map_err(Stage::PrivateRoot.failed())?;
    for directory in layout.system_directories {
        let placed = if open && *directory == ETC {
            etc::open(layout, network)
        } else {
            system_directory(directory)
        };
        placed.map_err(Stage::SystemDirectory.failed())?;
    }
    etc::cover_own(layout, network).map_err(Stage::SystemDirectory.failed())?;
    let sockets = setup.host_sockets.iter();
    for socket in sockets.filter(|socket| layout.is_system(socket)) {
        // One that is gone by now needs no cover.
        cover(socket).map_err(Stage::HostSocket.failed())?;
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, NONE).map_err(Stage::Proc.failed())?;
    closed_proc(layout).map_err(Stage::Proc.failed())?;
    devices::make(layout, quotas::terminals(setup.slots)).map_err(Stage::Devices.failed())?;
    grants.mount()?;
    leave_host().map_err(Stage::PrivateRoot.failed())
}

fn private_root(layout: &Layout) -> Result<(), CallError> {
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)
        .map_err(on("mount --make-rprivate", "/"))?;
    // Any directory will do: pivot_root uncovers it again.
    let base = ["/tmp", "/run", "/var", "/proc"]
        .into_iter()
        .find(|p| Path::new(p).is_dir())
        .unwrap_or("/tmp");
    let options = tmpfs_options(Limits::default().disk_bytes);
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(
        Some("slot"),
        base,
        Some("tmpfs"),
        flags,
        Some(options.as_str()),
    )
    .map_err(on("mount -t tmpfs", base))?;
    chdir(base).map_err(on("chdir", base))?;
    directory(Path::new("./.host"), 0o700)?;
    pivot_root(".", "./.host").map_err(on("pivot_root", base))?;
    chdir("/").map_err(on("chdir", "/"))?;
    for (path, mode) in layout.plain.iter().chain(layout.writable) {
        directory(Path::new(path), *mode)?;
    }
    sethostname("sandbox").map_err(on("sethostname", "sandbox"))
}

fn system_directory(path: &str) -> Result<(), CallError> {
    let host = Path::new(HOST).join(&path[1..]);
    match fs::symlink_metadata(&host) {
        Ok(meta) if meta.is_symlink() => {
            let target = fs::read_link(&host).map_err(on("readlink", &host))?;
            symlink(target, path).map_err(on("symlink", path))
        }
        Ok(meta) if meta.is_dir() => {
            directory(Path::new(path), 0o755)?;
            bind(
                &host,
                Path::new(path),
                MountAttributes {
                    read_only: true,
                    no_devices: true,
                },
            )
        }
        _ => Ok(()),
    }
}

/// Makes /proc read-only, where Landlock does not keep it from being written to.
pub(crate) fn seal_proc() -> Result<(), Failure> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let read_only = flags | MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    mount(NONE, "/proc", NONE, read_only, NONE).map_err(Stage::Proc.failed())
}

/// Closes what /proc tells of the host and its user.
fn closed_proc(layout: &Layout) -> Result<(), CallError> {
    let mut names = layout.proc_closed.iter();
    names.try_for_each(|name| cover(&Path::new("/proc").join(name)))
}

/// Lays an empty file that nobody may open over a file or a socket, if it is there.
fn cover(path: &Path) -> Result<(), CallError> {
    if fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    let attributes = MountAttributes {
        read_only: true,
        no_devices: true,
    };
    match bind(Path::new(NOTHING), path, attributes) {
        Err(error) if error.errno() == libc::ENOENT => Ok(()),
        done => done,
    }
}

fn leave_host() -> Result<(), CallError> {
    umount2(HOST, MntFlags::MNT_DETACH).map_err(on("umount", HOST))?;
    fs::remove_dir(HOST).map_err(on("rmdir", HOST))
}

fn bind(source: &Path, target: &Path, attributes: MountAttributes) -> Result<(), CallError> {
    mount(
        Some(source),
        target,
        NONE,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        NONE,
    )
    .map_err(on("mount --rbind", target))?;
    restrict(target, attributes).map_err(on("mount_setattr", target))
}

/// Makes a directory and its parents, whatever the umask is; an existing one is left as it is.
fn directory(path: &Path, mode: u32) -> Result<(), CallError> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path)
        .map_err(on("mkdir", path))?;
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(on("chmod", path))
}
