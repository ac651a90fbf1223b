//! What a forked child does between fork and the first instruction of the program. System calls only: it
//! borrows the zygote's memory (see `sys::fork::vfork`).

use crate::sys::landlock::restrict_self;
use crate::sys::sched::{Ordinary, give_up_precedence, lend_precedence};
use crate::sys::{exec::Image, socket::replace_stdio};
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::{ExitKind, Rlimit};
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Pid, chdir, setpgid};
use std::ffi::CString;
use std::os::fd::{BorrowedFd, RawFd};

/// Everything a child needs, made ready before the fork.
pub struct Plan<'a> {
    pub image: Image,
    pub workdir: CString,
    pub stdio: [RawFd; 3],
    pub rlimits: &'a [Rlimit],
    /// None where the zygote's own holds for its children too.
    pub ruleset: Option<BorrowedFd<'a>>,
    pub ordinary: Ordinary,
    /// Whether the zygote ends its precedence when it has execed.
    pub lends_precedence: bool,
}

/// Restricts this process and execs. Returns only when that failed.
pub fn run(plan: &Plan<'_>) -> ExitKind {
    match restrict(plan) {
        Ok(()) => ExitKind::NotExecutable(plan.image.exec() as i32),
        Err(failure) => ExitKind::Failed(failure),
    }
}

fn restrict(plan: &Plan<'_>) -> Result<(), Failure> {
    let failed = |stage| move |errno: Errno| Failure::new(stage, errno as i32);
    // A process group of its own: `kill 0` stays inside, and one step's processes can be told from another's.
    setpgid(Pid::from_raw(0), Pid::from_raw(0)).map_err(failed(Stage::ProcessGroup))?;
    replace_stdio(plan.stdio).map_err(failed(Stage::Stdio))?;
    chdir(plan.workdir.as_c_str()).map_err(failed(Stage::Workdir))?;
    if let Some(ruleset) = plan.ruleset {
        restrict_self(ruleset).map_err(failed(Stage::Landlock))?;
    }
    if plan.lends_precedence {
        lend_precedence(plan.ordinary)
    } else {
        give_up_precedence(plan.ordinary)
    }
    for limit in plan.rlimits {
        set_rlimit(limit).map_err(failed(Stage::Rlimit))?;
    }
    Ok(())
}

fn set_rlimit(limit: &Rlimit) -> Result<(), Errno> {
    let resource = match limit.resource {
        libc::RLIMIT_CPU => Resource::RLIMIT_CPU,
        libc::RLIMIT_FSIZE => Resource::RLIMIT_FSIZE,
        libc::RLIMIT_NOFILE => Resource::RLIMIT_NOFILE,
        libc::RLIMIT_NPROC => Resource::RLIMIT_NPROC,
        libc::RLIMIT_STACK => Resource::RLIMIT_STACK,
        libc::RLIMIT_SIGPENDING => Resource::RLIMIT_SIGPENDING,
        _ => return Err(Errno::EINVAL),
    };
    // SIGXCPU comes at the soft limit and tells what happened; at the hard one it would be SIGKILL.
    let room = u64::from(resource == Resource::RLIMIT_CPU);
    match setrlimit(resource, limit.value, limit.value + room) {
        // More than this machine lets its users have: they get what there is.
        Err(Errno::EPERM) => {
            let (_, most) = getrlimit(resource)?;
            setrlimit(resource, most.min(limit.value), most.min(limit.value))
        }
        done => done,
    }
}
