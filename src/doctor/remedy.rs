//! What failed → why → what to type. The only place that knows remedies: refusals of a run come from here too.

use super::facts::{Container, Facts};
use super::trial::TrialError;
use crate::pool::{BuildError, NoCgroups, NoUid, ProcessLimit, Scarce, SlotLost};
use crate::sandbox::ruleset::LEAST_ALONE;
use crate::spec::policy::Tier;
use crate::wire::failure::{Failure, Stage};
use nix::errno::Errno;
use std::path::Path;

/// A cause on this machine, and the remedy: a command line where there is one. Both are one line that fits the
/// screen when no path of the machine is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Obstacle {
    pub cause: String,
    pub remedy: String,
}

fn obstacle(cause: impl Into<String>, remedy: impl Into<String>) -> Obstacle {
    Obstacle {
        cause: cause.into(),
        remedy: remedy.into(),
    }
}

/// Explains why a tier does not work here.
pub(super) fn explain(tier: Tier, fault: &TrialError, facts: &Facts) -> Obstacle {
    match (fault.failure(), fault) {
        (Some(failure), _) => of_stage(tier, failure, facts),
        (None, _) if !facts.proc => no_proc(),
        (None, TrialError::Build(error)) if error.is_scarcity() => scarce(error, facts),
        (None, TrialError::Build(BuildError::NoUid(NoUid::OnlyRoot))) => obstacle(
            "root of a user namespace without any other uid",
            "start it as an ordinary user, or map more uids (newuidmap, /etc/subuid)",
        ),
        _ => other(tier, fault.to_string()),
    }
}

fn of_stage(tier: Tier, failure: &Failure, facts: &Facts) -> Obstacle {
    match failure.stage {
        _ if !facts.proc => no_proc(),
        Stage::MapIds | Stage::ChangeIds | Stage::Capabilities | Stage::Scratch
            if is_powerless(tier, failure, facts) =>
        {
            powerless_root(tier, facts)
        }
        _ if failure.errno == libc::EMFILE => too_few_files(facts),
        _ if failure.errno == libc::ENFILE => too_few_of_all(),
        Stage::Namespaces | Stage::MapIds => namespaces(failure, facts),
        Stage::Proc => covered_proc(facts),
        Stage::Landlock => landlock(facts).unwrap_or_else(|| other(tier, failure.to_string())),
        Stage::Seccomp => obstacle(
            "the kernel takes no seccomp filter",
            "use a kernel with CONFIG_SECCOMP_FILTER=y",
        ),
        Stage::PrivateRoot | Stage::SystemDirectory | Stage::Devices => mounts(failure, facts),
        Stage::Scratch => obstacle(
            format!("{} can't be written to", std::env::temp_dir().display()),
            "TMPDIR=/a/directory/you/may/write runner …",
        ),
        Stage::Fork | Stage::Thread => too_few_processes(facts),
        _ => other(tier, failure.to_string()),
    }
}

/// What gives the runner a cgroup of its own, where systemd can.
pub(super) fn no_cgroups(why: &NoCgroups) -> Option<&'static str> {
    match why {
        NoCgroups::NotMounted | NoCgroups::Closed { version: 1, .. } => None,
        NoCgroups::Closed { .. } | NoCgroups::Shared => {
            Some("systemd-run --user --scope -p Delegate=yes runner …   (sudo: without --user)")
        }
    }
}

/// What keeps the kernel from killing this cgroup as a whole.
pub(super) fn killed_together(cgroup: &Path, facts: &Facts) -> String {
    match facts.container {
        Some(Container::Kubernetes) => {
            "singleProcessOOMKill: true in the kubelet's configuration".to_owned()
        }
        _ => format!("echo 0 | sudo tee {}/memory.oom.group", cgroup.display()),
    }
}

/// What forbids user namespaces, the most certain cause first.
fn namespaces(failure: &Failure, facts: &Facts) -> Obstacle {
    let ordinary = facts.uid != 0;
    if let Some(kind) = facts.none_allowed.first() {
        let name = format!("user.max_{kind}_namespaces");
        return obstacle(
            format!("{name} = 0"),
            format!("sudo sysctl -w {name}=15000"),
        );
    }
    if ordinary && facts.no_unprivileged_clone {
        let name = "kernel.unprivileged_userns_clone";
        return obstacle(format!("{name} = 0"), format!("sudo sysctl -w {name}=1"));
    }
    if ordinary && facts.apparmor_restricts {
        let name = "kernel.apparmor_restrict_unprivileged_userns";
        return obstacle(format!("{name} = 1"), format!("sudo sysctl -w {name}=0"));
    }
    if !facts.namespaces.contains(&"user") {
        return obstacle("the kernel has none", "use a kernel with CONFIG_USER_NS=y");
    }
    match failure.errno {
        libc::ENOSPC => obstacle(
            "too many exist, or they are nested 32 deep (ENOSPC)",
            "sudo sysctl -w user.max_user_namespaces=100000, or start it less deeply nested",
        ),
        libc::EPERM if !facts.root_is_mount => obstacle(
            "this process is in a chroot, where the kernel grants none",
            "enter the tree with pivot_root or `unshare --root` from a mount point, not chroot",
        ),
        _ if facts.seccomp == Some(2) => obstacle(
            "a seccomp profile forbids them, as Docker's default one does",
            unconfine(facts),
        ),
        _ => mounts(failure, facts),
    }
}

