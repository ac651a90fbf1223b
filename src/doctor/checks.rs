//! From facts and trials to checks: what a run has, and what it would want.

use super::facts::Facts;
use super::remedy::{self, Obstacle};
use super::report::Check;
use super::rlimits;
use super::trial::{Found, TrialError, Working};
use crate::pool::uid_per_slot;
use crate::spec::policy::Tier;
use crate::wire::failure::Stage;
use std::path::Path;

/// The oldest kernel that is supported; the landlock tier has its own demand.
const OLDEST_KERNEL: (u32, u32) = (5, 15);

/// All that was seen and tried.
pub(super) struct Findings<'a> {
    pub facts: &'a Facts,
    pub namespaces: &'a Result<Working, TrialError>,
    pub landlock: &'a Result<Working, TrialError>,
    /// The tier that a run would use.
    pub tier: Option<Tier>,
    /// Episodes at one time without --concurrency.
    pub slots: usize,
    /// What each of them may have without --processes.
    pub processes: u32,
}

impl Findings<'_> {
    /// Every check, in the order in which they are shown.
    pub(super) fn checks(&self) -> Vec<Check> {
        vec![
            self.kernel(),
            self.user(),
            self.landlock_abi(),
            self.seccomp(),
            self.user_namespaces(),
            self.network_namespaces(),
            self.proc(),
            cgroup(self.facts),
            rlimits::check(self.facts, self.slots, self.processes),
            self.program("bash", |working| &working.bash),
            self.program("python3", |working| &working.python3),
            self.trial("namespaces_tier", Tier::Namespaces),
            self.trial("landlock_tier", Tier::Landlock),
        ]
    }

    fn of(&self, tier: Tier) -> &Result<Working, TrialError> {
        match tier {
            Tier::Namespaces => self.namespaces,
            Tier::Landlock => self.landlock,
        }
    }

    /// The stage at which the namespaces tier failed, if a slot got to say so.
    fn stage(&self) -> Option<Stage> {
        let failure = self.namespaces.as_ref().err()?.failure()?;
        Some(failure.stage)
    }

    /// Why the namespaces tier does not work, if it does not.
    fn no_namespaces(&self) -> Option<Obstacle> {
        let fault = self.namespaces.as_ref().err()?;
        Some(remedy::explain(Tier::Namespaces, fault, self.facts))
    }

    fn kernel(&self) -> Check {
        let release = &self.facts.kernel;
        let mut numbers = release.split(|c: char| !c.is_ascii_digit());
        let mut next = || numbers.next()?.parse::<u32>().ok();
        match next().zip(next()) {
            Some(version) if version < OLDEST_KERNEL => Check::limited(
                "kernel",
                format!("{release}, older than all that were tested"),
                "use Linux 6.12 or later (5.15 for the namespaces tier)",
            ),
            _ => Check::ok("kernel", release),
        }
    }

    fn user(&self) -> Check {
        let uid = self.facts.uid;
        match uid_per_slot() {
            Ok(true) => Check::ok(
                "user",
                "root; every slot gets an unprivileged uid of its own",
            ),
            Err(_) if !self.facts.proc => {
                let found = remedy::no_proc();
                Check::limited("user", format!("uid {uid}; {}", found.cause), found.remedy)
            }
            Err(_) => Check::missing(
                "user",
                "root of a user namespace without any other uid",
                "start it as an ordinary user, or map more uids (newuidmap, /etc/subuid)",
            ),
            Ok(false) if self.tier == Some(Tier::Landlock) => Check::limited(
                "user",
                format!("uid {uid}, shared by all slots: they share one process limit"),
                "sudo runner …   (as root every slot gets a uid of its own)",
            ),
            Ok(false) => Check::ok("user", format!("uid {uid}, shared by all slots")),
        }
    }

    fn landlock_abi(&self) -> Check {
        match (remedy::landlock(self.facts), self.facts.landlock) {
            (None, Ok(abi)) => Check::ok("landlock", format!("ABI {abi}")),
            (Some(found), Ok(_)) => Check::limited("landlock", found.cause, found.remedy),
            (Some(found), Err(_)) => Check::missing("landlock", found.cause, found.remedy),
            (None, Err(errno)) => Check::missing("landlock", errno.to_string(), "use Linux 6.12"),
        }
    }

    fn seccomp(&self) -> Check {
        let faults = [self.namespaces, self.landlock].map(|trial| trial.as_ref().err());
        let outer = match self.facts.seccomp {
            Some(2) => ", beneath one that is on this process already",
            _ => "",
        };
        if faults.iter().any(Option::is_none) {
            let (filters, processes) = (self.facts.filters, self.facts.filtered_processes);
            let value = format!(
                "filters can be installed{outer}; {processes} processes here carry {filters}"
            );
            return Check::ok("seccomp", value);
        }
        let refused = |fault: &&TrialError| {
            let stage = fault.failure().map(|failure| failure.stage);
            stage == Some(Stage::Seccomp)
        };
        match faults.into_iter().flatten().find(refused) {
            Some(fault) => {
                let found = remedy::explain(Tier::Landlock, fault, self.facts);
                Check::missing("seccomp", found.cause, found.remedy)
            }
            None if self.facts.seccomp.is_some() => Check::ok(
                "seccomp",
                format!("known to the kernel; no slot got that far{outer}"),
            ),
            None => Check::limited(
                "seccomp",
                "unknown: /proc/self/status does not tell",
                "use a kernel with CONFIG_SECCOMP_FILTER=y, and mount /proc",
            ),
        }
    }

    fn user_namespaces(&self) -> Check {
        match (self.no_namespaces(), self.stage()) {
            (None, _) => Check::ok("user_namespaces", "granted"),
            (Some(found), Some(Stage::Namespaces | Stage::MapIds | Stage::ChangeIds)) => {
                Check::missing("user_namespaces", found.cause, found.remedy)
            }
            (Some(_), Some(_)) => Check::ok("user_namespaces", "granted"),
            (Some(found), None) => Check::limited(
                "user_namespaces",
                "unknown: no slot could be started",
                found.remedy,
            ),
        }
    }

    fn network_namespaces(&self) -> Check {
        const NAME: &str = "network_namespaces";
        match (self.no_namespaces(), self.stage()) {
            (Some(found), None) => {
                Check::limited(NAME, "unknown: no slot could be started", found.remedy)
            }
            (Some(_), _) if self.facts.proc && !self.facts.namespaces.contains(&"net") => {
                Check::missing(
                    NAME,
                    "the kernel has none",
                    "use a kernel with CONFIG_NET_NS=y",
                )
            }
            (Some(found), Some(Stage::Namespaces | Stage::MapIds | Stage::ChangeIds)) => {
                Check::missing(NAME, "not without user namespaces", found.remedy)
            }
            _ => Check::ok(NAME, "granted: an empty one for every slot"),
        }
    }

    fn proc(&self) -> Check {
        if !self.facts.proc {
            let found = remedy::no_proc();
            return Check::missing("proc", found.cause, found.remedy);
        }
        match (self.no_namespaces(), self.stage()) {
            (None, _) => Check::ok("proc", "every slot can mount its own"),
            (Some(found), Some(Stage::Proc)) => Check::missing("proc", found.cause, found.remedy),
            _ if self.facts.proc_masks.is_empty() => {
                Check::ok("proc", "mounted, and nothing covers parts of it")
            }
            _ => {
                let found = remedy::covered_proc(self.facts);
                Check::limited("proc", found.cause, found.remedy)
            }
        }
    }

    /// A program as episodes see it: what is only in somebody's home is not there.
    fn program(&self, name: &'static str, of: impl Fn(&Working) -> &Found) -> Check {
        let install = format!("sudo apt-get install {name}   (or as your distribution does it)");
        let tiers = [self.tier, Some(Tier::Namespaces), Some(Tier::Landlock)];
        let mut working = tiers
            .into_iter()
            .flatten()
            .filter_map(|tier| self.of(tier).as_ref().ok());
        match working.next().map(of) {
            Some(Found::Version(version)) => Check::ok(name, version),
            Some(Found::Absent) => Check::missing(name, "not found by an episode", install),
            Some(Found::Failed(how)) => {
                Check::missing(name, format!("does not run in an episode: {how}"), install)
            }
            None => {
                let directories = ["/usr/local/bin", "/usr/bin", "/bin"];
                let mut paths = directories.iter().map(|dir| Path::new(dir).join(name));
                match paths.find(|path| path.exists()) {
                    Some(path) => Check::ok(name, format!("{}, not tried", path.display())),
                    None => Check::missing(name, "not found", install),
                }
            }
        }
    }

    fn trial(&self, name: &'static str, tier: Tier) -> Check {
        match self.of(tier) {
            Ok(working) => {
                let abi = working.enforced.landlock_abi;
                Check::ok(
                    name,
                    format!("a slot was built and ran episodes (Landlock ABI {abi})"),
                )
            }
            Err(fault) => {
                let found = remedy::explain(tier, fault, self.facts);
                let sentence = fault.failure().map_or(found.cause, |f| f.to_string());
                let value = sentence.split(" (os error").next().unwrap_or_default();
                Check::missing(name, value, found.remedy)
            }
        }
    }
}

