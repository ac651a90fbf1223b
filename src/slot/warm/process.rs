//! The process that becomes an interpreter: from the fork to its exec.

use crate::sandbox::namespaces;
use crate::slot::cgroup::CgroupProcs;
use crate::slot::give_up::give_up;
use crate::slot::link::Link;
use crate::slot::process::{control_pair, name};
use crate::slot::search_path::candidates;
use crate::spec::warm::PerSlot;
use crate::sys::exec::Image;
use crate::sys::fork::{self, SingleThreaded};
use crate::sys::sched::Ordinary;
use crate::sys::socket;
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::{Setup, WarmStart};
use nix::unistd::{Pid, alarm, chdir};
use std::os::fd::{AsRawFd, OwnedFd};

/// Where the interpreter finds its socket: beyond the descriptors that shell scripts name.
pub(super) const SOCKET: i32 = 10;
/// How long start-up files may take, in seconds. What takes longer would be paid for by every slot.
pub(super) const STARTUP_TIMEOUT_S: u32 = 10;

/// A process that waits to become an interpreter.
pub(crate) struct Forked {
    pub interpreter: PerSlot,
    pub pid: Pid,
    pub link: Link,
    /// How its programs are scheduled.
    pub ordinary: Ordinary,
}

/// Forks all that are wanted. To be called with all namespaces but the one of processes entered. `procs` is that of the slot's
/// cgroup.
pub(crate) fn fork_all(
    single: &SingleThreaded,
    setup: &Setup,
    ordinary: Ordinary,
    procs: Option<&CgroupProcs>,
) -> Result<Vec<Forked>, Failure> {
    let wanted = setup.warm.iter();
    wanted
        .map(|interpreter| fork(single, *interpreter, setup, ordinary, procs))
        .collect()
}

fn fork(
    single: &SingleThreaded,
    interpreter: PerSlot,
    setup: &Setup,
    ordinary: Ordinary,
    procs: Option<&CgroupProcs>,
) -> Result<Forked, Failure> {
    let (ours, theirs) = control_pair()?;
    match fork::fork(single).map_err(Stage::Fork.failed())? {
        Some(pid) => Ok(Forked {
            interpreter,
            pid,
            link: Link::short(ours),
            ordinary,
        }),
        None => {
            drop(ours);
            name(setup, "warm");
            // Init sees the end of the socket, and goes on without us.
            let _ = become_interpreter(theirs, setup, procs);
            fork::exit_now(1)
        }
    }
}

fn become_interpreter(
    socket: OwnedFd,
    setup: &Setup,
    procs: Option<&CgroupProcs>,
) -> Result<(), Failure> {
    procs.map_or(Ok(()), CgroupProcs::join)?;
    let failed = |_| Failure::new(Stage::Interpreter, 0);
    let os = Stage::Interpreter.failed();
    let (mut link, mut fds) = (Link::new(socket), Vec::new());
    let start: WarmStart = link.recv_with(&mut fds).map_err(failed)?;
    let [output, rest @ ..] = fds.as_slice() else {
        return Err(failed(crate::slot::link::LinkBroken));
    };
    if let [processes] = rest {
        namespaces::join_processes(processes)?;
    }
    chdir(start.workdir.as_str()).map_err(os)?;
    let image = Image::new(candidates(&start.argv, &start.env), &start.argv, &start.env)
        .map_err(|_| Failure::new(Stage::Interpreter, libc::EINVAL))?;
    let null = std::fs::File::open("/dev/null").map_err(|_| Failure::new(Stage::Devices, 0))?;
    let output = output.as_raw_fd();
    socket::replace_stdio([null.as_raw_fd(), output, output]).map_err(os)?;
    socket::hand_on_as(&link, SOCKET).map_err(os)?;
    give_up(setup)?.install()?;
    // A start-up file that never ends is ended; what is loaded at the end of them takes this back.
    alarm::set(STARTUP_TIMEOUT_S);
    Err(Failure::new(Stage::Interpreter, image.exec() as i32))
}
