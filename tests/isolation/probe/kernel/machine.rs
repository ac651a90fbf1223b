//! Settings of the machine: clocks, modules, names, swap.
//!
//! None of it changes anything outside either: each asks for something that the kernel turns down after it has
//! checked the right to ask.

use crate::raw::{HERE, NONE, address, call, done, in_child, text, willing};
use crate::{Attempt, Probe};
use nix::errno::Errno;

pub const PROBES: &[Probe] = &[
    ("init_module", |_| {
        let arguments = [text(c"not a module, by far"), 16, text(c"")];
        willing(libc::SYS_init_module, &arguments, &[Errno::ENOEXEC])
    }),
    ("finit_module", |_| {
        willing(
            libc::SYS_finit_module,
            &[NONE, text(c""), 0],
            &[Errno::EBADF],
        )
    }),
    ("delete_module", |_| {
        let arguments = [text(c"no_such_module"), libc::O_NONBLOCK as u64];
        willing(libc::SYS_delete_module, &arguments, &[Errno::ENOENT])
    }),
    // More segments than there may be.
    ("kexec_load", |_| {
        willing(libc::SYS_kexec_load, &[0, 1000, 0, 0], &[Errno::EINVAL])
    }),
    ("kexec_file_load", |_| {
        willing(
            KEXEC_FILE_LOAD,
            &[NONE, NONE, 0, 0, 0x100],
            &[Errno::EINVAL],
        )
    }),
    ("syslog", |_| {
        done(libc::SYS_syslog, &[3, address(&mut [0u8; 64]), 64])
    }),
    ("settimeofday", |_| {
        let mut never = [0i64, 2_000_000];
        willing(
            libc::SYS_settimeofday,
            &[address(&mut never), 0],
            &[Errno::EINVAL],
        )
    }),
    ("clock_settime", |_| {
        let mut never = [0i64, 2_000_000_000];
        willing(
            libc::SYS_clock_settime,
            &[0, address(&mut never)],
            &[Errno::EINVAL],
        )
    }),
    ("adjtimex", |_| {
        adjust(&|timex| done(libc::SYS_adjtimex, &[timex]))
    }),
    ("clock_adjtime", |_| {
        adjust(&|timex| done(libc::SYS_clock_adjtime, &[0, timex]))
    }),
    ("swapon", |_| {
        willing(libc::SYS_swapon, &[text(c"/no/such"), 0], &[Errno::ENOENT])
    }),
    ("swapoff", |_| {
        willing(libc::SYS_swapoff, &[text(c"/no/such")], &[Errno::ENOENT])
    }),
    // Without the magic numbers.
    ("reboot", |_| {
        willing(libc::SYS_reboot, &[0, 0, 0, 0], &[Errno::EINVAL])
    }),
    ("sethostname", |_| {
        in_child(|| own_name(libc::SYS_sethostname))
    }),
    ("setdomainname", |_| {
        in_child(|| own_name(libc::SYS_setdomainname))
    }),
    ("acct", |_| {
        willing(libc::SYS_acct, &[text(c"/no/such")], &[Errno::ENOENT])
    }),
    ("vhangup", |_| in_child(vhangup)),
    ("mknod", |_| {
        let device = 1 << 8 | 3;
        let arguments = [HERE, text(c"probe-null"), 0o20666, device];
        made_node(&arguments)
    }),
    ("mknod-block", |_| {
        made_node(&[HERE, text(c"probe-block"), 0o60666, 8 << 8])
    }),
];

#[cfg(target_arch = "x86_64")]
const KEXEC_FILE_LOAD: i64 = 320;
#[cfg(not(target_arch = "x86_64"))]
const KEXEC_FILE_LOAD: i64 = 294;

/// Sets the clock's frequency to what it is.
fn adjust(call: &dyn Fn(u64) -> Attempt) -> Attempt {
    // SAFETY: all bytes zero is a valid `timex`: numbers only.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    call(address(&mut timex))?;
    timex.modes = libc::ADJ_FREQUENCY;
    call(address(&mut timex))
}

/// In a UTS namespace of our own, or in place where it would be the sandbox's.
fn own_name(number: i64) -> Attempt {
    let own = call(libc::SYS_unshare, &[libc::CLONE_NEWUTS as u64]);
    if own.is_err() && nix::unistd::geteuid().is_root() {
        return Err(Errno::EPERM);
    }
    done(number, &[text(c"probe"), 5])
}

/// In a session without a terminal there is nothing to hang up.
fn vhangup() -> Attempt {
    call(libc::SYS_setsid, &[])?;
    done(libc::SYS_vhangup, &[])
}

fn made_node(arguments: &[u64]) -> Attempt {
    if nix::unistd::geteuid().is_root() {
        std::env::set_current_dir("/tmp").map_err(|_| Errno::ENOENT)?;
    }
    let answer = done(libc::SYS_mknodat, arguments);
    let _ = std::fs::remove_file("probe-null");
    let _ = std::fs::remove_file("probe-block");
    answer
}
