//! Memory in ways that no limit sees, and memory or pages of others.

use crate::raw::{address, call, done, text, willing};
use crate::{Attempt, Probe};
use nix::errno::Errno;

pub const PROBES: &[Probe] = &[
    ("userfaultfd", |_| done(libc::SYS_userfaultfd, &[1])), // UFFD_USER_MODE_ONLY
    ("memfd_secret", |_| done(libc::SYS_memfd_secret, &[0])),
    ("memfd_create", |_| {
        done(libc::SYS_memfd_create, &[text(c"probe"), 0])
    }),
    ("memfd_create-huge", |_| {
        done(libc::SYS_memfd_create, &[text(c"probe"), 4])
    }),
    ("huge-segment", |_| {
        let flags = (0o600 | libc::IPC_CREAT | libc::SHM_HUGETLB) as u64;
        done(libc::SYS_shmget, &[0, 2 << 20, flags])
    }),
    ("vmsplice", |_| vmsplice()),
    ("splice", |_| through_pipes(libc::SYS_splice)),
    ("tee", |_| through_pipes(libc::SYS_tee)),
    ("sendfile", |_| sendfile()),
    ("migrate_pages", |_| {
        let (mut from, mut to) = (1u64, 1u64);
        let arguments = [
            u64::from(std::process::id()),
            64,
            address(&mut from),
            address(&mut to),
        ];
        done(libc::SYS_migrate_pages, &arguments)
    }),
    ("move_pages", |_| {
        done(libc::SYS_move_pages, &[0, 0, 0, 0, 0, 2])
    }),
    ("map_shadow_stack", |_| {
        let arguments = [0, 0x1000, 0x100]; // An unknown flag.
        willing(453, &arguments, &[Errno::EINVAL])
    }),
    ("mseal", |_| done(462, &[0, 0, 0])),
    ("futex_wake", |_| done(454, &[address(&mut 0u32), 1, 1, 2])),
    ("futex_wait", |_| {
        let arguments = [address(&mut 0u32), 1, 1, 2, 0, 0];
        willing(455, &arguments, &[Errno::EAGAIN])
    }),
    ("futex_requeue", |_| {
        willing(456, &[0, 0, 0, 0], &[Errno::EINVAL])
    }),
    ("remap_file_pages", |_| {
        willing(
            libc::SYS_remap_file_pages,
            &[0, 0, 0, 0, 0],
            &[Errno::EINVAL],
        )
    }),
    ("membarrier", |_| done(libc::SYS_membarrier, &[0, 0])),
];

/// Pages in a pipe stay when they are unmapped; of a huge page, all of it stays for a byte.
fn vmsplice() -> Attempt {
    let (from, to) = nix::unistd::pipe()?;
    let mut byte = 0u8;
    let mut vector = [address(&mut byte), 1];
    let fd = std::os::fd::AsRawFd::as_raw_fd(&to) as u64;
    let answer = done(libc::SYS_vmsplice, &[fd, address(&mut vector), 1, 0]);
    drop(from);
    answer
}

/// A byte from one pipe to another.
fn through_pipes(number: i64) -> Attempt {
    use std::os::fd::AsRawFd;
    let ((from, feed), (end, to)) = (nix::unistd::pipe()?, nix::unistd::pipe()?);
    nix::unistd::write(&feed, b"x")?;
    let (from, to) = (from.as_raw_fd() as u64, to.as_raw_fd() as u64);
    if number == libc::SYS_tee {
        call(number, &[from, to, 1, 0])?;
    } else {
        call(number, &[from, 0, to, 0, 1, 0])?;
    }
    let mut byte = [0];
    nix::unistd::read(&end, &mut byte)?;
    Ok(String::from_utf8_lossy(&byte).into_owned())
}

/// A byte of a file into a pipe.
fn sendfile() -> Attempt {
    use std::os::fd::AsRawFd;
    let (_end, to) = nix::unistd::pipe()?;
    let file = std::fs::File::open("/proc/self/exe").map_err(crate::errno)?;
    let (from, to) = (file.as_raw_fd() as u64, to.as_raw_fd() as u64);
    done(libc::SYS_sendfile, &[to, from, 0, 1])
}
