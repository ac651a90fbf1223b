//! The exec zygote: parked, filtered, and for each launch one fork.
//!
//! It holds no state of an episode. It is single-threaded and waits for its one child, so that the child's exit
//! status and resource use reach init in the same message.

use super::cgroup::CgroupProcs;
use super::give_up::give_up;
use super::link::{Link, LinkBroken};
use super::search_path::candidates;
use crate::sandbox::child::{self, Plan};
use crate::sandbox::ruleset::{Ruleset, Scene};
use crate::sys::clock::{RunDelay, monotonic_ns};
use crate::sys::exec::Image;
use crate::sys::fork::{SingleThreaded, Stack, vfork};
use crate::sys::sched::{self, Ordinary};
use crate::sys::wait::{How, wait};
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::{Exit, ExitKind, Launch, Setup};
use nix::unistd::Pid;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

struct Zygote<'a> {
    single: SingleThreaded,
    setup: &'a Setup,
    /// What each program enforces on itself; None where the zygote has done so, for all.
    ruleset: Option<OwnedFd>,
    stack: Stack,
    /// How programs are scheduled.
    ordinary: Ordinary,
    run_delay: RunDelay,
}

/// Waits until init has built the root, restricts itself, and serves launches until init releases it or is gone. `procs`
/// is that of the slot's cgroup, `warm` children of this process that init may keep as warm interpreters.
pub(super) fn main(
    single: SingleThreaded,
    mut init: Link,
    setup: &Setup,
    ordinary: Ordinary,
    run_delay: RunDelay,
    procs: Option<CgroupProcs>,
    warm: Vec<Pid>,
) {
    if serve(single, &mut init, setup, ordinary, run_delay, procs, warm).is_err() {
        // The runner has died, and with it all inits.
        std::thread::sleep(Duration::from_millis(setup.end_delay_ms().into()));
    }
}

fn serve(
    single: SingleThreaded,
    init: &mut Link,
    setup: &Setup,
    ordinary: Ordinary,
    run_delay: RunDelay,
    procs: Option<CgroupProcs>,
    warm: Vec<Pid>,
) -> Result<(), LinkBroken> {
    // It takes a while, as does what init does meanwhile.
    let inside = procs.map_or(Ok(()), |procs| procs.join());
    let kept: Vec<bool> = init.recv()?;
    let not_kept = warm.into_iter().zip(kept).filter(|(_, kept)| !kept);
    not_kept.for_each(|(pid, _)| super::process::end(pid));
    let prepared = inside.and_then(|()| Zygote::prepare(single, setup, ordinary, run_delay));
    let (mut zygote, abi) = match prepared {
        Ok(ready) => ready,
        Err(failure) => return init.send(&Err::<u32, _>(failure)),
    };
    init.send(&Ok::<_, Failure>(abi))?;
    loop {
        let mut fds = Vec::new();
        let Some(launch) = init.recv_order::<Launch>(&mut fds)? else {
            return Ok(());
        };
        // Closed only after that: init would be woken by the end of the pipes, and at once again by the exit.
        init.send(&zygote.launch(&launch, &fds))?;
    }
}

impl<'a> Zygote<'a> {
    /// Everything that episodes inherit: no capabilities, no new privileges, the filter, and the ruleset where it is the
    /// same for all and scopes no signals, of which the zygote is to be out of reach. A domain of its own costs each
    /// program some 15 µs. Returns the Landlock ABI, otherwise as a rehearsal in a throw-away child found it enforced.
    fn prepare(
        single: SingleThreaded,
        setup: &'a Setup,
        ordinary: Ordinary,
        run_delay: RunDelay,
    ) -> Result<(Self, u32), Failure> {
        let ruleset = Ruleset::prepare(&Scene::of(setup, &[]))?;
        let mut stack = Stack::new().map_err(Stage::Stack.failed())?;
        let filter = give_up(setup)?;
        let (abi, ruleset) = if !setup.tier.has_domain_per_program() && !setup.unusual_places {
            (ruleset.enforce()?, None)
        } else {
            (
                rehearse(&single, &ruleset, &mut stack)?,
                Some(ruleset.into_fd()?),
            )
        };
        filter.install()?;
        Ok((
            Zygote {
                single,
                setup,
                ruleset,
                stack,
                ordinary,
                run_delay,
            },
            abi,
        ))
    }

