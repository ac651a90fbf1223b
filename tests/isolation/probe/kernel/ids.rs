//! Becoming somebody else, or getting capabilities.

use crate::raw::{address, call, done, in_child};
use crate::{Attempt, Probe};
use nix::errno::Errno;
use std::os::unix::process::CommandExt;
use std::process::Command;

pub const PROBES: &[Probe] = &[
    ("setuid", |_| in_child(|| done(libc::SYS_setuid, &[0]))),
    ("setgid", |_| in_child(|| done(libc::SYS_setgid, &[0]))),
    ("setresuid", |_| {
        in_child(|| done(libc::SYS_setresuid, &[0, 0, 0]))
    }),
    ("setresgid", |_| {
        in_child(|| done(libc::SYS_setresgid, &[0, 0, 0]))
    }),
    ("setreuid", |_| {
        in_child(|| done(libc::SYS_setreuid, &[0, 0]))
    }),
    ("setfsuid", |_| in_child(setfsuid)),
    ("setuid-to-another", |_| {
        in_child(|| done(libc::SYS_setuid, &[4711]))
    }),
    ("setgroups", |_| {
        in_child(|| done(libc::SYS_setgroups, &[1, address(&mut 0u32)]))
    }),
    ("capset", |_| in_child(capset)),
    ("effective-uid", |_| effective()),
    ("new-privileges", |_| new_privileges()),
    ("run", run),
];

/// It answers with the former id; a second call tells whether the first had an effect (setfsuid(2)).
fn setfsuid() -> Attempt {
    call(libc::SYS_setfsuid, &[0])?;
    match call(libc::SYS_setfsuid, &[u64::MAX])? {
        0 => Ok("the superuser's files".into()),
        _ => Err(Errno::EPERM),
    }
}

/// All capabilities, permitted and effective.
fn capset() -> Attempt {
    const VERSION_3: u32 = 0x2008_0522;
    let mut header = [VERSION_3, 0];
    let mut sets = [0u32; 6];
    call(
        libc::SYS_capget,
        &[address(&mut header), address(&mut sets)],
    )?;
    sets[0] |= 1;
    sets[1] |= 1;
    done(
        libc::SYS_capset,
        &[address(&mut header), address(&mut sets)],
    )
}

/// For a set-user-id copy of this program.
fn effective() -> Attempt {
    if nix::unistd::geteuid().is_root() {
        return Ok("root".into());
    }
    Err(Errno::EPERM)
}

/// Whether an exec may still give privileges.
fn new_privileges() -> Attempt {
    match call(
        libc::SYS_prctl,
        &[libc::PR_GET_NO_NEW_PRIVS as u64, 0, 0, 0, 0],
    )? {
        0 => Ok("an exec that may gain privileges".into()),
        _ => Err(Errno::EPERM),
    }
}

/// `run PROGRAM ARGUMENT…`: becomes another program, which then answers in our place.
fn run(arguments: &[String]) -> Attempt {
    let error = Command::new(&arguments[0]).args(&arguments[1..]).exec();
    Err(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
}
