//! Builds the private root of a slot in the namespaces tier: a tmpfs with the host's system directories bound
//! read-only into it, the slot's own /proc and /dev, and the paths that were granted.

use super::network::{RESOLVER, resolver_elsewhere};
use super::{layout, quotas};
use crate::spec::limits::{Limits, inodes};
use crate::spec::policy::{Grants, Network};
use crate::sys::mount::{self, MountAttributes, restrict};
use crate::sys::plain::open_plain;
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::Setup;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{chdir, pivot_root, sethostname};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Where the host's root is seen while the private one is being built.
const HOST: &str = "/.host";
const ETC: &str = "/etc";
/// Where the sandbox's own files of /etc are kept.
const OWN_ETC: &str = "/.etc";
/// An empty file without any permission.
const NOTHING: &str = "/.etc/.nothing";
const NONE: Option<&str> = None;

/// The granted paths, opened while the process may still reach them.
pub struct OpenGrants {
    /// One that lies in another comes after it: mounted in this order, both are as they were asked for.
    grants: Vec<OpenGrant>,
}

struct OpenGrant {
    path: PathBuf,
    fd: OwnedFd,
    writable: bool,
    /// Its number in messages.
    index: u16,
}

impl OpenGrants {
    /// To be called inside the new mount namespace, but with the runner's uid: a path below a directory that only
    /// the runner may enter can be granted too.
    pub fn open(grants: &Grants) -> Result<Self, Failure> {
        let resolver = resolver_elsewhere(grants.network);
        let readable = grants.readable.iter().map(|p| (p, false));
        let writable = grants.writable.iter().map(|p| (p, true));
        // Last, so that the numbers in messages are those of the granted paths.
        let all = readable
            .chain(writable)
            .chain(resolver.iter().map(|p| (p, false)));
        let open = |((path, writable), index): ((&PathBuf, bool), u16)| {
            let fd = open_plain(path, OFlag::O_PATH).map_err(|e| Failure {
                stage: Stage::GrantedPath,
                errno: e as i32,
                index,
            })?;
            let path = path.clone();
            Ok(OpenGrant {
                path,
                fd,
                writable,
                index,
            })
        };
        let mut grants = all.zip(1..).map(open).collect::<Result<Vec<_>, _>>()?;
        grants.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(OpenGrants { grants })
    }
}

/// Mount options of the slot's tmpfs for a disk limit.
pub fn tmpfs_options(disk_bytes: u64) -> String {
    format!(
        "size={disk_bytes},nr_inodes={},mode=0755",
        inodes(disk_bytes)
    )
}

/// Sets the disk limit of the running slot.
pub fn resize(disk_bytes: u64) -> Result<(), Failure> {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let options = format!("size={disk_bytes},nr_inodes={}", inodes(disk_bytes));
    mount(NONE, "/", NONE, flags, Some(options.as_str()))
        .map_err(|e| Failure::new(Stage::ResizeDisk, e as i32))
}

/// Builds the root and moves this process, and every process of its mount namespace, into it. To be called as
/// PID 1 of the slot, with the slot's uid and all capabilities in its user namespace.
///
/// An *open* root is one whose programs may write wherever no mount forbids it.
pub fn build(grants: OpenGrants, setup: &Setup) -> Result<(), Failure> {
    let (network, open) = (setup.grants.network, setup.open_root);
    private_root().map_err(|e| Failure::new(Stage::PrivateRoot, e))?;
    for (i, directory) in layout::SYSTEM_DIRECTORIES.iter().enumerate() {
        let placed = match open && *directory == ETC {
            true => open_etc(network),
            false => system_directory(directory),
        };
        placed.map_err(|e| Failure {
            stage: Stage::SystemDirectory,
            errno: e,
            index: i as u16 + 1,
        })?;
    }
    own_etc(network).map_err(|e| Failure {
        stage: Stage::SystemDirectory,
        errno: e,
        index: 0,
    })?;
    let is_seen = |path: &&PathBuf| {
        let mut directories = layout::SYSTEM_DIRECTORIES.iter();
        directories.any(|directory| path.starts_with(directory))
    };
    for socket in setup.host_sockets.iter().filter(is_seen) {
        // One that is gone by now needs no cover.
        cover(socket).map_err(|e| Failure::new(Stage::HostSocket, e))?;
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, NONE)
        .map_err(|e| Failure::new(Stage::Proc, e as i32))?;
    closed_proc().map_err(|e| Failure::new(Stage::Proc, e))?;
    devices(quotas::terminals(setup.slots)).map_err(|e| Failure::new(Stage::Devices, e))?;
    for (at, grant) in grants.grants.iter().enumerate() {
        let outer = &grants.grants[..at];
        let is_inside = outer
            .iter()
            .any(|outer| grant.path.starts_with(&outer.path));
        granted(grant, is_inside).map_err(|e| Failure {
            stage: Stage::GrantedPath,
            errno: e,
            index: grant.index,
        })?;
    }
    drop(grants);
    leave_host().map_err(|e| Failure::new(Stage::PrivateRoot, e))
}

