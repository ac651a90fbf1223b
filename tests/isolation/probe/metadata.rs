//! Mode, owner, times, attributes and flags of a file: changed without opening it for writing.

use crate::raw::{address, call, path};
use crate::{Attempt, Probe};
use nix::errno::Errno;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsRawFd;

pub const PROBES: &[Probe] = &[
    ("chmod", |a| {
        call(libc::SYS_fchmodat, &[HERE, path(&text(&a[0])), 0]).map(said)
    }),
    ("fchmod", |a| {
        call(libc::SYS_fchmod, &[opened(&a[0])?.as_raw_fd() as u64, 0]).map(said)
    }),
    ("fchmodat2", |a| {
        let nofollow = libc::AT_SYMLINK_NOFOLLOW as u64;
        call(
            libc::SYS_fchmodat2,
            &[HERE, path(&text(&a[0])), 0, nofollow],
        )
        .map(said)
    }),
    ("set-user-id", |a| {
        call(libc::SYS_fchmodat, &[HERE, path(&text(&a[0])), 0o4777]).map(said)
    }),
    ("chown", |a| {
        let uid = own_uid();
        call(libc::SYS_fchownat, &[HERE, path(&text(&a[0])), uid, uid, 0]).map(said)
    }),
    ("chown-descriptor", |a| {
        let (fd, empty) = (opened(&a[0])?, text(""));
        let (uid, flag) = (own_uid(), libc::AT_EMPTY_PATH as u64);
        call(
            libc::SYS_fchownat,
            &[fd.as_raw_fd() as u64, path(&empty), uid, uid, flag],
        )
        .map(said)
    }),
    ("utime", |a| {
        let mut times = [[1i64, 0], [1, 0]];
        let times = address(&mut times);
        call(libc::SYS_utimensat, &[HERE, path(&text(&a[0])), times, 0]).map(said)
    }),
    ("touch", |a| {
        call(libc::SYS_utimensat, &[HERE, path(&text(&a[0])), 0, 0]).map(said)
    }),
    ("utime-descriptor", |a| {
        let mut times = [[1i64, 0], [1, 0]];
        let times = address(&mut times);
        call(
            libc::SYS_utimensat,
            &[opened(&a[0])?.as_raw_fd() as u64, 0, times, 0],
        )
        .map(said)
    }),
    ("setxattr", |a| {
        let (file, name, value) = (text(&a[0]), text("user.left"), text("x"));
        call(
            libc::SYS_setxattr,
            &[path(&file), path(&name), path(&value), 1, 0],
        )
        .map(said)
    }),
    ("fsetxattr", |a| {
        let (name, value) = (text("user.left"), text("x"));
        let fd = opened(&a[0])?;
        call(
            libc::SYS_fsetxattr,
            &[fd.as_raw_fd() as u64, path(&name), path(&value), 1, 0],
        )
        .map(said)
    }),
    ("attribute-calls", |a| Ok(attribute_calls(&a[0]))),
    ("set-flags", |a| {
        let file = opened(&a[0])?;
        let mut flags = flags(&file) | FS_NODUMP;
        change(&file, SET_FLAGS, address(&mut flags))
    }),
    ("set-flags-extended", |a| {
        // struct fsxattr: 28 bytes, the first four are the flags.
        let mut attributes = [FS_XFLAG_NODUMP, 0, 0, 0, 0, 0, 0];
        change(&opened(&a[0])?, SET_FSXATTR, address(&mut attributes))
    }),
    ("set-immutable", |a| {
        let file = opened(&a[0])?;
        let mut flags = flags(&file) | FS_IMMUTABLE;
        change(&file, SET_FLAGS, address(&mut flags))
    }),
    ("clear-flags", |a| {
        let file = opened(&a[0])?;
        let mut flags = flags(&file) & !(FS_NODUMP | FS_IMMUTABLE);
        change(&file, SET_FLAGS, address(&mut flags))
    }),
];

/// What each of the calls on attributes answers for a file, as `kind=answer`.
fn attribute_calls(file: &str) -> String {
    let opened = opened(file).expect("a file that can be read");
    let (file, list) = (text(file), text("system.posix_acl_access"));
    let (name, value) = (text("user.left"), text("x"));
    let fd = opened.as_raw_fd() as u64;
    let set = |number, on, name| call(number, &[on, path(name), path(&value), 1, 0]);
    let get = |number, on| call(number, &[on, path(&list), 0, 0]);
    let answers = [
        ("set", set(libc::SYS_setxattr, path(&file), &name)),
        ("set", set(libc::SYS_lsetxattr, path(&file), &name)),
        ("set", set(libc::SYS_fsetxattr, fd, &name)),
        ("set", set(libc::SYS_setxattr, path(&file), &list)),
        ("set", set(libc::SYS_fsetxattr, fd, &list)),
        (
            "remove",
            call(libc::SYS_removexattr, &[path(&file), path(&name)]),
        ),
        (
            "remove",
            call(libc::SYS_lremovexattr, &[path(&file), path(&name)]),
        ),
        ("remove", call(libc::SYS_fremovexattr, &[fd, path(&name)])),
        ("get", get(libc::SYS_getxattr, path(&file))),
        ("get", get(libc::SYS_lgetxattr, path(&file))),
        ("get", get(libc::SYS_fgetxattr, fd)),
        ("list", call(libc::SYS_listxattr, &[path(&file), 0, 0])),
        ("list", call(libc::SYS_llistxattr, &[path(&file), 0, 0])),
        ("list", call(libc::SYS_flistxattr, &[fd, 0, 0])),
    ];
    let said = answers.map(|(kind, answer)| match answer {
        Ok(_) => format!("{kind}=done"),
        Err(errno) => format!("{kind}={errno:?}"),
    });
    said.join(" ")
}

const HERE: u64 = libc::AT_FDCWD as u64;
/// FS_IOC_GETFLAGS, FS_IOC_SETFLAGS and their flags (ioctl_iflags(2)).
const GET_FLAGS: u64 = 0x8008_6601;
const SET_FLAGS: u64 = 0x4008_6602;
const FS_NODUMP: u64 = 0x40;
const FS_IMMUTABLE: u64 = 0x10;
/// FS_IOC_FSSETXATTR.
const SET_FSXATTR: u64 = 0x401c_5820;
const FS_XFLAG_NODUMP: u32 = 0x80;

fn said(_: i64) -> String {
    "it".into()
}

fn text(argument: &str) -> CString {
    CString::new(argument).expect("no NUL")
}

fn opened(file: &str) -> Result<File, Errno> {
    File::open(file).map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)))
}

/// The flags that it has, to be changed by one: ext4 refuses to give up FS_EXTENT_FL while the file's data is still on
/// its way to the disk. None where reading them is denied.
fn flags(file: &File) -> u64 {
    let mut flags = 0;
    let _ = change(file, GET_FLAGS, address(&mut flags));
    flags
}

fn own_uid() -> u64 {
    u64::from(nix::unistd::getuid().as_raw())
}

fn change(file: &File, request: u64, argument: u64) -> Attempt {
    call(
        libc::SYS_ioctl,
        &[file.as_raw_fd() as u64, request, argument],
    )
    .map(said)
}
