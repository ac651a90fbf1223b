//! Init: builds the sandbox, then runs episodes until the runner is gone.

use super::boot::open_space;
use super::census::Census;
use super::cgroup::Cgroup;
use super::clean::{self, Cleaner};
use super::episode::BuiltSlot;
use super::link::{Link, LinkBroken};
use super::look_guard::LookGuard;
use super::out_of_memory::OutOfMemory;
use super::pipes::READ_BYTES;
use super::shared_memory::SharedMemory;
use super::stalled::Machine;
use super::warm::{self, Bash, Python};
use super::{session, signals};
use crate::sandbox::quotas::{self, OwnLimits};
use crate::sandbox::root::{self, OpenGrants};
use crate::sandbox::{network, privileges};
use crate::spec::limits::Limits;
use crate::spec::policy::{Enforced, Tier};
use crate::sys::cores;
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::{OWN_PROCESSES, Reply, Request, Setup};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::os::fd::OwnedFd;

/// How often what start-up files left running is given the time that an episode's processes are given to end.
const START_UP_ROUNDS: u32 = 4;

/// The processes that fork programs, as init has to tell them from programs.
pub struct Zygotes {
    pub exec: Option<Pid>,
    /// The nice value of what they fork.
    pub nice: i32,
    pub warm: Option<warm::Forked>,
    /// Sockets to Pythons, which the runner starts; in the order of the set-up.
    pub pythons: Vec<OwnedFd>,
}

impl Zygotes {
    /// Those that are children of ours.
    fn children(&self, tier: Tier) -> Vec<Pid> {
        match tier {
            Tier::Namespaces => Vec::new(),
            Tier::Landlock => self
                .exec
                .into_iter()
                .chain(self.warm.as_ref().map(|w| w.pid))
                .collect(),
        }
    }
}

/// Serves the runner until it is gone; the exit code of this process. `grants` come with a root to build,
/// a pid of the exec zygote with the landlock tier, where it is our child.
pub fn main(
    runner: Link,
    zygote: Link,
    setup: Setup,
    grants: Option<OpenGrants>,
    zygotes: Zygotes,
    cgroup: Option<Cgroup>,
) -> i32 {
    let shared = SharedMemory::new(cgroup.as_ref().map(|cgroup| cgroup.stat.clone()));
    let mut slot = match build(zygote, &setup, grants, zygotes, shared) {
        Ok(built) => built(runner, OutOfMemory::new(cgroup)),
        Err(failure) => {
            let _ = runner.send(&Reply::Refused(failure));
            if setup.tier == Tier::Landlock {
                clean::end_all();
            }
            return 1;
        }
    };
    let ended = serve(&mut slot);
    if ended.is_ok() || !slot.runner.is_abandoned() {
        slot.release_zygotes();
    }
    // In the namespaces tier our end is that of every process in it; here nothing else would see to it.
    if setup.tier == Tier::Landlock && slot.cleaner.kill_all(&slot.census).is_err() {
        clean::end_all();
    }
    i32::from(ended.is_err())
}

/// Builds the sandbox; what comes back makes it the slot that serves this runner.
fn build(
    mut zygote: Link,
    setup: &Setup,
    grants: Option<OpenGrants>,
    zygotes: Zygotes,
    shared: SharedMemory,
) -> Result<impl FnOnce(Link, OutOfMemory) -> BuiltSlot, Failure> {
    // Inside there is nothing to open.
    let machine = Machine::open(zygotes.nice);
    if let Some(grants) = grants {
        build_root(grants, setup)?;
    }
    let os = |stage: Stage| move |e: Errno| Failure::new(stage, e as i32);
    privileges::drop_for_init(setup.tier)?;
    privileges::forbid_inspection()?;
    // Whoever goes away while it is written to must not take init along.
    crate::sys::signal::ignore(Signal::SIGPIPE).map_err(os(Stage::Fork))?;
    let children = signals::child_events().map_err(os(Stage::Fork))?;
    let space = open_space(setup)?;
    let gone = |_: LinkBroken| Failure::new(Stage::Zygote, 0);
    let census = Census::new(
        setup.tier,
        setup.grants.network,
        zygotes.children(setup.tier),
        shared,
    );
    let forked = zygotes.warm.as_ref().map(|forked| forked.pid);
    let bash = zygotes
        .warm
        .and_then(|forked| Bash::start(forked, setup, &space));
    // Elsewhere it is the zygote's child.
    if bash.is_none() && setup.tier == Tier::Landlock {
        forked.into_iter().for_each(warm::end);
    }
    zygote.send(&bash.is_some()).map_err(gone)?;
    let landlock_abi = zygote.recv::<Result<u32, Failure>>().map_err(gone)??;
    let pythons = Python::invite(zygotes.pythons, setup, &space);
    let cleaner = Cleaner::new(&space, setup.grants.network)?;
    end_start_up(&cleaner, &census)?;
    let look_guard =
        LookGuard::start().map_err(|e| Failure::new(Stage::Fork, e.raw_os_error().unwrap_or(0)))?;
    let own_limits = OwnLimits::read().map_err(os(Stage::Rlimit))?;
    Ok(move |runner, out_of_memory| BuiltSlot {
        setup: setup.clone(),
        apart: None,
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
        own_processes: own_processes(setup) + u32::from(bash.is_some()),
        bash,
        pythons,
        own_limits,
        out_of_memory,
    })
}

/// Ends what start-up files left running, which is no part of any episode. Where many slots are built at once, and on a
/// machine that is busy with other things, that may take longer than after an episode.
fn end_start_up(cleaner: &Cleaner, census: &Census) -> Result<(), Failure> {
    for _ in 1..START_UP_ROUNDS {
        match cleaner.kill_all(census) {
            Err(failure) if failure.errno == libc::ETIMEDOUT => {}
            ended => return ended.map(drop),
        }
    }
    cleaner.kill_all(census).map(drop)
}

fn build_root(grants: OpenGrants, setup: &Setup) -> Result<(), Failure> {
    root::build(grants, setup)?;
    quotas::bound_user_namespace(setup.sharing())?;
    network::bring_up(setup.grants.network)?;
    if setup.open_root {
        root::seal_proc()?;
    }
    Ok(())
}

/// Processes beside the program's that count as processes of the slot's uid. Without one of its own, so does everything
/// else the user runs.
fn own_processes(setup: &Setup) -> u32 {
    match setup.tier {
        Tier::Landlock if !setup.ids.change => {
            crate::sys::procfs::processes_of(setup.ids.uid) + setup.headroom
        }
        _ => OWN_PROCESSES,
    }
}

fn serve(slot: &mut BuiltSlot) -> Result<(), LinkBroken> {
    slot.runner.send(&Reply::Ready(slot.enforced))?;
    loop {
        let request = match slot.runner.recv()? {
            Request::Episode(request) => request,
            Request::Open(limits) => return session::serve(slot, limits),
            Request::End => return Ok(()),
            Request::Exec(_) | Request::Cancel | Request::Put(_) | Request::Get(_) => {
                return Err(LinkBroken);
            }
        };
        match slot.run(&request) {
            Ok(execution) => {
                let clean = execution.clean;
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
