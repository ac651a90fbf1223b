//! Other ways into the kernel of x86-64: the 32-bit entry, x32, ports, segments.

use crate::raw::{address, call, done, in_child, willing};
use crate::{Attempt, Probe};
use nix::errno::Errno;
use std::arch::asm;

pub const PROBES: &[Probe] = &[
    ("int80-getpid", |_| {
        in_child(|| int80(20, &[]).map(|pid| format!("pid {pid}")))
    }),
    // EFAULT: the kernel goes on to read the strings.
    ("int80-mount", |_| {
        in_child(|| expect(int80(21, &[1, 1, 1, 0, 1]), Errno::EFAULT))
    }),
    // socketcall's first: socket, with its arguments at an address that is not there.
    ("int80-socketcall", |_| {
        in_child(|| expect(int80(102, &[1, 1]), Errno::EFAULT))
    }),
    // socket by its own number: AF_INET, a stream.
    ("int80-socket", |_| {
        in_child(|| int80(359, &[2, 1, 0]).map(|fd| format!("socket {fd}")))
    }),
    ("x32-getpid", |_| {
        in_child(|| done(X32 | libc::SYS_getpid, &[]))
    }),
    ("x32-mount", |_| {
        in_child(|| willing(X32 | libc::SYS_mount, &[1, 1, 1, 0, 1], &[Errno::EFAULT]))
    }),
    ("iopl", |_| in_child(|| done(libc::SYS_iopl, &[3]))),
    ("ioperm", |_| {
        in_child(|| done(libc::SYS_ioperm, &[0x80, 1, 1]))
    }),
    ("modify_ldt-read", |_| {
        done(libc::SYS_modify_ldt, &[0, address(&mut [0u8; 64]), 64])
    }),
    ("modify_ldt-write", |_| in_child(modify_ldt)),
    ("uretprobe", |_| in_child(|| done(335, &[]))),
    ("uprobe", |_| {
        in_child(|| willing(336, &[], &[Errno::ENXIO]))
    }),
];

/// `__X32_SYSCALL_BIT`
const X32: i64 = 0x4000_0000;

/// Enters the kernel as a 32-bit program does. Pointers are cut to 32 bits, so none are given.
fn int80(number: i32, arguments: &[u32]) -> Result<i32, Errno> {
    let at = |i: usize| u64::from(arguments.get(i).copied().unwrap_or(0));
    let mut result = number as u64;
    // SAFETY: the calls made take numbers or deliberately invalid addresses. rbx, which the compiler keeps for
    // itself, is put back; the entry clobbers r8 to r11.
    unsafe {
        asm!(
            "xchg {first}, rbx", "int 0x80", "xchg {first}, rbx",
            first = inout(reg) at(0) => _,
            inout("rax") result, in("rcx") at(1), in("rdx") at(2), in("rsi") at(3), in("rdi") at(4),
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    match result as i32 {
        errno @ -4095..=-1 => Err(Errno::from_raw(-errno)),
        value => Ok(value),
    }
}

fn expect(result: Result<i32, Errno>, answer: Errno) -> Attempt {
    match result {
        Err(errno) if errno == answer => Ok(format!("the kernel: {errno:?}")),
        other => other.map(|value| format!("it: {value}")),
    }
}

/// A data segment at address 0: `struct user_desc`, usable and not present.
fn modify_ldt() -> Attempt {
    let mut descriptor = [0u32, 0, 0xfffff, 0b111_0001];
    call(libc::SYS_modify_ldt, &[1, address(&mut descriptor), 16]).map(|_| "a segment".into())
}
