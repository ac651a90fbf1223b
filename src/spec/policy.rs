//! What a sandbox is and grants: the tier, the host paths that are seen inside, the network.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How strongly episodes are isolated; reported in every result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Own user, PID, mount, IPC, network and UTS namespaces and a private root, plus all of `Landlock`.
    Namespaces,
    /// Landlock, seccomp and rlimits on the host's own file tree, where user namespaces are forbidden.
    Landlock,
}

impl Tier {
    /// Its name in flags and results.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Namespaces => "namespaces",
            Tier::Landlock => "landlock",
        }
    }

    /// The other one.
    pub fn other(self) -> Tier {
        match self {
            Tier::Namespaces => Tier::Landlock,
            Tier::Landlock => Tier::Namespaces,
        }
    }

    /// What a run tries first that asks for this tier, or for the best that the machine grants (`--isolation auto`).
    pub fn first(asked: Option<Tier>) -> Tier {
        asked.unwrap_or(Tier::Namespaces)
    }

    /// What it tries next where the machine does not grant the first.
    pub fn next(asked: Option<Tier>) -> Option<Tier> {
        asked.is_none().then_some(Tier::Landlock)
    }

    /// Whether programs see a root of the slot's own, on a file system that bounds what they write. Else they see the host's
    /// file tree, and write to a scratch directory of the slot's.
    pub fn has_private_root(self) -> bool {
        self == Tier::Namespaces
    }

    /// Whether the slot has a PID namespace, with init as its first process and zygotes outside. Else init is the parent of
    /// zygotes, and they have to be told from programs.
    pub fn has_own_processes(self) -> bool {
        self == Tier::Namespaces
    }

    /// Whether System V objects are the slot's own. Else programs can't make any.
    pub fn has_own_ipc(self) -> bool {
        self == Tier::Namespaces
    }

    /// Whether the network namespace is the slot's own, so that all sockets in it are the episode's.
    pub fn has_own_network(self, network: Network) -> bool {
        self == Tier::Namespaces && network != Network::Host
    }

    /// Whether each program is put into a Landlock domain of its own, which bounds whom it can signal. Else one holds for a
    /// zygote and all that it forks.
    pub fn has_domain_per_program(self) -> bool {
        self == Tier::Landlock
    }
}

/// What was enforced on an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enforced {
    pub tier: Tier,
    /// Landlock ABI version in force (the kernel's, capped by what this program knows).
    pub landlock_abi: u32,
}

/// What the sandbox has beyond the system directories: host paths, seen at the same path inside, and a network.
///
/// A slot is built for one `Grants`; episodes with other grants need another slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grants {
    /// Canonical absolute host paths, sorted, without duplicates.
    pub readable: Vec<PathBuf>,
    /// Canonical absolute host paths, sorted, without duplicates.
    pub writable: Vec<PathBuf>,
    pub network: Network,
}

/// The network an episode sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Unix sockets within the sandbox, where the tier can keep them there.
    #[default]
    None,
    /// The slot's own 127.0.0.1 and ::1. Only in the namespaces tier.
    Loopback,
    /// TCP and UDP over the host's own interfaces.
    Host,
}
