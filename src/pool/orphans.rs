//! What outlives a slot that died badly. It becomes a child of this process, which is a subreaper, and is killed.
//!
//! Not every child that we did not start is a slot's: the caller may have started some before it became us
//! (`sleep 50 & exec runner …`), and theirs come to us when they die; as PID 1 of a container we inherit everybody's.
//! The rule: what was there before us is never touched, and an orphan is a slot's if it is more confined than we are.
//! `no_new_privs` and seccomp filters are inherited by all that a slot starts, and nobody can take them off.

use crate::sys::procfs::{self, Stat};
use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long orphans that fork are chased at one time; the runner has other work too.
const KILL_TIMEOUT: Duration = Duration::from_millis(20);

/// Makes this process inherit whatever a slot leaves behind when it dies badly, so that it can be reaped here
/// and not by the host's init.
pub fn adopt_orphans() -> Result<(), Errno> {
    set_child_subreaper(true)
}

/// Tells orphans of slots from other children.
pub(super) struct Orphans {
    /// Children that were there first. Their numbers are theirs until we reap them.
    before: BTreeSet<Pid>,
    own: Confinement,
}

/// What a process has given up for itself and all it will ever start (proc_pid_status(5)).
#[derive(Clone, Copy, Debug, Default)]
struct Confinement {
    no_new_privs: u32,
    filters: u32,
}

impl Orphans {
    /// To be called before any slot is started.
    pub(super) fn new() -> Orphans {
        Orphans {
            before: children(Pid::this()).into_iter().collect(),
            own: Confinement::of("self"),
        }
    }

    /// A child was reaped: its number may be another's from now on.
    pub(super) fn reaped(&mut self, child: Pid) {
        self.before.remove(&child);
    }

    /// Kills the orphans of slots and what is below them; whether there were any, those included that wait to be
    /// reaped. What forks fast is listed and killed again at once: a killed process can't finish a fork, so each round
    /// leaves fewer.
    pub(super) fn kill(&self, is_slot: impl Fn(&Pid) -> bool) -> bool {
        let end = Instant::now() + KILL_TIMEOUT;
        loop {
            let mut open = children(Pid::this());
            open.retain(|pid| !is_slot(pid) && self.is_of_slot(*pid));
            let found = !open.is_empty();
            let mut killed = 0;
            while let Some(process) = open.pop() {
                open.extend(children(process));
                killed += usize::from(is_alive(process) && kill(process, Signal::SIGKILL).is_ok());
            }
            if killed == 0 || Instant::now() > end {
                return found;
            }
        }
    }

    fn is_of_slot(&self, child: Pid) -> bool {
        let its = Confinement::of(&child.to_string());
        let is_more_confined =
            its.no_new_privs > self.own.no_new_privs || its.filters > self.own.filters;
        !self.before.contains(&child) && is_more_confined
    }
}

impl Confinement {
    fn of(process: &str) -> Confinement {
        let status = procfs::text(format!("/proc/{process}/status")).unwrap_or_default();
        let field = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name));
            value.and_then(|v| v.trim().parse().ok()).unwrap_or(0)
        };
        Confinement {
            no_new_privs: field("NoNewPrivs:"),
            filters: field("Seccomp_filters:"),
        }
    }
}

/// Whether it is more than a zombie that waits to be reaped.
fn is_alive(process: Pid) -> bool {
    Stat::read(process.as_raw()).is_some_and(|stat| !stat.is_dead())
}

/// Children of all threads of a process.
pub(super) fn children(process: Pid) -> Vec<Pid> {
    let numbers = procfs::children(process.as_raw());
    numbers.into_iter().map(Pid::from_raw).collect()
}
