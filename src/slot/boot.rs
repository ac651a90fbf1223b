//! Entry point of the slot side: from a fresh re-exec to init and zygote.

use super::cgroup::{self, Cgroup, CgroupProcs};
use super::init::{self, Zygotes};
use super::link::Link;
use super::process::{control_pair, name, quiet_down};
use super::warm::{self, Forked};
use super::zygote;
use crate::sandbox::root::OpenGrants;
use crate::sandbox::{privileges, tier};
use crate::sys::clock::RunDelay;
use crate::sys::fork::{self, SingleThreaded};
use crate::sys::sched::{self, Ordinary};
use crate::sys::socket;
use crate::sys::wait::wait;
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::{Reply, Setup};
use nix::sys::prctl::get_name;
use nix::unistd::Pid;
use std::io::Write;
use std::os::fd::OwnedFd;

/// Runs the slot side of this program; the control socket is on descriptor 0. Never returns.
pub fn main() -> ! {
    print_panics_in_a_line();
    // What the runner was started with (a shell's `exec 3<file`) is nothing that an episode may read.
    let code = match (SingleThreaded::begin(), socket::take_stdin()) {
        (Ok(single), Ok(control)) => run(Link::new(control), single),
        _ => 2,
    };
    fork::exit_now(code)
}

/// Where the runner looks for the reason when this slot dies (`pool::slot_log`).
fn print_panics_in_a_line() {
    std::panic::set_hook(Box::new(|panic| {
        let name = get_name().unwrap_or_default();
        let text = panic.to_string().replace('\n', " ");
        let line = format!("{}: {text}\n", name.to_string_lossy());
        // At once: others write there too.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }));
}

fn run(mut runner: Link, single: SingleThreaded) -> i32 {
    let mut fds = Vec::new();
    let Ok(setup) = runner.recv_with::<Setup>(&mut fds) else {
        return 1;
    };
    if let Err(errno) = quiet_down() {
        return refuse(&runner, Failure::new(Stage::Detach, errno as i32));
    }
    if let Err(failure) = privileges::forbid_cores().and_then(|()| privileges::forbid_new()) {
        return refuse(&runner, failure);
    }
    let taken = setup.cgroup.then(|| cgroup::take(&mut fds)).transpose();
    let (procs, cgroup) = match taken {
        Ok(taken) => taken.unzip(),
        Err(failure) => return refuse(&runner, failure),
    };
    let given = Given {
        single,
        ordinary: sched::take_precedence(),
        procs,
        cgroup,
        pythons: fds,
    };
    match prepare(&setup, &given) {
        Ok(prepared) => become_slot(runner, setup, given, prepared),
        Err(failure) => refuse(&runner, failure),
    }
}

fn refuse(runner: &Link, failure: Failure) -> i32 {
    // If the runner is gone there is nobody left to tell.
    let _ = runner.send(&Reply::Refused(failure));
    1
}

/// What a slot starts with, besides its orders.
struct Given {
    single: SingleThreaded,
    /// How programs are scheduled.
    ordinary: Ordinary,
    /// For the zygotes to join the slot's cgroup, where there is one.
    procs: Option<CgroupProcs>,
    cgroup: Option<Cgroup>,
    pythons: Vec<OwnedFd>,
}

/// What init and the exec zygote both get.
struct Prepared {
    grants: OpenGrants,
    warm: Vec<Forked>,
    for_init: OwnedFd,
    for_zygote: OwnedFd,
}

fn prepare(setup: &Setup, given: &Given) -> Result<Prepared, Failure> {
    let isolation = tier::of(setup.tier);
    let grants = isolation.enter(setup, &given.single)?;
    let warm = warm::fork_all(&given.single, setup, given.ordinary, given.procs.as_ref())?;
    isolation.enter_processes()?;
    let (for_init, for_zygote) = control_pair()?;
    Ok(Prepared {
        grants,
        warm,
        for_init,
        for_zygote,
    })
}

/// Becomes init and the exec zygote, one of which forks the other: the first process of a PID namespace has to be forked, and
/// the subreaper of all others has to be their parent. The exit code of either.
fn become_slot(runner: Link, setup: Setup, given: Given, prepared: Prepared) -> i32 {
    let init_is_forked = setup.tier.has_own_processes();
    // Before init has hidden it.
    let run_delay = init_is_forked.then(RunDelay::open);
    let child = match fork::fork(&given.single) {
        Ok(child) => child,
        Err(errno) => {
            let isolation = tier::of(setup.tier);
            isolation.end_processes();
            isolation.remove_made(&setup);
            return refuse(&runner, Failure::new(Stage::Fork, errno as i32));
        }
    };
    if init_is_forked == child.is_none() {
        return be_init(runner, setup, given, prepared, child);
    }
    drop(runner);
    let run_delay = run_delay.unwrap_or_else(RunDelay::open);
    be_zygote(&setup, given, prepared, run_delay, child.is_some());
    // Init ends when the runner or we do; waiting for it leaves no zombie to the runner.
    if let Some(init) = child {
        let _ = wait(Some(init));
    }
    0
}

/// `exec` is the exec zygote, where it was forked by this process; the exit code.
fn be_init(runner: Link, setup: Setup, given: Given, prepared: Prepared, exec: Option<Pid>) -> i32 {
    drop((prepared.for_zygote, given.procs));
    name(&setup, "init");
    let ordinary = given.ordinary;
    let zygotes = Zygotes {
        exec,
        nice: ordinary.nice,
        warm: prepared.warm,
        pythons: given.pythons,
    };
    let zygote = Link::short(prepared.for_init);
    let code = init::main(
        given.single,
        runner,
        zygote,
        &setup,
        prepared.grants,
        zygotes,
        given.cgroup,
    );
    // The directory above is everybody's, and whoever has its lock needs a core: a real-time process that wants it takes that
    // core and spins, for most of a second (rwsem_down_write_slowpath in kernel/locking/rwsem.c).
    sched::give_up_precedence(ordinary);
    tier::of(setup.tier).remove_made(&setup);
    code
}

/// `is_parent`: whether the warm interpreters and init are children of this process.
fn be_zygote(
    setup: &Setup,
    given: Given,
    prepared: Prepared,
    run_delay: RunDelay,
    is_parent: bool,
) {
    let warm = if is_parent {
        prepared.warm.iter().map(|forked| forked.pid).collect()
    } else {
        Vec::new()
    };
    drop((
        prepared.for_init,
        prepared.warm,
        prepared.grants,
        given.cgroup,
        given.pythons,
    ));
    name(setup, "zygote");
    let init = Link::new(prepared.for_zygote);
    zygote::main(
        given.single,
        init,
        setup,
        given.ordinary,
        run_delay,
        given.procs,
        warm,
    );
}