/// Namespaces were granted, or might have been, but not what a slot does in them.
fn mounts(failure: &Failure, facts: &Facts) -> Obstacle {
    let ordinary = facts.uid != 0;
    if ordinary && facts.apparmor_restricts {
        let name = "kernel.apparmor_restrict_unprivileged_userns";
        return obstacle(format!("{name} = 1"), format!("sudo sysctl -w {name}=0"));
    }
    if let Some(label) = &facts.confined_by {
        let remedy = match facts.container {
            Some(Container::Docker) => {
                "docker run --security-opt apparmor=unconfined \
                --security-opt systempaths=unconfined …"
            }
            Some(Container::Podman) => "podman run --security-opt label=disable …",
            _ => "give it a profile that allows userns and mount (AppArmor, SELinux)",
        };
        return obstacle(format!("the security profile {label} forbids it"), remedy);
    }
    if facts.seccomp == Some(2) {
        return obstacle("a seccomp profile forbids to mount", unconfine(facts));
    }
    other(Tier::Namespaces, failure.to_string())
}

fn unconfine(facts: &Facts) -> &'static str {
    match facts.container {
        Some(Container::Kubernetes) => {
            "in the pod: hostUsers: false, seccompProfile: {type: Unconfined}, procMount: Unmasked"
        }
        Some(Container::Podman) => {
            "podman run --security-opt seccomp=unconfined --security-opt unmask=ALL …"
        }
        Some(Container::Docker) => {
            "docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined …"
        }
        None => "start it outside of what put the filter on it (a container, a service, a sandbox)",
    }
}

/// Parts of /proc are covered, or a fresh one was refused.
pub(super) fn covered_proc(facts: &Facts) -> Obstacle {
    let cause = match facts.proc_masks.as_slice() {
        [] => "the kernel refuses to mount a fresh one".to_owned(),
        [one] => format!("{one} is covered by a mount"),
        [one, more @ ..] => format!("{one} and {} more are covered by mounts", more.len()),
    };
    let remedy = match facts.container {
        Some(Container::Kubernetes) => "in the pod: hostUsers: false, procMount: Unmasked".into(),
        Some(Container::Podman) => "podman run --security-opt unmask=ALL …".into(),
        Some(Container::Docker) => "docker run --security-opt systempaths=unconfined …".into(),
        None if facts.proc_masks.is_empty() => "--isolation landlock".into(),
        None if facts.proc_masks.len() > 3 => {
            "sudo umount what `grep ' /proc/' /proc/self/mountinfo` shows".into()
        }
        None => format!("sudo umount {}", facts.proc_masks.join(" ")),
    };
    obstacle(cause, remedy)
}

/// What is wrong with Landlock for the landlock tier, if anything is.
pub(super) fn landlock(facts: &Facts) -> Option<Obstacle> {
    let least = LEAST_ALONE as u32;
    match facts.landlock {
        Ok(abi) if abi >= least => None,
        Ok(abi) => Some(obstacle(
            format!("ABI {abi}; the landlock tier needs {least}"),
            "use Linux 6.12 or later, or the namespaces tier",
        )),
        Err(Errno::EOPNOTSUPP) => {
            let modules = facts.modules.as_deref().filter(|list| !list.is_empty());
            Some(obstacle(
                format!(
                    "switched off; security modules: {}",
                    modules.unwrap_or("unknown")
                ),
                format!(
                    "boot with lsm=landlock,{} on the kernel's command line",
                    modules.unwrap_or("…")
                ),
            ))
        }
        Err(_) if facts.seccomp == Some(2) && modules_have_landlock(facts) => {
            Some(obstacle("a seccomp profile forbids it", unconfine(facts)))
        }
        Err(errno) => Some(obstacle(
            format!("the kernel has none ({errno})"),
            "use Linux 6.12 or later with CONFIG_SECURITY_LANDLOCK=y and lsm=landlock,…",
        )),
    }
}

fn modules_have_landlock(facts: &Facts) -> bool {
    let modules = facts.modules.as_deref().unwrap_or_default();
    modules.split(',').any(|module| module == "landlock")
}

pub(super) fn no_proc() -> Obstacle {
    obstacle("/proc is not mounted", "sudo mount -t proc proc /proc")
}

/// Whether it failed because root lacks what root usually has.
fn is_powerless(tier: Tier, failure: &Failure, facts: &Facts) -> bool {
    let is_denied = matches!(failure.errno, libc::EPERM | libc::EACCES);
    facts.uid == 0 && is_denied && !facts.missing(tier).is_empty()
}

