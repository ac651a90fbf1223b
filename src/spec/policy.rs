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
