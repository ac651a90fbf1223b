//! Changing what is mounted where, or reading it.
//!
//! Outside, all of it happens in a mount namespace of the probe's own, and really happens.

use crate::raw::{HERE, call, descriptor, done, text, willing};
use crate::{Attempt, Probe};
use nix::errno::Errno;
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use std::ffi::CStr;

pub const PROBES: &[Probe] = &[
    ("mount", mount),
    ("bind-mount", bind_mount),
    ("umount2", umount2),
    ("fsopen", |_| done(libc::SYS_fsopen, &[text(c"tmpfs"), 0])),
    ("fsconfig", |_| own(|| fsconfig(tmpfs()))),
    ("fsmount", |_| {
        own(|| done(libc::SYS_fsmount, &[configured(), 0, 0]))
    }),
    ("fspick", |_| {
        own(|| done(libc::SYS_fspick, &[HERE, text(c"/"), 0]))
    }),
    ("open_tree", |_| {
        done(libc::SYS_open_tree, &[HERE, text(c"/"), 0])
    }),
    ("open_tree-clone", |_| {
        own(|| done(libc::SYS_open_tree, &[HERE, text(c"/"), CLONE]))
    }),
    ("open_tree_attr", |_| {
        own(|| done(OPEN_TREE_ATTR, &[HERE, text(c"/"), CLONE, attributes(), 32]))
    }),
    ("move_mount", |_| own(move_mount)),
    ("mount_setattr", |_| {
        own(|| {
            done(
                libc::SYS_mount_setattr,
                &[HERE, text(c"/"), 0, attributes(), 32],
            )
        })
    }),
    ("listmount", |_| listmount()),
    ("statmount", |_| statmount()),
    ("pivot_root", |_| own(pivot_root)),
    ("chroot", |_| done(libc::SYS_chroot, &[text(DIRECTORY)])),
];

/// open_tree(2), `OPEN_TREE_CLONE`.
const CLONE: u64 = 1;
// Since Linux 6.8 and 6.15; the libc crate does not name them everywhere.
const STATMOUNT: i64 = 457;
const LISTMOUNT: i64 = 458;
const OPEN_TREE_ATTR: i64 = 467;

/// Attempts it in a mount namespace of our own that sends nothing back, or, where that is denied, in place; never in
/// the host's, as root.
fn own(attempt: impl FnOnce() -> Attempt) -> Attempt {
    if call(libc::SYS_unshare, &[libc::CLONE_NEWNS as u64]).is_ok() {
        let private = libc::MS_REC | libc::MS_PRIVATE;
        call(libc::SYS_mount, &[0, text(c"/"), 0, private, 0])?;
    } else if nix::unistd::geteuid().is_root() {
        return Err(Errno::EPERM);
    }
    attempt()
}

/// A directory that is there, to mount on; in a namespace of our own nobody else sees it.
const DIRECTORY: &CStr = c"/tmp";

fn mount_tmpfs() -> Result<i64, Errno> {
    let arguments = [text(c"none"), text(DIRECTORY), text(c"tmpfs"), 0, 0];
    call(libc::SYS_mount, &arguments)
}

fn mount(_: &[String]) -> Attempt {
    own(|| {
        mount_tmpfs()?;
        let seen = statfs(DIRECTORY)?;
        assert_eq!(seen.filesystem_type(), TMPFS_MAGIC, "mounted, yet not seen");
        Ok("a mount of its own".into())
    })
}

fn bind_mount(_: &[String]) -> Attempt {
    own(|| {
        let arguments = [text(c"/usr"), text(DIRECTORY), 0, libc::MS_BIND, 0];
        done(libc::SYS_mount, &arguments)
    })
}

fn umount2(_: &[String]) -> Attempt {
    own(|| {
        let _ = mount_tmpfs();
        let detach = libc::MNT_DETACH as u64;
        done(libc::SYS_umount2, &[text(DIRECTORY), detach])
    })
}

fn tmpfs() -> u64 {
    descriptor(libc::SYS_fsopen, &[text(c"tmpfs"), 0])
}

/// `FSCONFIG_CMD_CREATE`: makes the superblock.
fn fsconfig(context: u64) -> Attempt {
    done(libc::SYS_fsconfig, &[context, 6, 0, 0, 0])
}

fn configured() -> u64 {
    let context = tmpfs();
    let _ = fsconfig(context);
    context
}

fn move_mount() -> Attempt {
    let mount = descriptor(libc::SYS_fsmount, &[configured(), 0, 0]);
    // MOVE_MOUNT_F_EMPTY_PATH
    done(
        libc::SYS_move_mount,
        &[mount, text(c""), HERE, text(DIRECTORY), 4],
    )
}

/// A `struct mount_attr` that sets nosuid.
fn attributes() -> u64 {
    static NOSUID: [u64; 4] = [2, 0, 0, 0];
    NOSUID.as_ptr() as u64
}

/// `LSMT_ROOT`: the root mount of this namespace.
const ROOT: u64 = u64::MAX;

/// A `struct mnt_id_req`, version 1, for a mount id.
fn request(id: u64) -> [u64; 4] {
    const SIZE: u64 = 32;
    [SIZE, id, 0, 0]
}

fn listmount() -> Attempt {
    let mut ids = [0u64; 64];
    let request = request(ROOT);
    let arguments = [request.as_ptr() as u64, ids.as_mut_ptr() as u64, 64, 0];
    done(LISTMOUNT, &arguments)
}

fn statmount() -> Attempt {
    let mut buffer = [0u64; 512];
    // STATMOUNT_SB_BASIC; an unknown id is ENOENT, from a kernel that has looked.
    let mut request = request(1 << 62);
    request[2] = 1;
    let arguments = [request.as_ptr() as u64, buffer.as_mut_ptr() as u64, 4096, 0];
    willing(STATMOUNT, &arguments, &[Errno::ENOENT])
}

fn pivot_root() -> Attempt {
    let _ = mount_tmpfs();
    let _ = std::env::set_current_dir("/tmp");
    done(libc::SYS_pivot_root, &[text(c"."), text(c".")])
}
