//! What a forked child does between fork and the first instruction of the program. System calls only: it
//! borrows the zygote's memory (see `sys::fork::vfork`).

use super::sequence::{Restrict, hard_limit, restrict};
use crate::sys::landlock::restrict_self;
use crate::sys::sched::{Ordinary, give_up_precedence, lend_precedence};
use crate::sys::{exec::Image, socket::replace_stdio, terminal};
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::{ExitKind, Rlimit};
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Pid, chdir, setpgid};
use std::ffi::CString;
use std::os::fd::{BorrowedFd, RawFd};

/// Everything a child needs, made ready before the fork.
pub(crate) struct Plan<'a> {
    pub image: Image,
    pub workdir: CString,
    pub stdio: [RawFd; 3],
    pub rlimits: &'a [Rlimit],
    /// None where the zygote's own holds for its children too.
    pub ruleset: Option<BorrowedFd<'a>>,
    pub ordinary: Ordinary,
    /// Whether `stdio` is a terminal, which is to be the program's own.
    pub terminal: bool,
    /// Whether the zygote ends its precedence when it has execed.
    pub lends_precedence: bool,
}

/// Restricts this process and execs. Returns only when that failed.
pub(crate) fn run(plan: &Plan<'_>) -> ExitKind {
    match restrict(plan) {
        Ok(()) => ExitKind::NotExecutable(plan.image.exec() as i32),
        Err(failure) => ExitKind::Failed(failure),
    }
}

impl Restrict for Plan<'_> {
    type Failure = Failure;

    fn process_group(&self) -> Result<(), Failure> {
        if self.terminal {
            return terminal::take(self.stdio[0]).map_err(Stage::Terminal.failed());
        }
        setpgid(Pid::from_raw(0), Pid::from_raw(0)).map_err(Stage::ProcessGroup.failed())
    }

    fn stdio(&self) -> Result<(), Failure> {
        replace_stdio(self.stdio).map_err(Stage::Stdio.failed())
    }

    fn workdir(&self) -> Result<(), Failure> {
        chdir(self.workdir.as_c_str()).map_err(Stage::Workdir.failed())
    }

    fn landlock(&self) -> Result<(), Failure> {
        match self.ruleset {
            Some(ruleset) => restrict_self(ruleset).map_err(Stage::Landlock.failed()),
            None => Ok(()),
        }
    }

    fn let_go(&self) -> Result<(), Failure> {
        if self.lends_precedence {
            lend_precedence(self.ordinary)
        } else {
            give_up_precedence(self.ordinary)
        }
        Ok(())
    }

    fn rlimits(&self) -> Result<(), Failure> {
        let mut limits = self.rlimits.iter();
        limits.try_for_each(|limit| set_rlimit(limit).map_err(Stage::Rlimit.failed()))
    }
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
    let hard = hard_limit(limit.resource, limit.value);
    match setrlimit(resource, limit.value, hard) {
        // More than this machine lets its users have: they get what there is.
        Err(Errno::EPERM) => {
            let (_, most) = getrlimit(resource)?;
            setrlimit(resource, most.min(limit.value), most.min(limit.value))
        }
        done => done,
    }
}
