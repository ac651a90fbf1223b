//! What a process may change about itself.

use crate::raw::{address, call, done, in_child, willing};
use crate::{Attempt, Probe};
use nix::errno::Errno;

pub const PROBES: &[Probe] = &[
    // PR_SET_MM_MAP_SIZE
    ("set-mm", |_| {
        done(PRCTL, &[35, 15, address(&mut 0u32), 0, 0])
    }),
    // By anybody.
    ("set-ptracer", |_| {
        done(PRCTL, &[0x5961_6d61, u64::MAX, 0, 0, 0])
    }),
    ("set-seccomp", |_| in_child(set_seccomp)),
    // CAP_CHOWN
    ("ambient-raise", |_| in_child(ambient)),
    ("keepcaps", |_| in_child(|| done(PRCTL, &[8, 1, 0, 0, 0]))),
    ("securebits", |_| {
        in_child(|| done(PRCTL, &[28, 1, 0, 0, 0]))
    }),
    ("bounding-drop", |_| {
        in_child(|| done(PRCTL, &[24, 0, 0, 0, 0]))
    }),
    // A cookie of one's own.
    ("core-scheduling", |_| {
        in_child(|| done(PRCTL, &[62, 1, 0, 0, 0]))
    }),
    // Off, which always works.
    ("user-dispatch", |_| {
        in_child(|| done(PRCTL, &[59, 0, 0, 0, 0]))
    }),
    // Speculative store bypass, back to how it is by default.
    ("speculation", |_| {
        in_child(|| willing(PRCTL, &[53, 0, 2, 0, 0], &[Errno::ENXIO]))
    }),
    ("tsc-off", |_| in_child(|| done(PRCTL, &[26, 2, 0, 0, 0]))),
    ("machine-check-kill", |_| {
        in_child(|| done(PRCTL, &[33, 1, 1, 0, 0]))
    }),
    ("personality", |arguments| {
        in_child(|| personality(&arguments[0]))
    }),
];

const PRCTL: i64 = libc::SYS_prctl;

fn set_seccomp() -> Attempt {
    call(PRCTL, &[libc::PR_SET_NO_NEW_PRIVS as u64, 1, 0, 0, 0])?;
    // A program of one instruction: allow.
    let mut allow: [u64; 1] = [0x06 | 0x7fff_0000 << 32];
    let mut program = [1, address(&mut allow)];
    done(PRCTL, &[22, 2, address(&mut program), 0, 0])
}

/// Raises a capability from the permitted to the inheritable and then to the ambient set.
fn ambient() -> Attempt {
    const VERSION_3: u32 = 0x2008_0522;
    let mut header = [VERSION_3, 0];
    let mut sets = [0u32; 6];
    call(
        libc::SYS_capget,
        &[address(&mut header), address(&mut sets)],
    )?;
    sets[2] |= 1;
    call(
        libc::SYS_capset,
        &[address(&mut header), address(&mut sets)],
    )?;
    done(PRCTL, &[47, 2, 0, 0, 0])
}

fn personality(number: &str) -> Attempt {
    let number = u64::from_str_radix(number, 16).expect("a hexadecimal number");
    done(libc::SYS_personality, &[number])
}
