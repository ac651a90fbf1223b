//! What the machine says about itself in /proc and /sys. What can't be read is `None`: either tree may be missing.

use crate::pool::{Cgroups, NoCgroups, ProcessLimit, killed_together, process_limits};
use crate::sandbox::privileges;
use crate::spec::policy::Tier;
use crate::sys::landlock;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::geteuid;
use std::env::var_os;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// Kinds of namespaces a slot has, as in /proc/sys/user/max_<kind>_namespaces (namespaces(7)).
pub(super) const NAMESPACES: [&str; 7] = ["user", "mnt", "pid", "ipc", "net", "uts", "cgroup"];

/// What the machine says about itself.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// As in `uname -r`.
    pub kernel: String,
    pub uid: u32,
    /// Capabilities that root needs in a tier and does not have, as in capabilities(7).
    pub missing_namespaces: Vec<String>,
    pub missing_landlock: Vec<String>,
    /// Whether this process runs in a container, as far as it can tell.
    pub container: Option<Container>,
    /// Whether /proc is mounted and shows this process.
    pub proc: bool,
    /// What covers parts of /proc and so keeps a fresh one from being mounted (mount_namespaces(7)).
    pub proc_masks: Vec<String>,
    /// Whether / is a mount point; it is not in a chroot, where user namespaces can't be made (unshare(2)).
    pub root_is_mount: bool,
    pub landlock: Result<u32, Errno>,
    /// Processes of this machine, as far as we see them, that carry seccomp filters.
    pub filtered_processes: usize,
    /// Their filters added up. Processes that share one are counted apart.
    pub filters: u64,
    /// The active security modules, comma-separated (/sys/kernel/security/lsm).
    pub modules: Option<String>,
    /// The kinds whose maximum is 0.
    pub none_allowed: Vec<&'static str>,
    /// The kinds that this kernel has.
    pub namespaces: Vec<&'static str>,
    /// kernel.unprivileged_userns_clone is 0 (Debian and Ubuntu kernels).
    pub no_unprivileged_clone: bool,
    /// kernel.apparmor_restrict_unprivileged_userns is 1 (Ubuntu 23.10 and later).
    pub apparmor_restricts: bool,
    /// The AppArmor profile or SELinux context of this process.
    pub confined_by: Option<String>,
    /// `Seccomp` of /proc/self/status: 0 none, 2 a filter is on this process already.
    pub seccomp: Option<u32>,
    pub cgroups: Result<(), NoCgroups>,
    /// The cgroup that is killed as a whole, and this process with it, where the kernel kills one of its processes.
    pub killed_together: Option<PathBuf>,
    /// The cgroup that allows the fewest processes of all that this one is in, and how many, where one limits them.
    pub fewest_processes: Option<ProcessLimit>,
    /// Soft and hard limits; `u64::MAX` is unlimited.
    pub processes: (u64, u64),
    pub open_files: (u64, u64),
    pub stack: (u64, u64),
    pub address_space: (u64, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Docker,
    Podman,
    Kubernetes,
}

impl Facts {
    /// Capabilities that root needs in this tier and does not have.
    pub(super) fn missing(&self, tier: Tier) -> &[String] {
        match tier {
            Tier::Namespaces => &self.missing_namespaces,
            Tier::Landlock => &self.missing_landlock,
        }
    }

    /// Reads them. Takes a millisecond, and changes nothing.
    pub(super) fn read() -> Facts {
        let mounts = read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let status = read_to_string("/proc/self/status").ok();
        let filters = filters();
        Facts {
            kernel: kernel(),
            uid: geteuid().as_raw(),
            missing_namespaces: missing(Tier::Namespaces),
            missing_landlock: missing(Tier::Landlock),
            container: container(&mounts),
            proc: status.is_some(),
            proc_masks: proc_masks(&mounts),
            root_is_mount: mounts.is_empty() || mount_points(&mounts).any(|point| point == "/"),
            landlock: landlock::abi(),
            filtered_processes: filters.len(),
            filters: filters.iter().sum(),
            modules: line("/sys/kernel/security/lsm"),
            none_allowed: NAMESPACES
                .into_iter()
                .filter(|kind| sysctl(&format!("user/max_{kind}_namespaces")) == Some(0))
                .collect(),
            namespaces: NAMESPACES
                .into_iter()
                .filter(|kind| Path::new("/proc/self/ns").join(kind).exists())
                .collect(),
            no_unprivileged_clone: sysctl("kernel/unprivileged_userns_clone") == Some(0),
            apparmor_restricts: sysctl("kernel/apparmor_restrict_unprivileged_userns") == Some(1),
            confined_by: line("/proc/self/attr/current")
                .map(|label| label.trim_end_matches('\0').to_owned())
                .filter(|label| !label.is_empty() && !label.starts_with("unconfined")),
            seccomp: status.as_deref().and_then(seccomp_mode),
            cgroups: Cgroups::open(1).map(|_| ()),
            killed_together: killed_together(),
            fewest_processes: process_limits().into_iter().min_by_key(|of| of.limit),
            processes: limits(Resource::RLIMIT_NPROC),
            open_files: limits(Resource::RLIMIT_NOFILE),
            stack: limits(Resource::RLIMIT_STACK),
            address_space: limits(Resource::RLIMIT_AS),
        }
    }
}

