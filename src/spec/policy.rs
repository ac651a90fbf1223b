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

/// Host paths seen at the same path inside the sandbox, beyond the system directories.
///
/// A slot is built for one `Grants`; episodes with other grants need another slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grants {
    /// Canonical absolute host paths, sorted, without duplicates.
    pub readable: Vec<PathBuf>,
    /// Canonical absolute host paths, sorted, without duplicates.
    pub writable: Vec<PathBuf>,
}

/// The network an episode sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    #[default]
    None,
    Loopback,
    Host,
}