/// Without one, most of what a program makes the kernel hold is counted all the same.
fn cgroup(facts: &Facts) -> Check {
    const NAME: &str = "memory_cgroup";
    match (&facts.killed_together, &facts.cgroups) {
        (Some(cgroup), _) => Check::limited(
            NAME,
            "when memory runs out, the kernel kills the runner with the program (memory.oom.group)",
            remedy::killed_together(cgroup, facts),
        ),
        (None, Ok(())) => Check::ok(NAME, "one for each slot"),
        (None, Err(why)) => Check {
            remedy: remedy::no_cgroups(why).map(str::to_owned),
            ..Check::limited(NAME, format!("{why}; memory is counted"), "")
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::State;
    use super::*;

    #[test]
    fn a_cgroup_that_is_killed_as_a_whole_is_a_warning_with_what_to_type() {
        let facts = Facts {
            killed_together: Some("/sys/fs/cgroup/job".into()),
            container: None,
            ..Facts::read()
        };
        let check = cgroup(&facts);
        assert_eq!(check.state, State::Limited);
        assert!(check.value.contains("memory.oom.group"), "{check:?}");
        let remedy = check.remedy.unwrap();
        assert!(
            remedy.contains("/sys/fs/cgroup/job/memory.oom.group"),
            "{remedy}"
        );
    }
}
