//! Why a slot could not do its part: a stage, an errno and an index. One `match` renders it for people.

use serde::{Deserialize, Serialize};

/// A step of building a sandbox or of launching a program in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    Version,
    Namespaces,
    Loopback,
    MapIds,
    ChangeIds,
    PrivateRoot,
    /// The index is that of the system directory, see `sandbox::layout`.
    SystemDirectory,
    HostSocket,
    /// The index is that of the granted path, readable ones first.
    GrantedPath,
    Proc,
    Quotas,
    Cgroup,
    Devices,
    Scratch,
    Fork,
    Landlock,
    Seccomp,
    Capabilities,
    Rlimit,
    Baseline,
    Zygote,
    ResizeDisk,
    Clean,
}

/// What failed on our side of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub stage: Stage,
    /// 0 when no system call failed.
    pub errno: i32,
    /// Which of several like things, 0 when there is one.
    pub index: u16,
}

impl Failure {
    pub fn new(stage: Stage, errno: i32) -> Self {
        Failure {
            stage,
            errno,
            index: 0,
        }
    }

    /// Whether it says that this machine does not grant what the tier is made of, as opposed to a passing fault.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self.stage,
            Stage::Namespaces
                | Stage::Loopback
                | Stage::MapIds
                | Stage::ChangeIds
                | Stage::PrivateRoot
                | Stage::SystemDirectory
                | Stage::Proc
                | Stage::Quotas
                | Stage::Devices
                | Stage::Landlock
                | Stage::Seccomp
        )
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.stage {
            Stage::Version => "the slot runs another version of this program",
            Stage::Namespaces => "the kernel refused to create namespaces",
            Stage::Loopback => "the slot's own loopback interface could not be brought up",
            Stage::MapIds => "the user namespace could not be given its uid and gid",
            Stage::ChangeIds => "the slot could not change to its own uid and gid",
            Stage::PrivateRoot => "the private root could not be mounted",
            Stage::SystemDirectory => "a system directory could not be mounted read-only",
            Stage::HostSocket => "a socket of the host could not be covered",
            Stage::GrantedPath => "a path of fs_readable or fs_writable could not be mounted",
            Stage::Proc => "/proc could not be mounted for the slot",
            Stage::Quotas => "the limits of the slot's user namespace could not be set",
            Stage::Cgroup => "a zygote could not join the memory cgroup of its slot",
            Stage::Devices => "/dev could not be set up for the slot",
            Stage::Scratch => "the scratch directory could not be set up",
            Stage::Fork => "fork failed",
            Stage::Landlock => "Landlock could not be enforced",
            Stage::Seccomp => "the seccomp filter could not be installed",
            Stage::Capabilities => "capabilities could not be dropped",
            Stage::Rlimit => "a resource limit could not be set",
            Stage::Baseline => "the fresh sandbox could not be examined",
            Stage::Zygote => "the zygote died",
            Stage::ResizeDisk => "the disk limit could not be set",
            Stage::Clean => "the sandbox could not be cleaned",
        };
        f.write_str(what)?;
        if self.index > 0 {
            write!(f, " (number {})", self.index)?;
        }
        if self.errno != 0 {
            write!(f, ": {}", std::io::Error::from_raw_os_error(self.errno))?;
        }
        Ok(())
    }
}
