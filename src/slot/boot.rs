//! Entry point of the slot side: from a fresh re-exec to init and zygote.

use super::cgroup::{self, Cgroup, CgroupProcs};
use super::init::{self, Zygotes};
use super::link::Link;
use super::space::Space;
use super::{clean, signals, warm, zygote};
use crate::sandbox::root::OpenGrants;
use crate::sandbox::ruleset::contain_signals;
use crate::sandbox::{layout, namespaces, privileges};
use crate::spec::policy::Tier;
use crate::sys::clock::RunDelay;
use crate::sys::remove::{remove, remove_contents};
use crate::sys::sched::{self, Ordinary};
use crate::sys::{fork, socket, terminal};
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::{Reply, Setup, VERSION};
use nix::errno::Errno;
use nix::sys::prctl::{set_child_subreaper, set_name};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Pid, Uid, chown, setpgid};
use std::ffi::CString;
use std::fs::DirBuilder;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Runs the slot side of this program; the control socket is on descriptor 0. Never returns.
pub fn main() -> ! {
    // What the runner was started with (a shell's `exec 3<file`) is nothing that an episode may read.
    if fork::close_inherited().is_err() {
        fork::exit_now(2);
    }
    let code = match socket::take_stdin() {
        Ok(control) => run(Link::new(control)),
        Err(_) => 2,
    };
    fork::exit_now(code)
}

fn run(mut runner: Link) -> i32 {
    let mut fds = Vec::new();
    let Ok(setup) = runner.recv_with::<Setup>(&mut fds) else {
        return 1;
    };
    if setup.version != VERSION {
        return refuse(&runner, Failure::new(Stage::Version, 0));
    }
    if let Err(errno) = quiet_down() {
        return refuse(&runner, Failure::new(Stage::Fork, errno as i32));
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
        ordinary: sched::take_precedence(),
        procs,
        cgroup,
        pythons: fds,
    };
    let built = match setup.tier {
        Tier::Namespaces => namespaces_tier(runner, setup, given),
        Tier::Landlock => landlock_tier(runner, setup, given),
    };
    match built {
        Ok(code) => code,
        Err((runner, failure)) => refuse(&runner, failure),
    }
}

fn refuse(runner: &Link, failure: Failure) -> i32 {
    // If the runner is gone there is nobody left to tell.
    let _ = runner.send(&Reply::Refused(failure));
    1
}

/// Leaves the runner's process group, terminal, signals and umask behind.
pub fn quiet_down() -> Result<(), Errno> {
    setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
    terminal::leave();
    signals::reset()?;
    umask(Mode::from_bits_truncate(0o022));
    // When the host runs out of memory, episodes go before the training job does. Raising needs no privilege
    // (proc_pid_oom_score_adj(5)); where /proc is not there, so is the need.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
    Ok(())
}

type Built = Result<i32, (Link, Failure)>;

/// What a slot starts with, besides its orders.
struct Given {
    /// How programs are scheduled.
    ordinary: Ordinary,
    /// For the zygotes to join the slot's cgroup, where there is one.
    procs: Option<CgroupProcs>,
    cgroup: Option<Cgroup>,
    pythons: Vec<OwnedFd>,
}

/// This process becomes the zygote, and its child PID 1 of the slot.
fn namespaces_tier(runner: Link, setup: Setup, given: Given) -> Built {
    let prepared = (|| {
        namespaces::enter(&setup.ids, setup.grants.network)?;
        let grants = OpenGrants::open(&setup.grants)?;
        if setup.ids.change {
            namespaces::change_ids(layout::INNER_UID, layout::INNER_GID)?;
        }
        let warm = warm::fork(&setup, given.ordinary, given.procs.as_ref())?;
        namespaces::enter_processes()?;
        // Before init has hidden it.
        let run_delay = RunDelay::open();
        Ok((grants, warm, run_delay, control_pair()?))
    })();
    let (grants, warm, run_delay, (for_init, for_zygote)) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => return Err((runner, failure)),
    };
    match fork::fork() {
        Err(errno) => Err((runner, Failure::new(Stage::Fork, errno as i32))),
        Ok(None) => {
            drop((for_zygote, given.procs));
            name(&setup, "init");
            Ok(init::main(
                runner,
                Link::short(for_init),
                setup,
                Some(grants),
                Zygotes {
                    exec: None,
                    nice: given.ordinary.nice,
                    warm,
                    pythons: given.pythons,
                },
                given.cgroup,
            ))
        }
        Ok(Some(init)) => {
            let bash = warm.map(|forked| forked.pid);
            drop((runner, for_init, grants, given.cgroup, given.pythons));
            name(&setup, "zygote");
            zygote::main(
                Link::new(for_zygote),
                &setup,
                given.ordinary,
                run_delay,
                given.procs,
                bash,
            );
            // Init ends when the runner or we do; waiting for it leaves no zombie to the runner.
            let _ = crate::sys::wait::wait(Some(init));
            Ok(0)
        }
    }
}

