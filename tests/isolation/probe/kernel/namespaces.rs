//! New namespaces, or somebody else's.

use crate::raw::{NONE, address, call, done, in_child, willing};
use crate::{Attempt, Probe};
use nix::errno::Errno;
use std::os::fd::AsRawFd;

pub const PROBES: &[Probe] = &[
    ("unshare", |names| {
        in_child(|| done(libc::SYS_unshare, &[flag(&names[0])]))
    }),
    ("clone", |names| clone(flag(&names[0]))),
    ("clone-high-bits", |names| clone(flag(&names[0]) | 1 << 32)),
    ("clone3", |names| clone3(flag(&names[0]))),
    ("setns", |names| in_child(|| setns(&names[0]))),
    ("setns-pidfd", |_| in_child(setns_pidfd)),
];

fn flag(name: &str) -> u64 {
    let flag = match name {
        "user" => libc::CLONE_NEWUSER,
        "mnt" => libc::CLONE_NEWNS,
        "pid" => libc::CLONE_NEWPID,
        "net" => libc::CLONE_NEWNET,
        "ipc" => libc::CLONE_NEWIPC,
        "uts" => libc::CLONE_NEWUTS,
        "cgroup" => libc::CLONE_NEWCGROUP,
        "time" => 0x80, // CLONE_NEWTIME
        "parent" => libc::CLONE_PARENT,
        "none" => 0,
        _ => panic!("no flag is called {name}"),
    };
    flag as u64
}

fn clone(flags: u64) -> Attempt {
    in_child(|| made(call(libc::SYS_clone, &[flags | libc::SIGCHLD as u64])))
}

fn clone3(flags: u64) -> Attempt {
    // struct clone_args: flags first, the exit signal fifth.
    let mut arguments = [flags, 0, 0, 0, libc::SIGCHLD as u64, 0, 0, 0];
    in_child(|| made(call(libc::SYS_clone3, &[address(&mut arguments), 64])))
}

/// Ends the new process where we are it.
fn made(result: Result<i64, Errno>) -> Attempt {
    if result == Ok(0) {
        // SAFETY: ends the copy of this process before it can report in its parent's place.
        unsafe { libc::_exit(0) }
    }
    result.map(|pid| format!("process {pid}"))
}

/// The probe's own namespace: entering it is a matter of rights all the same.
fn setns(kind: &str) -> Attempt {
    let file = std::fs::File::open(format!("/proc/self/ns/{kind}"));
    let fd = file.as_ref().map_or(NONE, |file| file.as_raw_fd() as u64);
    // Entering the user namespace one is in is EINVAL, whatever one's rights are (setns(2)).
    willing(libc::SYS_setns, &[fd, 0], &[Errno::EINVAL])
}

fn setns_pidfd() -> Attempt {
    let own = call(libc::SYS_pidfd_open, &[u64::from(std::process::id()), 0]);
    let fd = own.map_or(NONE, |fd| fd as u64);
    done(libc::SYS_setns, &[fd, libc::CLONE_NEWUTS as u64])
}
