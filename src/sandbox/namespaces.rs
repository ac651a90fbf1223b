//! Enters the slot's own namespaces and takes on its uid.
//!
//! An ordinary user may map only its own uid, and writes that map itself. Root maps the slot's unprivileged uid,
//! which takes a process that still has its privileges on the host: a helper forked before the step.
//!
//! What the kernel counts for a user counts for the maker of a user namespace too. So root makes the slot's under the
//! slot's uid: a program's timers and signals are then none of root's.

use super::layout::{INNER_GID, INNER_UID};
use crate::spec::policy::Network;
use crate::sys::fork::{self, SingleThreaded};
use crate::sys::wait;
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::Ids;
use caps::CapSet;
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;
use nix::unistd::{
    Gid, Pid, Uid, getegid, geteuid, getpid, pipe, read, setfsgid, setfsuid, setgroups, setresgid,
    setresuid, write,
};
use std::fs;
use std::os::fd::OwnedFd;

/// Creates the namespaces of a slot for this process, all but the network's where it has the host's, and that of
/// processes, which is [`enter_processes`]. The uid is still the runner's afterwards: see [`change_ids`].
pub(crate) fn enter(single: &SingleThreaded, ids: &Ids, network: Network) -> Result<(), Failure> {
    let failed = Stage::Namespaces.failed();
    let mut all = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    if network != Network::Host {
        all |= CloneFlags::CLONE_NEWNET;
    }
    if !ids.change {
        unshare(all).map_err(failed)?;
        return write_maps("self", ids).map_err(Stage::MapIds.failed());
    }
    let parent = getpid();
    let (go, unshared) = pipe().map_err(failed)?;
    let Some(helper) = fork::fork(single).map_err(Stage::Fork.failed())? else {
        drop(unshared);
        let ready = read(&go, &mut [0]);
        let result = if ready == Ok(1) {
            write_maps(&parent.to_string(), ids)
        } else {
            Ok(())
        };
        fork::exit_now(result.err().map_or(0, |e| e as i32));
    };
    let owner = become_owner(ids).map_err(Stage::ChangeIds.failed());
    let result = owner.and_then(|()| unshare(all).map_err(failed));
    if result.is_ok() {
        write(&unshared, &[1]).map_err(failed)?;
    }
    drop(unshared);
    let mapped = reap_helper(helper);
    result.and(mapped)
}

/// Takes on the slot's uid and gid with all capabilities kept, and goes on opening files as who it was: a path below a
/// directory that only the runner may enter can be granted too.
fn become_owner(ids: &Ids) -> Result<(), Errno> {
    let (runner, group) = (geteuid(), getegid());
    let (uid, gid) = (Uid::from_raw(ids.uid), Gid::from_raw(ids.gid));
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    prctl::set_keepcaps(true)?;
    setresuid(uid, uid, uid)?;
    let kept = caps::read(None, CapSet::Permitted).map_err(|_| Errno::last())?;
    caps::set(None, CapSet::Effective, &kept).map_err(|_| Errno::last())?;
    setfsgid(group);
    setfsuid(runner);
    Ok(())
}

/// Creates the PID namespace of a slot: the next child of this process is PID 1 of it.
pub(crate) fn enter_processes() -> Result<(), Failure> {
    unshare(CloneFlags::CLONE_NEWPID).map_err(Stage::Namespaces.failed())
}

/// Makes the children of this process, but not itself, part of a PID namespace.
pub(crate) fn join_processes(namespace: &OwnedFd) -> Result<(), Failure> {
    setns(namespace, CloneFlags::CLONE_NEWPID).map_err(Stage::Namespaces.failed())
}

fn reap_helper(helper: Pid) -> Result<(), Failure> {
    match wait::wait(Some(helper)).map(|reaped| reaped.how) {
        Ok(wait::How::Exited(0)) => Ok(()),
        Ok(wait::How::Exited(errno)) => Err(Failure::new(Stage::MapIds, errno)),
        _ => Err(Failure::new(Stage::MapIds, 0)),
    }
}

/// Takes on the slot's uid and gid; capabilities in the user namespace stay. For root in either tier.
pub(crate) fn change_ids(uid: u32, gid: u32) -> Result<(), Failure> {
    let failed = Stage::ChangeIds.failed();
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    setgroups(&[]).map_err(failed)?;
    setresgid(gid, gid, gid).map_err(failed)?;
    setresuid(uid, uid, uid).map_err(failed)
}

fn write_maps(pid: &str, ids: &Ids) -> Result<(), Errno> {
    let put = |name: &str, text: String| {
        fs::write(format!("/proc/{pid}/{name}"), text)
            .map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)))
    };
    if !ids.change {
        // Without this an unprivileged gid_map is refused (user_namespaces(7)).
        put("setgroups", "deny".into())?;
    }
    put("uid_map", format!("{INNER_UID} {} 1", ids.uid))?;
    put("gid_map", format!("{INNER_GID} {} 1", ids.gid))
}
