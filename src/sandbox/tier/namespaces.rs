//! User, PID, mount, IPC, network, UTS and cgroup namespaces, and a root of the slot's own. Init is the first process of the
//! PID namespace; zygotes are outside of it.

use super::Isolation;
use crate::sandbox::layout::{self, INNER_GID, INNER_UID};
use crate::sandbox::root::{self, OpenGrants};
use crate::sandbox::{namespaces, network, privileges, quotas};
use crate::spec::policy::Network;
use crate::sys::fork::SingleThreaded;
use crate::sys::procfs::all_processes;
use crate::wire::failure::Failure;
use crate::wire::message::{OWN_PROCESSES, Setup};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::io;

pub(super) struct Namespaces;

/// As PID 1: everything in the namespace but itself, at one instant, however fast it forks. Only where nothing is there, not
/// even a zombie, is it ESRCH (kill(2)).
fn signal_all(signal: Option<Signal>) -> bool {
    kill(Pid::from_raw(-1), signal) != Err(Errno::ESRCH)
}

fn open(namespace: &str) -> io::Result<File> {
    File::open(format!("/proc/self/ns/{namespace}"))
}

impl Isolation for Namespaces {
    fn enter(&self, setup: &Setup, single: &SingleThreaded) -> Result<OpenGrants, Failure> {
        namespaces::enter(single, &setup.ids, setup.grants.network)?;
        let grants = OpenGrants::open(&setup.grants, layout::of(setup))?;
        if setup.ids.change {
            namespaces::change_ids(INNER_UID, INNER_GID)?;
        }
        Ok(grants)
    }

    fn enter_processes(&self) -> Result<(), Failure> {
        namespaces::enter_processes()
    }

    fn build_root(&self, setup: &Setup, grants: OpenGrants) -> Result<(), Failure> {
        root::build(grants, setup)?;
        quotas::bound_user_namespace(setup.sharing())?;
        network::bring_up(setup.grants.network)?;
        if setup.open_root {
            root::seal_proc()?;
        }
        Ok(())
    }

    fn drop_privileges(&self) -> Result<(), Failure> {
        privileges::drop_for_init()
    }

    fn namespaces(&self, network: Network) -> io::Result<Vec<File>> {
        let own_network = (network != Network::Host).then_some("net");
        let others = ["user", "mnt", "ipc", "uts", "cgroup", "pid"];
        others.into_iter().chain(own_network).map(open).collect()
    }

    fn process_namespace(&self) -> io::Result<Option<File>> {
        open("pid").map(Some)
    }

    fn user(&self, _: &Setup) -> (u32, u32) {
        (INNER_UID, INNER_GID)
    }

    fn own_processes(&self, _: &Setup) -> u32 {
        OWN_PROCESSES
    }

    /// The PID namespace holds init and the episode, nothing else.
    fn processes(&self, _: &[i32]) -> Vec<i32> {
        let mut all = all_processes();
        all.retain(|pid| *pid != 1);
        all
    }

    fn is_anything_left(&self, _: &[i32]) -> bool {
        signal_all(None)
    }

    /// A parent outside of the namespace reads as 0.
    fn is_zygote(&self, parent: i32, _: &[i32]) -> bool {
        parent == 0
    }

    fn kill(&self, _: &[i32]) -> bool {
        signal_all(Some(Signal::SIGKILL))
    }

    /// The end of PID 1 is that of every process in the namespace.
    fn end_processes(&self) {}

    fn remove_made(&self, _: &Setup) {}
}