fn powerless_root(tier: Tier, facts: &Facts) -> Obstacle {
    let missing = facts.missing(tier).join(", ");
    obstacle(
        format!("root without {missing}"),
        format!("start it as an ordinary user, or with {missing}"),
    )
}

/// What keeps any pool of this machine from being built, and is no matter of the tier.
pub(super) fn of_build(tier: Tier, error: &BuildError, facts: &Facts) -> Option<Obstacle> {
    match error {
        _ if !facts.proc => Some(no_proc()),
        error if error.is_scarcity() => Some(scarce(error, facts)),
        BuildError::Lost(SlotLost::Refused(failure)) if is_powerless(tier, failure, facts) => {
            Some(powerless_root(tier, facts))
        }
        _ => None,
    }
}

/// A slot that there was no descriptor or no process for.
fn scarce(error: &BuildError, facts: &Facts) -> Obstacle {
    match error.errno() {
        Some(Errno::EAGAIN) => too_few_processes(facts),
        Some(Errno::ENFILE) => too_few_of_all(),
        _ => too_few_files(facts),
    }
}

fn too_few_processes(facts: &Facts) -> Obstacle {
    match &facts.fewest_processes {
        // Root is held to no limit of its user's.
        Some(least) if facts.uid == 0 || least.limit < facts.processes.0 => {
            too_few_in_cgroup(least, facts)
        }
        _ => too_few_of_user(facts),
    }
}

fn too_few_in_cgroup(of: &ProcessLimit, facts: &Facts) -> Obstacle {
    obstacle(
        format!(
            "no process can be started (pids.max of its cgroup is {})",
            of.limit
        ),
        more_in_cgroup(&of.cgroup, facts),
    )
}

fn more_in_cgroup(cgroup: &Path, facts: &Facts) -> String {
    match facts.container {
        Some(Container::Kubernetes) => "podPidsLimit: -1 in the kubelet's configuration".to_owned(),
        Some(Container::Podman) => "podman run --pids-limit=-1 …".to_owned(),
        Some(Container::Docker) => "docker run --pids-limit=-1 …".to_owned(),
        None => format!("echo max | sudo tee {}/pids.max", cgroup.display()),
    }
}

fn too_few_of_user(facts: &Facts) -> Obstacle {
    obstacle(
        format!("no process can be started (limit {})", facts.processes.0),
        MORE_PROCESSES,
    )
}

fn too_few_files(facts: &Facts) -> Obstacle {
    let limit = facts.open_files.1;
    obstacle(
        format!("a slot needs more open files than there may be ({limit})"),
        more_files(limit.saturating_mul(2).max(1024)),
    )
}

fn too_few_of_all() -> Obstacle {
    obstacle(
        "this machine has as many files open as it may (fs.file-max)",
        "sudo sysctl -w fs.file-max=9223372036854775807",
    )
}

/// What lets there be more slots.
pub(crate) fn of_scarce(scarce: &Scarce) -> String {
    match scarce {
        Scarce::CgroupProcesses(of) => more_in_cgroup(&of.cgroup, &Facts::read()),
        Scarce::Processes { .. } => MORE_PROCESSES.to_owned(),
        Scarce::OpenFiles { wanted, .. } => more_files(*wanted),
    }
}

const MORE_PROCESSES: &str = "sudo prlimit --pid $$ --nproc=unlimited";

fn more_files(wanted: u64) -> String {
    format!("sudo prlimit --pid $$ --nofile={wanted}")
}

fn other(tier: Tier, cause: String) -> Obstacle {
    let other = tier.other().name();
    obstacle(cause, format!("--isolation {other}, where that tier works"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn told(errno: Errno, facts: &Facts) -> String {
        let error = BuildError::Start(io::Error::from(errno));
        let Obstacle { cause, remedy } = scarce(&error, facts);
        format!("{cause}: {remedy}")
    }

    #[test]
    fn what_a_slot_was_refused_is_told_by_the_limit_that_was_met() {
        let facts = Facts {
            uid: 1000,
            container: None,
            processes: (500, 500),
            open_files: (1024, 4096),
            fewest_processes: Some(ProcessLimit {
                cgroup: "/sys/fs/cgroup/mine".into(),
                limit: 100,
                used: 100,
            }),
            ..Facts::read()
        };
        let of_cgroup = "no process can be started (pids.max of its cgroup is 100): \
                         echo max | sudo tee /sys/fs/cgroup/mine/pids.max";
        assert_eq!(told(Errno::EAGAIN, &facts), of_cgroup);
        let of_user =
            "no process can be started (limit 50): sudo prlimit --pid $$ --nproc=unlimited";
        let few = Facts {
            processes: (50, 50),
            ..facts.clone()
        };
        assert_eq!(told(Errno::EAGAIN, &few), of_user);
        assert_eq!(told(Errno::EAGAIN, &Facts { uid: 0, ..few }), of_cgroup);
        assert!(told(Errno::EMFILE, &facts).ends_with("--nofile=8192"));
        assert!(told(Errno::ENFILE, &facts).contains("fs.file-max"));
    }
}
