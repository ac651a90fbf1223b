//! Builds the private root of a slot in the namespaces tier: a tmpfs with the host's system directories bound
//! read-only into it, the slot's own /proc and /dev, and the paths that were granted.

mod devices;
mod etc;
mod grants;

pub(crate) use grants::OpenGrants;

use super::layout::{self, Layout};
use super::quotas;
use crate::spec::limits::{Limits, inodes};
use crate::sys::mount::{MountAttributes, restrict};
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::Setup;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root, sethostname};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
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
    mount(NONE, "/", NONE, flags, Some(options.as_str()))
        .map_err(|e| Failure::new(Stage::ResizeDisk, e as i32))
}

/// Builds the root and moves this process, and every process of its mount namespace, into it. To be called as
/// PID 1 of the slot, with the slot's uid and all capabilities in its user namespace.
///
/// An *open* root is one whose programs may write wherever no mount forbids it.
pub(crate) fn build(grants: OpenGrants, setup: &Setup) -> Result<(), Failure> {
    let (network, open) = (setup.grants.network, setup.open_root);
    let layout = layout::of(setup);
    private_root(layout).map_err(|e| Failure::new(Stage::PrivateRoot, e))?;
    for (i, directory) in layout.system_directories.iter().enumerate() {
        let placed = if open && *directory == ETC {
            etc::open(layout, network)
        } else {
            system_directory(directory)
        };
        placed.map_err(|e| Failure {
            stage: Stage::SystemDirectory,
            errno: e,
            index: i as u16 + 1,
        })?;
    }
    etc::cover_own(layout, network).map_err(|e| Failure {
        stage: Stage::SystemDirectory,
        errno: e,
        index: 0,
    })?;
    let sockets = setup.host_sockets.iter();
    for socket in sockets.filter(|socket| layout.is_system(socket)) {
        // One that is gone by now needs no cover.
        cover(socket).map_err(|e| Failure::new(Stage::HostSocket, e))?;
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, NONE)
        .map_err(|e| Failure::new(Stage::Proc, e as i32))?;
    closed_proc(layout).map_err(|e| Failure::new(Stage::Proc, e))?;
    devices::make(layout, quotas::terminals(setup.slots))
        .map_err(|e| Failure::new(Stage::Devices, e))?;
    grants.mount()?;
    leave_host().map_err(|e| Failure::new(Stage::PrivateRoot, e))
}

fn private_root(layout: &Layout) -> Result<(), i32> {
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE).map_err(raw)?;
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
    .map_err(raw)?;
    chdir(base).map_err(raw)?;
    directory(Path::new("./.host"), 0o700)?;
    pivot_root(".", "./.host").map_err(raw)?;
    chdir("/").map_err(raw)?;
    for (path, mode) in layout.plain.iter().chain(layout.writable) {
        directory(Path::new(path), *mode)?;
    }
    sethostname("sandbox").map_err(raw)
}

fn system_directory(path: &str) -> Result<(), i32> {
    let host = Path::new(HOST).join(&path[1..]);
    match fs::symlink_metadata(&host) {
        Ok(meta) if meta.is_symlink() => {
            symlink(fs::read_link(&host).map_err(io_errno)?, path).map_err(io_errno)
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
    mount(NONE, "/proc", NONE, read_only, NONE).map_err(|e| Failure::new(Stage::Proc, e as i32))
}

/// Closes what /proc tells of the host and its user.
fn closed_proc(layout: &Layout) -> Result<(), i32> {
    let mut names = layout.proc_closed.iter();
    names.try_for_each(|name| cover(&Path::new("/proc").join(name)))
}

/// Lays an empty file that nobody may open over a file or a socket, if it is there.
fn cover(path: &Path) -> Result<(), i32> {
    if fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    let attributes = MountAttributes {
        read_only: true,
        no_devices: true,
    };
    match bind(Path::new(NOTHING), path, attributes) {
        Err(libc::ENOENT) => Ok(()),
        done => done,
    }
}

fn leave_host() -> Result<(), i32> {
    umount2(HOST, MntFlags::MNT_DETACH).map_err(raw)?;
    fs::remove_dir(HOST).map_err(io_errno)
}

fn bind(source: &Path, target: &Path, attributes: MountAttributes) -> Result<(), i32> {
    mount(
        Some(source),
        target,
        NONE,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        NONE,
    )
    .map_err(raw)?;
    restrict(target, attributes).map_err(raw)
}

/// Makes a directory and its parents, whatever the umask is; an existing one is left as it is.
fn directory(path: &Path, mode: u32) -> Result<(), i32> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path)
        .map_err(io_errno)?;
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(io_errno)
}

fn raw(errno: Errno) -> i32 {
    errno as i32
}

fn io_errno(error: io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}
