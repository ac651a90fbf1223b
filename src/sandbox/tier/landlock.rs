//! Landlock, seccomp and rlimits on the host's own file tree. Init is the parent of the zygotes, and inherits what programs
//! leave behind, as their subreaper; the slot has a scratch directory for what programs write.

use super::{Isolation, KILL_TIMEOUT_NS};
use crate::sandbox::call::on;
use crate::sandbox::root::OpenGrants;
use crate::sandbox::ruleset::contain_signals;
use crate::sandbox::{layout, namespaces, privileges};
use crate::spec::policy::Network;
use crate::sys::clock::monotonic_ns;
use crate::sys::fork::SingleThreaded;
use crate::sys::procfs::{children, processes_of};
use crate::sys::remove::{remove, remove_contents};
use crate::sys::wait::reap_ended;
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::{OWN_PROCESSES, Setup};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Gid, Pid, Uid, chown, getpgid, getpgrp, getpid};
use std::collections::BTreeSet;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::time::Duration;

pub(super) struct Landlock;

impl Isolation for Landlock {
    fn enter(&self, setup: &Setup, _: &SingleThreaded) -> Result<OpenGrants, Failure> {
        make_scratch(setup)?;
        if setup.ids.change {
            privileges::drop_bounding();
            namespaces::change_ids(setup.ids.uid, setup.ids.gid)?;
        }
        set_child_subreaper(true).map_err(Stage::Subreaper.failed())?;
        contain_signals()?;
        // What is granted is at its own place, and needs not be opened.
        Ok(OpenGrants::default())
    }

    fn enter_processes(&self) -> Result<(), Failure> {
        Ok(())
    }

    fn build_root(&self, _: &Setup, _: OpenGrants) -> Result<(), Failure> {
        Ok(())
    }

    fn drop_privileges(&self) -> Result<(), Failure> {
        privileges::drop_all()
    }

    fn namespaces(&self, _: Network) -> io::Result<Vec<File>> {
        Ok(Vec::new())
    }

    fn process_namespace(&self) -> io::Result<Option<File>> {
        Ok(None)
    }

    fn user(&self, setup: &Setup) -> (u32, u32) {
        (setup.ids.uid, setup.ids.gid)
    }

    /// Without a uid of the slot's own, everything else that its user runs counts too.
    fn own_processes(&self, setup: &Setup) -> u32 {
        if setup.ids.change {
            OWN_PROCESSES
        } else {
            processes_of(setup.ids.uid) + setup.headroom
        }
    }

    fn processes(&self, zygotes: &[i32]) -> Vec<i32> {
        let mut found = BTreeSet::new();
        let mut unread: Vec<i32> = parents(zygotes).collect();
        while let Some(parent) = unread.pop() {
            for child in children(parent) {
                if !zygotes.contains(&child) && found.insert(child) {
                    unread.push(child);
                }
            }
        }
        found.into_iter().collect()
    }

    fn is_anything_left(&self, zygotes: &[i32]) -> bool {
        !self.processes(zygotes).is_empty()
    }

    fn is_zygote(&self, parent: i32, zygotes: &[i32]) -> bool {
        zygotes.contains(&parent)
    }

    /// A whole group in one call: a storm of forks that stays in its program's group ends at one instant.
    fn kill(&self, zygotes: &[i32]) -> bool {
        for group in groups(zygotes) {
            let _ = killpg(group, Signal::SIGKILL);
        }
        let found = self.processes(zygotes);
        for pid in &found {
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        !found.is_empty()
    }

    /// Init's Landlock domain bounds what it can signal.
    fn end_processes(&self) {
        let begin = monotonic_ns();
        while monotonic_ns() - begin < KILL_TIMEOUT_NS {
            // Goes through all processes of the host, and reaches all of ours at one instant.
            let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
            for _ in 0..200 {
                match reap_ended() {
                    (_, false) => return,
                    (_, true) => std::thread::sleep(Duration::from_micros(100)),
                }
            }
        }
    }

    fn remove_made(&self, setup: &Setup) {
        let Some(scratch) = &setup.scratch else {
            return;
        };
        // In a directory that only the runner may write to, the rest is the runner's to remove.
        if remove(scratch).is_err() {
            let _ = remove_contents(scratch);
        }
    }
}

/// Whose children programs and orphans are.
fn parents(zygotes: &[i32]) -> impl Iterator<Item = i32> {
    std::iter::once(getpid().as_raw()).chain(zygotes.iter().copied())
}

/// Process groups of the programs, and of the orphans that became init's; never init's own.
fn groups(zygotes: &[i32]) -> BTreeSet<Pid> {
    let below = parents(zygotes).flat_map(children);
    let groups = below.filter_map(|pid| getpgid(Some(Pid::from_raw(pid))).ok());
    groups.filter(|group| *group != getpgrp()).collect()
}

/// Makes the slot's own directory, which only its uid may enter.
fn make_scratch(setup: &Setup) -> Result<(), Failure> {
    let missing = || Failure::new(Stage::Scratch, libc::EINVAL);
    let scratch = setup.scratch.as_ref().ok_or_else(missing)?;
    let names = layout::of(setup)
        .scratch
        .iter()
        .map(|(_, name)| scratch.join(name));
    for path in [scratch.clone()].into_iter().chain(names) {
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(on("mkdir", &path))
            .map_err(Stage::Scratch.failed())?;
        if setup.ids.change {
            let (uid, gid) = (Uid::from_raw(setup.ids.uid), Gid::from_raw(setup.ids.gid));
            chown(&path, Some(uid), Some(gid))
                .map_err(on("chown", &path))
                .map_err(Stage::Scratch.failed())?;
        }
    }
    Ok(())
}
