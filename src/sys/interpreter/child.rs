//! What a forked child does before the interpreter goes on: the same, in the same order, as `sandbox::child` does
//! before exec.

use crate::c;
use crate::launch::Launch;
use std::os::fd::{AsRawFd, OwnedFd};

/// Which part failed, as `WarmExit::kind`.
pub const GROUP: u64 = 3;
pub const STDIO: u64 = 4;
pub const WORKDIR: u64 = 5;
pub const RULESET: u64 = 6;
pub const RLIMIT: u64 = 7;

/// Restricts this process for good. Without a ruleset among the descriptors it has to be `restricted` already.
pub fn restrict(
    launch: &Launch,
    fds: &[OwnedFd],
    restricted: bool,
) -> Result<(), (u64, i32)> {
    let done = |kind, result: i64| match result {
        -1 => Err((kind, c::errno())),
        _ => Ok(()),
    };
    // SAFETY: system calls on integers, and on strings and structs that live through them. The descriptors above 2
    // are closed for good: nothing of ours is used in the child after this.
    unsafe {
        done(GROUP, c::setpgid(0, 0).into())?;
        for (target, fd) in fds.iter().take(3).enumerate() {
            done(STDIO, c::dup2(fd.as_raw_fd(), target as i32).into())?;
        }
        done(WORKDIR, c::chdir(launch.workdir.as_ptr()).into())?;
        match fds.get(3) {
            None if restricted => {}
            ruleset => done(RULESET, enforce(ruleset.map_or(-1, AsRawFd::as_raw_fd)))?,
        }
        done(STDIO, c::close_range(3, u32::MAX, 0).into())?;
        for (resource, value) in &launch.rlimits {
            done(RLIMIT, set_rlimit(*resource, *value).into())?;
        }
        // The zygote itself can't be inspected; a program of its own may be, as after an exec.
        c::prctl(c::PR_SET_DUMPABLE, 1);
    }
    Ok(())
}

/// Enforces a Landlock ruleset on this process and those it forks from now on.
pub fn enforce(ruleset: i32) -> i64 {
    // SAFETY: a system call on integers.
    unsafe { c::syscall(c::SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0) }
}

/// How programs are scheduled, in contrast to the processes of their slot (`sys::sched`).
#[derive(Clone, Copy)]
pub struct Ordinary {
    /// The time slice in nanoseconds, 0 where it is not known.
    pub slice_ns: u64,
    pub nice: i32,
}

impl Ordinary {
    /// To be called when the program begins: until then the child has the precedence of its zygote.
    pub fn begin(self) {
        // Who leaves real time is queued anew: with a short slice first in line, with the ordinary one last.
        schedule(SCHED_OTHER, self.nice, 0, SHORTEST_SLICE_NS);
        schedule(SCHED_OTHER, self.nice, 0, self.slice_ns);
    }
}

/// What `sys::sched::make_real_time` does for the slot's other processes.
pub fn become_real_time() {
    schedule(SCHED_FIFO, 0, SERVING, 0);
}

/// The shortest slice the kernel takes.
const SHORTEST_SLICE_NS: u64 = 100_000;

const SCHED_OTHER: u32 = 0;
const SCHED_FIFO: u32 = 1;
/// As in `sys::sched`.
const SERVING: u32 = 2;

/// Of this process. A failure costs latency, nothing else.
fn schedule(policy: u32, nice: i32, priority: u32, runtime: u64) {
    let attributes = c::SchedAttr {
        size: size_of::<c::SchedAttr>() as u32,
        policy,
        flags: 0,
        nice,
        priority,
        runtime,
        deadline: 0,
        period: 0,
    };
    // SAFETY: the kernel reads `size` bytes of a live local.
    unsafe { c::syscall(c::SYS_SCHED_SETATTR, 0, &raw const attributes, 0) };
}

/// As `sandbox::child` does: one second of room where the soft limit is to be seen first, and no more than this
/// machine lets its users have.
fn set_rlimit(resource: u32, value: u64) -> i32 {
    let hard = value + u64::from(resource == c::RLIMIT_CPU);
    let limit = c::RLimit { soft: value, hard };
    // SAFETY: pointers to live locals of the layout of struct rlimit.
    unsafe {
        let result = c::setrlimit(resource, &limit);
        if result == 0 || c::errno() != c::EPERM {
            return result;
        }
        let mut most = c::RLimit { soft: 0, hard: 0 };
        c::getrlimit(resource, &mut most);
        let least = most.hard.min(value);
        c::setrlimit(
            resource,
            &c::RLimit {
                soft: least,
                hard: least,
            },
        )
    }
}
