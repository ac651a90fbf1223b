//! Init: builds the sandbox, then runs episodes until the runner is gone.

use super::attachment::Attachment;
use super::census::Census;
use super::cgroup::Cgroup;
use super::clean::Cleaner;
use super::episode::BuiltSlot;
use super::link::{Link, LinkBroken};
use super::look_guard::LookGuard;
use super::out_of_memory::OutOfMemory;
use super::pipes::READ_BYTES;
use super::process;
use super::shared_memory::SharedMemory;
use super::space::Space;
use super::stalled::Machine;
use super::warm::{self, Interpreter, Python};
use super::{session, signals};
use crate::sandbox::quotas::OwnLimits;
use crate::sandbox::root::OpenGrants;
use crate::sandbox::{privileges, tier};
use crate::spec::execution::Unclean;
use crate::spec::limits::Limits;
use crate::spec::policy::Enforced;
use crate::sys::cores;
use crate::sys::fork::SingleThreaded;
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::{Reply, Request, Setup};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::os::fd::OwnedFd;

/// How often what start-up files left running is given the time that an episode's processes are given to end.
const START_UP_ROUNDS: u32 = 4;

/// The processes that fork programs, as init has to tell them from programs.
pub(super) struct Zygotes {
    /// The exec zygote, where init is the parent of zygotes.
    pub exec: Option<Pid>,
    /// The nice value of what they fork.
    pub nice: i32,
    pub warm: Vec<warm::Forked>,
    /// Sockets to Pythons, which the runner starts; in the order of the set-up.
    pub pythons: Vec<OwnedFd>,
}

impl Zygotes {
    /// Those that are children of ours.
    fn children(&self) -> Vec<Pid> {
        let all = self.exec.map(|exec| {
            let warm = self.warm.iter().map(|forked| forked.pid);
            std::iter::once(exec).chain(warm).collect()
        });
        all.unwrap_or_default()
    }
}

/// Serves the runner until it is gone; the exit code of this process.
pub(super) fn main(
    single: SingleThreaded,
    runner: Link,
    zygote: Link,
    setup: &Setup,
    grants: OpenGrants,
    zygotes: Zygotes,
    cgroup: Option<Cgroup>,
) -> i32 {
    let isolation = tier::of(setup.tier);
    let shared = SharedMemory::new(cgroup.as_ref().map(|cgroup| cgroup.stat.clone()));
    let mut slot = match build(single, zygote, setup, grants, zygotes, shared) {
        Ok(built) => built(runner, OutOfMemory::new(cgroup)),
        Err(failure) => {
            let _ = runner.send(&Reply::Refused(failure));
            isolation.end_processes();
            return 1;
        }
    };
    let ended = serve(&mut slot);
    if ended.is_ok() || !slot.runner.is_abandoned() {
        slot.release_zygotes();
    }
    // The end of the first process of a PID namespace is that of all others in it. Elsewhere nothing else would see to it.
    let ends_with_us = setup.tier.has_own_processes();
    if !ends_with_us && slot.cleaner.kill_all(&slot.census).is_err() {
        isolation.end_processes();
    }
    i32::from(ended.is_err())
}

