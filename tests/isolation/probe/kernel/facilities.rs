//! Kernel facilities that programs under test have no use for.

use crate::raw::{HERE, NONE, address, call, descriptor, done, in_child, text, willing};
use crate::{Attempt, Probe};
use nix::errno::Errno;
use std::os::fd::AsRawFd;

pub const PROBES: &[Probe] = &[
    ("bpf-map", |_| bpf_map()),
    ("bpf-program", |_| bpf_program()),
    ("perf_event_open", |_| perf()),
    ("io_uring_setup", |_| ring()),
    ("io_uring_enter", |_| {
        willing(libc::SYS_io_uring_enter, &[NONE, 0, 0, 0], &[Errno::EBADF])
    }),
    ("io_uring_register", |_| {
        willing(
            libc::SYS_io_uring_register,
            &[NONE, 0, 0, 0],
            &[Errno::EINVAL],
        )
    }),
    ("io_setup", |_| {
        done(libc::SYS_io_setup, &[1, address(&mut 0u64)])
    }),
    ("keyctl", |_| done(libc::SYS_keyctl, &[0, SESSION, 1])),
    ("add_key", |_| {
        done(
            libc::SYS_add_key,
            &[text(c"user"), text(c"probe"), text(c"x"), 1, PROCESS],
        )
    }),
    ("request_key", |_| {
        let arguments = [text(c"user"), text(c"no such key"), 0, 0];
        willing(libc::SYS_request_key, &arguments, &[Errno::ENOKEY])
    }),
    ("fanotify_init", |_| {
        done(libc::SYS_fanotify_init, &[0x200, 0])
    }), // FAN_REPORT_FID
    ("name_to_handle_at", |_| handle().map(|_| "a handle".into())),
    ("open_by_handle_at", |_| open_by_handle()),
    ("lookup_dcookie", |_| {
        willing(libc::SYS_lookup_dcookie, &[0, 0, 0], &[Errno::EINVAL])
    }),
    ("nfsservctl", |_| {
        willing(libc::SYS_nfsservctl, &[0, 0, 0], &[Errno::EINVAL])
    }),
    ("quotactl", |_| {
        let arguments = [0x8000_0700, text(c"/dev/null"), 0, 0]; // Q_GETINFO
        willing(libc::SYS_quotactl, &arguments, &[Errno::ENOTBLK])
    }),
    ("quotactl_fd", |_| {
        willing(libc::SYS_quotactl_fd, &[NONE, 0, 0, 0], &[Errno::EBADF])
    }),
    ("seccomp-filter", |_| in_child(|| seccomp(0))),
    ("seccomp-listener", |_| in_child(|| seccomp(8))), // SECCOMP_FILTER_FLAG_NEW_LISTENER
    ("kcmp", |_| {
        let own = u64::from(std::process::id());
        done(libc::SYS_kcmp, &[own, own, 0, 0, 1])
    }),
    ("pidfd_getfd", |_| {
        let own = descriptor(libc::SYS_pidfd_open, &[u64::from(std::process::id()), 0]);
        done(libc::SYS_pidfd_getfd, &[own, 1, 0])
    }),
    ("process_madvise", |_| {
        willing(
            libc::SYS_process_madvise,
            &[NONE, 0, 0, 0, 0],
            &[Errno::EBADF],
        )
    }),
    ("process_mrelease", |_| {
        willing(libc::SYS_process_mrelease, &[NONE, 0], &[Errno::EBADF])
    }),
    ("lsm_set_self_attr", |_| {
        // EOPNOTSUPP where no module wants the attribute.
        let arguments = [100, address(&mut [0u64; 8]), 64, 0];
        willing(
            459 + 1,
            &arguments,
            &[Errno::EINVAL, Errno::EOPNOTSUPP, Errno::E2BIG],
        )
    }),
    ("cachestat", |_| {
        willing(451, &[NONE, 0, 0, 0], &[Errno::EBADF, Errno::EFAULT])
    }),
    ("mq_open", |_| {
        let arguments = [text(c"no-such-queue"), 0, 0, 0];
        willing(libc::SYS_mq_open, &arguments, &[Errno::ENOENT])
    }),
];

/// keyctl(2): the session keyring, and the process's.
const SESSION: u64 = -3i64 as u64;
const PROCESS: u64 = -2i64 as u64;

/// The start of a `union bpf_attr`.
type BpfAttributes = [u32; 32];

fn bpf_map() -> Attempt {
    let mut attributes: BpfAttributes = [0; 32];
    // BPF_MAP_TYPE_ARRAY, 4 bytes of key, 8 of value, one entry.
    attributes[..4].copy_from_slice(&[2, 4, 8, 1]);
    done(libc::SYS_bpf, &[0, address(&mut attributes), 128])
}

fn bpf_program() -> Attempt {
    // r0 = 0; exit
    let mut program: [u64; 2] = [0xb7, 0x95];
    let (code, licence) = (address(&mut program), text(c"GPL"));
    let mut attributes: BpfAttributes = [0; 32];
    let halves = |address: u64| [address as u32, (address >> 32) as u32];
    // BPF_PROG_TYPE_SOCKET_FILTER, two instructions.
    attributes[..2].copy_from_slice(&[1, 2]);
    attributes[2..4].copy_from_slice(&halves(code));
    attributes[4..6].copy_from_slice(&halves(licence));
    done(libc::SYS_bpf, &[5, address(&mut attributes), 128])
}

fn perf() -> Attempt {
    // struct perf_event_attr: PERF_TYPE_SOFTWARE, its size, PERF_COUNT_SW_CPU_CLOCK.
    let mut attributes = [0u64; 16];
    attributes[0] = 1 | 128 << 32;
    done(
        libc::SYS_perf_event_open,
        &[address(&mut attributes), 0, NONE, NONE, 0],
    )
}

fn ring() -> Attempt {
    let mut parameters = [0u64; 15];
    done(libc::SYS_io_uring_setup, &[1, address(&mut parameters)])
}

/// A `struct file_handle` with room for 128 bytes, of the root directory.
fn handle() -> Result<[u32; 34], Errno> {
    let mut handle = [0u32; 34];
    handle[0] = 128;
    let arguments = [
        HERE,
        text(c"/"),
        address(&mut handle),
        address(&mut 0i32),
        0,
    ];
    call(libc::SYS_name_to_handle_at, &arguments)?;
    Ok(handle)
}

fn open_by_handle() -> Attempt {
    let root = std::fs::File::open("/");
    let root = root.as_ref().map_or(NONE, |root| root.as_raw_fd() as u64);
    let mut handle = handle().unwrap_or([0; 34]);
    let arguments = [root, address(&mut handle), 0];
    // ESTALE: the file system knows no such handle.
    willing(libc::SYS_open_by_handle_at, &arguments, &[Errno::ESTALE])
}

fn seccomp(flags: u64) -> Attempt {
    call(
        libc::SYS_prctl,
        &[libc::PR_SET_NO_NEW_PRIVS as u64, 1, 0, 0, 0],
    )?;
    // A program of one instruction: allow.
    let mut allow: [u64; 1] = [0x06 | 0x7fff_0000 << 32];
    let mut program = [1, address(&mut allow)];
    done(libc::SYS_seccomp, &[1, flags, address(&mut program)])
}