    fn launch(&mut self, launch: &Launch, fds: &[OwnedFd]) -> Exit {
        let nothing = Exit {
            ended: ExitKind::Failed(Failure::new(Stage::Order, libc::EBADMSG)),
            forked_ns: 0,
            running_ns: 0,
            ended_ns: monotonic_ns(),
            cpu_us: 0,
            max_rss_bytes: 0,
        };
        let failed = |failure| Exit {
            ended: ExitKind::Failed(failure),
            ..nothing
        };
        let [Some(stdin), Some(stdout), Some(stderr)] = [0, 1, 2].map(|i| fds.get(i)) else {
            return nothing;
        };
        // Where the zygote's own ruleset is in force, another one comes on top of it.
        let ruleset = fds.get(3).or(self.ruleset.as_ref());
        let image = Image::new(
            candidates(&launch.argv, &launch.env),
            &launch.argv,
            &launch.env,
        );
        let (Ok(image), Ok(workdir)) = (image, CString::new(launch.workdir.as_str())) else {
            return nothing;
        };
        let stdio = [stdin.as_raw_fd(), stdout.as_raw_fd(), stderr.as_raw_fd()];
        let plan = Plan {
            image,
            workdir,
            stdio,
            rlimits: &launch.rlimits,
            ruleset: ruleset.map(AsFd::as_fd),
            ordinary: self.ordinary,
            terminal: launch.terminal,
            // The filter lets a process set the priority of another only where those are the slot's own.
            lends_precedence: self.setup.tier.has_own_processes(),
        };

        let mut refused = None;
        let waited_ns = self.run_delay.ns();
        let forked_ns = monotonic_ns();
        let child = match vfork(&self.single, &mut self.stack, || {
            refused = Some(child::run(&plan));
            127
        }) {
            Ok(child) => child,
            Err(errno) => return failed(Failure::new(Stage::Fork, errno as i32)),
        };
        // The child shares our memory until it execs: `refused` is set exactly when it did not get that far.
        // We were woken when it did, and may have waited for a core since.
        let running_ns = match refused {
            None => {
                let waited_ns = self.run_delay.ns().saturating_sub(waited_ns);
                (monotonic_ns().saturating_sub(waited_ns)).max(forked_ns)
            }
            Some(_) => 0,
        };
        sched::end_precedence(child, self.ordinary);
        match reap(child) {
            Ok((how, cpu_us, max_rss_bytes)) => Exit {
                ended: refused.unwrap_or(how),
                forked_ns,
                running_ns,
                ended_ns: monotonic_ns(),
                cpu_us,
                max_rss_bytes,
            },
            Err(failure) => failed(failure),
        }
    }
}

fn rehearse(single: &SingleThreaded, ruleset: &Ruleset, stack: &mut Stack) -> Result<u32, Failure> {
    let mut rehearsal = Err(Failure::new(Stage::Landlock, 0));
    let child = vfork(single, stack, || {
        rehearsal = ruleset.enforce();
        0
    });
    let child = child.map_err(Stage::Fork.failed())?;
    wait(Some(child)).map_err(Stage::Wait.failed())?;
    rehearsal
}

fn reap(child: Pid) -> Result<(ExitKind, u64, u64), Failure> {
    let reaped = wait(Some(child)).map_err(Stage::Wait.failed())?;
    let how = match reaped.how {
        How::Exited(code) => ExitKind::Exited(code),
        How::Signaled(signal) => ExitKind::Signaled(signal),
    };
    Ok((how, reaped.cpu_us, reaped.max_rss_bytes))
}
