//! How a copy of the parent becomes part of a slot: its namespaces, its user, and the end of all privileges.
//!
//! The order is that of `slot::boot` and `slot::zygote::give_up`. What to enter comes from init, as its first message,
//! while no episode runs in the slot.

use crate::guest::c;
use crate::guest::child::become_real_time;
use crate::guest::launch::Enter;
use std::ffi::{c_int, c_long, c_void};
use std::os::fd::{AsRawFd, OwnedFd};

/// Any of the steps failed: this process must not go on.
pub(super) struct Refused;

fn done(result: c_int) -> Result<(), Refused> {
    match result {
        -1 => Err(Refused),
        _ => Ok(()),
    }
}

/// Enters, for good. `namespaces` are all of the slot's, the user namespace first; none in the landlock tier.
pub(super) fn enter(enter: &Enter, namespaces: &[OwnedFd]) -> Result<(), Refused> {
    // SAFETY: system calls on integers and on structs that live through them.
    unsafe {
        // While we have the privilege, where we have it: as `sys::sched` does for the slot's other processes.
        c::setpriority(c::PRIO_PROCESS, 0, -20);
        if enter.real_time {
            become_real_time();
        }
        for namespace in namespaces {
            done(c::setns(namespace.as_raw_fd(), 0))?;
        }
        for capability in 0..64 {
            // EINVAL: not known to this kernel; EPERM: never ours to give.
            c::prctl(c::PR_CAPBSET_DROP, capability as c_long, 0, 0, 0);
        }
        if enter.change {
            done(c::setgroups(0, std::ptr::null()))?;
            done(c::setresgid(enter.gid, enter.gid, enter.gid))?;
            done(c::setresuid(enter.uid, enter.uid, enter.uid))?;
        }
        let (ambient, clear) = (c::PR_CAP_AMBIENT, c::PR_CAP_AMBIENT_CLEAR_ALL);
        done(c::prctl(ambient, clear as c_long, 0, 0, 0))?;
        done(drop_capabilities())?;
        done(c::prctl(c::PR_SET_NO_NEW_PRIVS, 1 as c_long, 0, 0, 0))?;
        done(c::prctl(c::PR_SET_DUMPABLE, 0 as c_long, 0, 0, 0))?;
        if enter.reaps {
            done(c::prctl(c::PR_SET_CHILD_SUBREAPER, 1 as c_long, 0, 0, 0))?;
        }
        done(install(&enter.filter))?;
    }
    Ok(())
}

/// All sets empty (capset(2), version 3).
fn drop_capabilities() -> c_int {
    let header = [0x2008_0522u32, 0];
    let none = [0u32; 6];
    // SAFETY: pointers to live locals of the layout and length that version 3 has.
    unsafe { c::syscall(c::SYS_CAPSET, header.as_ptr(), none.as_ptr()) as c_int }
}

/// `filter` is an array of `struct sock_filter`, eight bytes each.
fn install(filter: &[u8]) -> c_int {
    #[repr(C)]
    struct Program {
        length: u16,
        instructions: *const c_void,
    }
    // u64 for the alignment.
    let aligned: Vec<u64> = filter
        .chunks_exact(8)
        .map(|i| u64::from_ne_bytes(i.try_into().unwrap_or_default()))
        .collect();
    let program = Program {
        length: aligned.len() as u16,
        instructions: aligned.as_ptr().cast(),
    };
    // SAFETY: the kernel reads `length` instructions of a live array, and checks them.
    unsafe {
        c::prctl(
            c::PR_SET_SECCOMP,
            c::SECCOMP_MODE_FILTER as c_long,
            &raw const program,
        )
    }
}