fn private_root() -> Result<(), i32> {
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
    for (path, mode) in layout::PLAIN.iter().chain(layout::WRITABLE) {
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
pub fn seal_proc() -> Result<(), Failure> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let read_only = flags | MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    mount(NONE, "/proc", NONE, read_only, NONE).map_err(|e| Failure::new(Stage::Proc, e as i32))
}

/// A directory of the sandbox's own that shows of the host's only what may be read there. Elsewhere Landlock makes
/// the choice; it can't where all of the root is open.
fn open_etc(network: Network) -> Result<(), i32> {
    directory(Path::new(ETC), 0o755)?;
    let resolver = (network == Network::Host).then_some(RESOLVER);
    let readable = layout::ETC_READABLE
        .iter()
        .map(|name| Path::new(ETC).join(name));
    for path in readable.chain(resolver.map(PathBuf::from)) {
        let host = Path::new(HOST).join(path.strip_prefix("/").unwrap_or(&path));
        let Ok(meta) = fs::symlink_metadata(&host) else {
            continue;
        };
        if let Some(parent) = path.parent() {
            directory(parent, 0o755)?;
        }
        if meta.is_symlink() {
            symlink(fs::read_link(&host).map_err(io_errno)?, &path).map_err(io_errno)?;
            continue;
        }
        match meta.is_dir() {
            true => directory(&path, 0o755)?,
            false => fs::write(&path, "").map_err(io_errno)?,
        }
        bind(
            &host,
            &path,
            MountAttributes {
                read_only: true,
                no_devices: true,
            },
        )?;
    }
    Ok(())
}

/// Lays the sandbox's own passwd, group, hosts and hostname over the host's. They are read-only under their
/// own name too: Landlock does not keep their owner from changing their mode.
fn own_etc(network: Network) -> Result<(), i32> {
    let attributes = MountAttributes {
        read_only: true,
        no_devices: true,
    };
    directory(Path::new(OWN_ETC), 0o755)?;
    for (name, text) in layout::own_etc() {
        // Names that the host gives to its network.
        if name == "hosts" && network == Network::Host {
            continue;
        }
        let (own, seen) = (Path::new(OWN_ETC).join(name), Path::new("/etc").join(name));
        if seen.exists() {
            fs::write(&own, text).map_err(io_errno)?;
            bind(&own, &seen, attributes)?;
        }
    }
    fs::write(NOTHING, "").map_err(io_errno)?;
    fs::set_permissions(NOTHING, Permissions::from_mode(0o000)).map_err(io_errno)?;
    bind(Path::new(OWN_ETC), Path::new(OWN_ETC), attributes)
}

/// Closes what /proc tells of the host and its user.
fn closed_proc() -> Result<(), i32> {
    let mut names = layout::PROC_CLOSED.iter();
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

fn devices(terminals: u64) -> Result<(), i32> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount(
        Some("dev"),
        "/dev",
        Some("tmpfs"),
        flags,
        Some("size=64k,nr_inodes=64,mode=0755"),
    )
    .map_err(raw)?;
    for name in layout::DEVICES {
        let (host, own) = (
            Path::new(HOST).join("dev").join(name),
            Path::new("/dev").join(name),
        );
        fs::write(&own, "").map_err(io_errno)?;
        bind(
            &host,
            &own,
            // Keeps times and modes of the host's nodes; a device is written to all the same.
            MountAttributes {
                read_only: true,
                no_devices: false,
            },
        )?;
    }
    for (name, target) in layout::DEVICE_LINKS {
        symlink(target, Path::new("/dev").join(name)).map_err(io_errno)?;
    }
    directory(Path::new("/dev/pts"), 0o755)?;
    let options = format!("newinstance,ptmxmode=0666,mode=0620,max={terminals}");
    mount(
        Some("devpts"),
        "/dev/pts",
        Some("devpts"),
        MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
        Some(options.as_str()),
    )
    .map_err(raw)?;
    directory(Path::new("/dev/shm"), 0o1777)?;
    bind(
        Path::new(layout::SHARED_MEMORY),
        Path::new("/dev/shm"),
        MountAttributes {
            read_only: false,
            no_devices: true,
        },
    )?;
    let read_only = flags | MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    // Terminals can still be opened and made: this keeps the modes of the nodes as they are.
    mount(NONE, "/dev/pts", NONE, read_only, NONE).map_err(raw)?;
    mount(NONE, "/dev", NONE, read_only, NONE).map_err(raw)
}

/// Mounts a grant. Inside of another one programs of other slots may write meanwhile: there nothing is made, and no link is
/// followed.
fn granted(grant: &OpenGrant, is_inside: bool) -> Result<(), i32> {
    if !is_inside {
        mount_point(grant)?;
    }
    let target = open_plain(&grant.path, OFlag::O_PATH).map_err(raw)?;
    let attributes = MountAttributes {
        read_only: !grant.writable,
        no_devices: true,
    };
    let copy = mount::copy_of(&grant.fd).map_err(raw)?;
    mount::restrict_copy(&copy, attributes).map_err(raw)?;
    mount::attach(&copy, &target).map_err(raw)
}

fn mount_point(grant: &OpenGrant) -> Result<(), i32> {
    let kind = fstat(&grant.fd).map_err(raw)?.st_mode & SFlag::S_IFMT.bits();
    if kind == SFlag::S_IFDIR.bits() {
        return directory(&grant.path, 0o755);
    }
    if let Some(parent) = grant.path.parent() {
        directory(parent, 0o755)?;
    }
    match grant.path.exists() {
        true => Ok(()),
        false => fs::write(&grant.path, "").map_err(io_errno),
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