/// This process becomes init, the subreaper of its child, the zygote.
fn landlock_tier(runner: Link, setup: Setup, given: Given) -> Built {
    let prepared = (|| {
        let scratch = make_scratch(&setup)?;
        if setup.ids.change {
            privileges::drop_bounding();
            namespaces::change_ids(setup.ids.uid, setup.ids.gid)?;
        }
        set_child_subreaper(true).map_err(|e| Failure::new(Stage::Fork, e as i32))?;
        contain_signals()?;
        let warm = warm::fork(&setup, given.ordinary, given.procs.as_ref())?;
        Ok((scratch, warm, control_pair()?))
    })();
    let (scratch, warm, (for_init, for_zygote)) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => return Err((runner, failure)),
    };
    match fork::fork() {
        Err(errno) => {
            clean::end_all();
            remove_scratch(&scratch);
            Err((runner, Failure::new(Stage::Fork, errno as i32)))
        }
        Ok(None) => {
            drop((runner, for_init, warm, given.cgroup, given.pythons));
            name(&setup, "zygote");
            let run_delay = RunDelay::open();
            zygote::main(
                Link::new(for_zygote),
                &setup,
                given.ordinary,
                run_delay,
                given.procs,
                None,
            );
            Ok(0)
        }
        Ok(Some(zygote)) => {
            drop((for_zygote, given.procs));
            name(&setup, "init");
            let code = init::main(
                runner,
                Link::short(for_init),
                setup,
                None,
                Zygotes {
                    exec: Some(zygote),
                    nice: given.ordinary.nice,
                    warm,
                    pythons: given.pythons,
                },
                given.cgroup,
            );
            remove_scratch(&scratch);
            Ok(code)
        }
    }
}

/// Removes what nobody writes to any more.
fn remove_scratch(scratch: &Path) {
    // In a directory that only the runner may write to, the rest is the runner's to remove.
    if remove(scratch).is_err() {
        let _ = remove_contents(scratch);
    }
}

pub fn control_pair() -> Result<(OwnedFd, OwnedFd), Failure> {
    socket::pair().map_err(|e| Failure::new(Stage::Zygote, e as i32))
}

/// Makes the slot's own directory, which only its uid may enter.
fn make_scratch(setup: &Setup) -> Result<PathBuf, Failure> {
    let failed = |errno: i32| Failure::new(Stage::Scratch, errno);
    let io = |e: std::io::Error| failed(e.raw_os_error().unwrap_or(0));
    let scratch = setup.scratch.clone().ok_or(failed(libc::EINVAL))?;
    let names = layout::SCRATCH.iter().map(|(_, name)| scratch.join(name));
    for path in [scratch.clone()].into_iter().chain(names) {
        DirBuilder::new().mode(0o700).create(&path).map_err(io)?;
        if setup.ids.change {
            let (uid, gid) = (Uid::from_raw(setup.ids.uid), Gid::from_raw(setup.ids.gid));
            chown(&path, Some(uid), Some(gid)).map_err(|e| failed(e as i32))?;
        }
    }
    Ok(scratch)
}

pub fn name(setup: &Setup, role: &str) {
    // 15 bytes at most (PR_SET_NAME); for people who look at `ps`, so a failure does not matter.
    if let Ok(name) = CString::new(format!("slot{} {role}", setup.slot)) {
        let _ = set_name(&name);
    }
}

/// Opens the space of a slot whose root is built.
pub fn open_space(setup: &Setup) -> Result<Space, Failure> {
    let scratch = setup.scratch.clone().unwrap_or_else(|| PathBuf::from("/"));
    Space::open(
        setup.tier,
        scratch,
        setup.grants.writable.clone(),
        setup.open_root,
    )
    .map_err(|e| Failure::new(Stage::Scratch, e as i32))
}