/// Builds the sandbox; what comes back makes it the slot that serves this runner.
fn build(
    single: SingleThreaded,
    mut zygote: Link,
    setup: &Setup,
    grants: OpenGrants,
    zygotes: Zygotes,
    shared: SharedMemory,
) -> Result<impl FnOnce(Link, OutOfMemory) -> BuiltSlot, Failure> {
    // Inside there is nothing to open.
    let machine = Machine::open(zygotes.nice);
    let isolation = tier::of(setup.tier);
    isolation.build_root(setup, grants)?;
    let os = |stage: Stage| move |e: Errno| Failure::new(stage, e as i32);
    isolation.drop_privileges()?;
    privileges::forbid_inspection()?;
    // Whoever goes away while it is written to must not take init along.
    crate::sys::signal::ignore(Signal::SIGPIPE).map_err(os(Stage::Signals))?;
    // A process group that has a stopped member is sent this when the runner dies (setpgid(2)). We see to its end.
    crate::sys::signal::ignore(Signal::SIGHUP).map_err(os(Stage::Signals))?;
    let children = signals::child_events().map_err(os(Stage::Signals))?;
    let space = Space::of(setup)?;
    let gone = |_: LinkBroken| Failure::new(Stage::Zygote, 0);
    let census = Census::new(setup.tier, setup.grants.network, zygotes.children(), shared);
    let (kept, warm) = start_warm(zygotes.warm, setup, &space);
    zygote.send(&kept).map_err(gone)?;
    let landlock_abi = zygote.recv::<Result<u32, Failure>>().map_err(gone)??;
    let pythons = Python::invite(zygotes.pythons, setup, &space);
    let own_warm = warm.len() as u32;
    let pythons = pythons.into_iter().map(|python| Box::new(python) as _);
    let all_warm = warm.into_iter().chain(pythons).collect();
    let cleaner = Cleaner::new(&space, setup.grants.network)?;
    end_start_up(&cleaner, &census)?;
    let look_guard = LookGuard::start(single).map_err(Stage::Thread.failed())?;
    let own_limits = OwnLimits::read().map_err(os(Stage::Rlimit))?;
    Ok(move |runner, out_of_memory| BuiltSlot {
        setup: setup.clone(),
        scope: None,
        enforced: Enforced {
            tier: setup.tier,
            landlock_abi,
        },
        census,
        look_guard,
        runner,
        zygote,
        space,
        cleaner,
        children,
        disk_bytes: Limits::default().disk_bytes,
        cores: cores::available() as u64,
        machine,
        buffer: vec![0; READ_BYTES],
        own_processes: isolation.own_processes(setup) + own_warm,
        warm: all_warm,
        own_limits,
        out_of_memory,
    })
}

/// Which of the slot's own interpreters are kept, and those.
fn start_warm(
    forked: Vec<warm::Forked>,
    setup: &Setup,
    space: &Space,
) -> (Vec<bool>, Vec<Box<dyn Interpreter>>) {
    let start = |forked: warm::Forked| {
        let pid = forked.pid;
        let started = warm::start(forked, setup, space);
        // Where it is not ours, it is the zygote's child.
        if started.is_none() && !setup.tier.has_own_processes() {
            process::end(pid);
        }
        started
    };
    let all: Vec<_> = forked.into_iter().map(start).collect();
    let kept = all.iter().map(Option::is_some).collect();
    (kept, all.into_iter().flatten().collect())
}

fn unended() -> Failure {
    Failure::new(Stage::Clean, 0)
}

/// Ends what start-up files left running, which is no part of any episode. Where many slots are built at once, and on a
/// machine that is busy with other things, that may take longer than after an episode.
fn end_start_up(cleaner: &Cleaner, census: &Census) -> Result<(), Failure> {
    for _ in 1..START_UP_ROUNDS {
        match cleaner.kill_all(census) {
            Err(Unclean::Processes) => {}
            ended => return ended.map(drop).map_err(|_| unended()),
        }
    }
    cleaner.kill_all(census).map(drop).map_err(|_| unended())
}

fn serve(slot: &mut BuiltSlot) -> Result<(), LinkBroken> {
    slot.runner.send(&Reply::Ready(slot.enforced))?;
    loop {
        let mut fds = Vec::new();
        let request = match slot.runner.recv_with(&mut fds)? {
            Request::Episode(request) => request,
            Request::Open { sandbox, files } => {
                return session::serve(slot, sandbox.into_owned(), files.into_owned());
            }
            Request::End => return Ok(()),
            Request::Step(_) | Request::Cancel | Request::Put(_) | Request::Get(_) => {
                return Err(LinkBroken);
            }
        };
        let ran = Attachment::of(request.attached, fds)
            .and_then(|attachment| slot.run(&request, attachment));
        match ran {
            Ok(execution) => {
                let clean = execution.unclean.is_none();
                slot.runner.send(&Reply::Ended(Box::new(execution)))?;
                if !clean {
                    return Err(LinkBroken);
                }
            }
            Err(failure) => {
                slot.runner.send(&Reply::Refused(failure))?;
                return Err(LinkBroken);
            }
        }
    }
}
