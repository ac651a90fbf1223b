//! What the host does to programs, as far as only the runner can see it: kills for lack of memory where slots have no cgroup
//! of their own, and processes that the runner's pids cgroup or its user's limit refuses. What is found becomes part of an episode's facts.
//!
//! What counts for the whole machine is no evidence: other programs are killed beside us all the time. In the order in
//! which it is asked:
//!
//! 1. The memory cgroup that the runner is in. While it counts no kill, no slot's process was killed.
//! 2. Root's slots have uids of their own, and the kernel's log names the uid of whom it kills.
//! 3. Where that can't be read, the cgroup's count alone: each kill explains one program that died of SIGKILL then.

mod kernel_log;
mod kills;
mod refusals;
mod user;

use super::cgroup;
use super::ids::uid_per_slot;
use super::slot::Slot;
use crate::spec::execution::{Execution, StepExecution};
use crate::spec::host_fault::{CountedBy, HostFault, RefusedBy};
use crate::spec::limits::Limits;
use crate::spec::policy::Tier;
use kernel_log::KernelLog;
use kills::Kills;
use nix::unistd::geteuid;
use refusals::Refusals;
use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;
use user::User;

/// How long after a kill the kernel may take to log it.
const LOG_DELAY: Duration = Duration::from_millis(20);

/// The sources of evidence that this machine has.
pub(super) struct Host {
    kills: Option<Kills>,
    log: Option<RefCell<KernelLog>>,
    refusals: Option<Refusals>,
    user: Option<User>,
}

/// Whose programs they are.
#[derive(Clone, Copy)]
pub(super) struct Whose {
    /// Of the slot, where no other slot has it.
    uid: Option<u32>,
    has_cgroup: bool,
}

impl Whose {
    pub(super) fn of(slot: &Slot) -> Whose {
        Whose {
            uid: slot.own_uid,
            has_cgroup: slot.has_cgroup,
        }
    }
}

impl Host {
    /// For slots of this tier that may have so many processes together. To be called before the runner moves to another cgroup.
    pub(super) fn open(tier: Tier, processes: u32) -> Host {
        let is_user = matches!(uid_per_slot(), Ok(false));
        let user = is_user.then(|| User::new(geteuid().as_raw(), tier, processes));
        Host {
            user: user.flatten(),
            kills: cgroup::kills_in_own().map(Kills::new),
            log: KernelLog::open().map(RefCell::new),
            refusals: cgroup::refusals_in_own().map(Refusals::new),
        }
    }

    /// To be called a few times a second.
    pub(super) fn look(&self) {
        if let Some(kills) = &self.kills {
            kills.look();
        }
        if let Some(refusals) = &self.refusals {
            refusals.look();
        }
        if let Some(user) = &self.user {
            user.look();
        }
    }

    /// To be called when the kernel has refused a slot a process.
    pub(super) fn refused_processes(&self) {
        if let Some(user) = &self.user {
            user.was_full();
        }
    }

    /// To be called when an episode is handed to its slot.
    pub(super) fn before(&self, whose: Whose) {
        if let (Some(log), Some(uid), false) = (&self.log, whose.uid, whose.has_cgroup) {
            log.borrow_mut().forget(uid);
        }
    }

    /// Adds to the facts what the host kept from the programs.
    pub(super) async fn explain(&self, whose: Whose, limits: &Limits, facts: &mut Execution) {
        for step in &mut facts.steps {
            if step.was_killed()
                && !whose.has_cgroup
                && let Some(counted_by) = self.killed(whose.uid, step).await
            {
                step.blame_host(HostFault::Killed(counted_by), limits);
            }
            if step.failure().is_some()
                && let Some(refused_by) = self.refused(step)
            {
                step.blame_host(HostFault::NoProcesses(refused_by), limits);
            }
        }
    }

    /// What may have refused the program a process. Its own limit is met before that of a cgroup, and not counted there.
    fn refused(&self, step: &StepExecution) -> Option<RefusedBy> {
        let (from_ns, to_ns) = (step.running_ns, step.ended_ns);
        if (self.refusals.as_ref()).is_some_and(|refusals| refusals.any(from_ns, to_ns)) {
            return Some(RefusedBy::Cgroup);
        }
        let limit = self.user.as_ref()?.reached(from_ns, to_ns)?;
        Some(RefusedBy::User { limit })
    }

    /// What shows that the kernel killed a program.
    async fn killed(&self, uid: Option<u32>, step: &StepExecution) -> Option<CountedBy> {
        let explains = |kills: &Kills| kills.explains(step.ended_ns, step.stalled_ns);
        let counted = self.kills.as_ref().map(explains);
        match (counted, &self.log, uid) {
            (Some(false), ..) | (None, None, _) | (None, _, None) => None,
            (_, Some(log), Some(uid)) => {
                if !log.borrow_mut().names(uid) {
                    tokio::time::sleep(LOG_DELAY).await;
                    if !log.borrow_mut().names(uid) {
                        return None;
                    }
                }
                Some(CountedBy::KernelLog)
            }
            (Some(true), ..) => Some(CountedBy::RunnerCgroup),
        }
    }
}

/// A number of a cgroup's file, which begins anew at each reading.
fn count(file: &File, name: &str) -> u64 {
    let mut buffer = [0; 512];
    let length = file.read_at(&mut buffer, 0).unwrap_or(0);
    let text = String::from_utf8_lossy(&buffer[..length]);
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|v| v.trim().parse().ok()).unwrap_or(0)
}
