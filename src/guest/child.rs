//! What a forked child does before the interpreter goes on: the same, in the same order, as `sandbox::child` does
//! before exec.

use crate::guest::c;
use crate::guest::launch::Launch;
use crate::sandbox::sequence::{self, Restrict, hard_limit};
use crate::wire::kinds::exit;
use std::os::fd::{AsRawFd, OwnedFd};

/// Which part failed, as `WarmExit::kind`, and the errno.
pub(super) type Failure = (u64, i32);

struct Child<'a> {
    launch: &'a Launch,
    /// stdin, stdout and stderr, and after them the program's ruleset, where it is not its zygote's.
    fds: &'a [OwnedFd],
    /// Whether the zygote's ruleset holds.
    restricted: bool,
}

/// Restricts this process for good. Without a ruleset among the descriptors it has to be `restricted` already.
pub(super) fn restrict(launch: &Launch, fds: &[OwnedFd], restricted: bool) -> Result<(), Failure> {
    sequence::restrict(&Child {
        launch,
        fds,
        restricted,
    })?;
    // The zygote itself can't be inspected; a program of its own may be, as after an exec.
    // SAFETY: a system call on integers.
    unsafe { c::prctl(c::PR_SET_DUMPABLE, 1) };
    Ok(())
}

/// What came of a system call.
fn done(kind: u64, result: i64) -> Result<(), Failure> {
    match result {
        -1 => Err((kind, c::errno())),
        _ => Ok(()),
    }
}

impl Restrict for Child<'_> {
    type Failure = Failure;

    fn process_group(&self) -> Result<(), Failure> {
        // SAFETY: a system call on integers.
        done(exit::PROCESS_GROUP, unsafe { c::setpgid(0, 0) }.into())
    }

    fn stdio(&self) -> Result<(), Failure> {
        for (target, fd) in self.fds.iter().take(3).enumerate() {
            // SAFETY: a system call on integers. What 0, 1 and 2 were is the zygote's, of which nothing is used in the child.
            let result = unsafe { c::dup2(fd.as_raw_fd(), target as i32) };
            done(exit::STDIO, result.into())?;
        }
        Ok(())
    }

    fn workdir(&self) -> Result<(), Failure> {
        // SAFETY: the string is NUL-terminated and outlives the call.
        let result = unsafe { c::chdir(self.launch.workdir.as_ptr()) };
        done(exit::WORKDIR, result.into())
    }

    fn landlock(&self) -> Result<(), Failure> {
        match self.fds.get(3) {
            None if self.restricted => Ok(()),
            ruleset => done(
                exit::LANDLOCK,
                enforce(ruleset.map_or(-1, AsRawFd::as_raw_fd)),
            ),
        }
    }

    fn let_go(&self) -> Result<(), Failure> {
        // SAFETY: the descriptors above 2 are closed for good: nothing of ours is used in the child after this.
        let result = unsafe { c::close_range(3, u32::MAX, 0) };
        done(exit::STDIO, result.into())
    }

    fn rlimits(&self) -> Result<(), Failure> {
        let mut limits = self.launch.rlimits.iter();
        limits.try_for_each(|(resource, value)| {
            done(exit::RLIMIT, set_rlimit(*resource, *value).into())
        })
    }
}

/// Enforces a Landlock ruleset on this process and those it forks from now on.
pub(super) fn enforce(ruleset: i32) -> i64 {
    // SAFETY: a system call on integers.
    unsafe { c::syscall(c::SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0) }
}

/// How programs are scheduled, in contrast to the processes of their slot (`sys::sched`).
#[derive(Clone, Copy)]
pub(super) struct Ordinary {
    /// The time slice in nanoseconds, 0 where it is not known.
    pub slice_ns: u64,
    pub nice: i32,
}

impl Ordinary {
    /// To be called when the program begins: until then the child has the precedence of its zygote.
    pub(super) fn begin(self) {
        // Who leaves real time is queued anew: with a short slice first in line, with the ordinary one last.
        schedule(SCHED_OTHER, self.nice, 0, SHORTEST_SLICE_NS);
        schedule(SCHED_OTHER, self.nice, 0, self.slice_ns);
    }
}

/// What `sys::sched::make_real_time` does for the slot's other processes.
pub(super) fn become_real_time() {
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

/// As `sandbox::child` does: no more than this machine lets its users have.
fn set_rlimit(resource: u32, value: u64) -> i32 {
    let hard = hard_limit(resource, value);
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