fn missing(tier: Tier) -> Vec<String> {
    let missing = privileges::missing_to_root(tier).into_iter();
    missing.map(|capability| capability.to_string()).collect()
}

fn kernel() -> String {
    let name = nix::sys::utsname::uname();
    name.map_or_else(
        |errno| format!("unknown ({errno})"),
        |name| name.release().to_string_lossy().into_owned(),
    )
}

fn container(mounts: &str) -> Option<Container> {
    // The file alone says little: it is also in virtual machines that were made from an image.
    let layered = root_filesystem(mounts).is_some_and(|kind| kind.contains("overlay"));
    match () {
        () if var_os("KUBERNETES_SERVICE_HOST").is_some() => Some(Container::Kubernetes),
        () if layered && Path::new("/.dockerenv").exists() => Some(Container::Docker),
        () if Path::new("/run/.containerenv").exists() => Some(Container::Podman),
        () => None,
    }
}

fn line(path: &str) -> Option<String> {
    read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn sysctl(name: &str) -> Option<i64> {
    line(&format!("/proc/sys/{name}"))?.parse().ok()
}

fn limits(resource: Resource) -> (u64, u64) {
    getrlimit(resource).unwrap_or((u64::MAX, u64::MAX))
}

fn seccomp_mode(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|l| l.strip_prefix("Seccomp:"))?;
    line.trim().parse().ok()
}

fn root_filesystem(mounts: &str) -> Option<&str> {
    let (_, root) = mounts
        .lines()
        .filter_map(|line| line.split_once(" - "))
        .rfind(|(mount, _)| mount.split(' ').nth(4) == Some("/"))?;
    root.split(' ').next()
}

/// The fifth field of each line of /proc/self/mountinfo (proc_pid_mountinfo(5)).
fn mount_points(mounts: &str) -> impl Iterator<Item = &str> {
    mounts.lines().filter_map(|line| line.split(' ').nth(4))
}

fn proc_masks(mounts: &str) -> Vec<String> {
    // Covering a directory that is always empty hides nothing, and the kernel allows it.
    let hides = |point: &&str| point.starts_with("/proc/") && *point != "/proc/sys/fs/binfmt_misc";
    mount_points(mounts)
        .filter(hides)
        .map(str::to_owned)
        .collect()
}

/// How many filters each process carries that has any (proc_pid_status(5), Linux 5.9).
fn filters() -> Vec<u64> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let of = |process: std::fs::DirEntry| {
        let status = read_to_string(process.path().join("status")).ok()?;
        let mut lines = status.lines();
        let count = lines.find_map(|line| line.strip_prefix("Seccomp_filters:"))?;
        count.trim().parse().ok().filter(|count| *count > 0)
    };
    processes.filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKER: &str = "\
        598 477 0:54 / / rw,relatime master:1 - overlay overlay rw\n\
        599 598 0:57 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n\
        479 599 0:57 /bus /proc/bus ro,relatime - proc proc rw\n\
        500 599 0:61 / /proc/kcore rw,nosuid - tmpfs tmpfs rw\n\
        501 599 0:35 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw\n";

    #[test]
    fn what_docker_lays_over_proc_is_a_mask_and_an_automount_on_an_empty_directory_is_not() {
        assert_eq!(proc_masks(DOCKER), ["/proc/bus", "/proc/kcore"]);
    }

    #[test]
    fn what_the_root_is_on_tells_a_container_from_a_machine_made_of_its_image() {
        assert_eq!(root_filesystem(DOCKER), Some("overlay"));
        assert_eq!(
            root_filesystem("1 0 8:1 / / rw - ext4 /dev/vda rw\n"),
            Some("ext4")
        );
    }

    #[test]
    fn the_mode_of_seccomp_is_not_mistaken_for_the_number_of_filters() {
        assert_eq!(seccomp_mode("Seccomp_filters:\t3\nSeccomp:\t2\n"), Some(2));
        assert_eq!(seccomp_mode("Name:\tx\n"), None);
    }
}
