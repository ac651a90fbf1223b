//! The Landlock ruleset of a slot: prepared once, then enforced by the zygotes, whose children inherit it, or by each
//! child with three system calls (`slot::zygote` says when).
//!
//! In the namespaces tier it is the second wall behind read-only mounts and a private root; in the landlock tier
//! it is the wall. TCP is handled without a rule, so there is none, unless the slot has a network. Signals and abstract
//! Unix sockets are scoped in the landlock tier: elsewhere the PID and network namespaces do that, and a scope would
//! keep the steps of one episode from signalling each other. With the host's network abstract sockets are scoped in
//! both.

use super::layout::{self, Layout};
use super::network::RESOLVER;
use crate::sandbox::call::on;
use crate::spec::policy::{Grants, Network, Tier};
use crate::sys::plain::open_plain;
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::Setup;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus,
    PathBeneath, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
    path_beneath_rules,
};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{SFlag, fstat};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The newest rights this program names; older kernels enforce those they know.
const NEWEST: ABI = ABI::V10;
/// What the landlock tier can't do without: below this, truncation (ABI 3), device ioctls (5) and signals to
/// other processes of the same user (6) would go unchecked (landlock(7)).
pub(crate) const LEAST_ALONE: ABI = ABI::V6;

/// Host paths a ruleset is made of.
pub(crate) struct Scene<'a> {
    pub tier: Tier,
    pub layout: &'static Layout,
    pub grants: &'a Grants,
    /// The slot's directory in the landlock tier.
    pub scratch: Option<&'a Path>,
    /// Further files and directories that may be written to, as far as no link is on their way.
    pub extra: &'a [String],
    /// Whether all of a private root may be written to, as far as its mounts allow.
    pub open_root: bool,
}

impl<'a> Scene<'a> {
    /// That of a slot, with further writable directories of one episode.
    pub(crate) fn of(setup: &'a Setup, extra: &'a [String]) -> Self {
        Scene {
            tier: setup.tier,
            layout: layout::of(setup),
            grants: &setup.grants,
            scratch: setup.scratch.as_deref(),
            extra,
            open_root: setup.open_root,
        }
    }
}

/// A ruleset ready to be enforced any number of times.
pub(crate) struct Ruleset {
    created: RulesetCreated,
}

fn failed(_: impl std::error::Error) -> Failure {
    Failure::new(Stage::Landlock, Errno::last_raw())
}

impl Ruleset {
    /// Opens every path of the scene and builds the ruleset; about 30 µs.
    pub(crate) fn prepare(scene: &Scene<'_>) -> Result<Self, Failure> {
        let everything = AccessFs::from_all(NEWEST);
        let read = AccessFs::ReadFile | AccessFs::ReadDir | settled(scene.tier);
        let run = read | AccessFs::Execute;
        let mut ruleset = landlock::Ruleset::default();
        let unsupported = |_| Failure::new(Stage::Landlock, Errno::EOPNOTSUPP as i32);
        let network = scene.grants.network;
        if let Some(scope) = scope(scene.tier, network) {
            ruleset = ruleset
                .set_compatibility(CompatLevel::HardRequirement)
                .scope(scope)
                .map_err(unsupported)?;
        }
        if scene.tier == Tier::Landlock {
            ruleset = ruleset
                .set_compatibility(CompatLevel::HardRequirement)
                .handle_access(AccessFs::from_all(LEAST_ALONE))
                .map_err(unsupported)?;
        }
        ruleset = ruleset.set_compatibility(CompatLevel::BestEffort);
        if network == Network::None {
            ruleset = ruleset
                .handle_access(AccessNet::from_all(NEWEST))
                .map_err(failed)?;
        }
        let mut created = ruleset
            .handle_access(everything)
            .and_then(landlock::Ruleset::create)
            .map_err(failed)?;
        for (paths, access) in rules(scene, everything, read, run) {
            created = created
                .add_rules(path_beneath_rules(paths, access))
                .map_err(failed)?;
        }
        // Programs that still run may put a link where one of these was: then there is nothing to be allowed.
        let own = |path: &String| granted(Path::new(path), everything).ok();
        for rule in scene.extra.iter().filter_map(own) {
            created = created.add_rule(rule).map_err(failed)?;
        }
        // A server of the host may listen below a granted directory (ABI 9; sockets of the episode's own still work).
        let granted_writable = everything & !AccessFs::ResolveUnix;
        for (paths, access) in [
            (&scene.grants.readable, run),
            (&scene.grants.writable, granted_writable),
        ] {
            for path in paths {
                match granted(path, access) {
                    Ok(rule) => created = created.add_rule(rule).map_err(failed)?,
                    // Such a ruleset is made for one step: an earlier one can have moved the directory that it is mounted in.
                    Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::EACCES)
                        if !scene.extra.is_empty() => {}
                    Err(errno) => {
                        return Err(Stage::GrantedPath.failed()(on("open", path)(errno)));
                    }
                }
            }
        }
        Ok(Ruleset { created })
    }

    /// The ruleset's descriptor, for a process that enforces it by itself (`sys::landlock::restrict_self`). Fails where
    /// the kernel has no Landlock.
    pub(crate) fn into_fd(self) -> Result<OwnedFd, Failure> {
        let fd: Option<OwnedFd> = self.created.into();
        fd.ok_or(Failure::new(Stage::Landlock, Errno::ENOSYS as i32))
    }

    /// Restricts this process and all its descendants, for good. System calls only; needs `no_new_privs`.
    /// Returns the Landlock ABI in force.
    pub(crate) fn enforce(&self) -> Result<u32, Failure> {
        let duplicate = self.created.try_clone().map_err(failed)?;
        let status = duplicate
            .no_new_privs(false)
            .restrict_self()
            .map_err(failed)?;
        match (status.ruleset, status.landlock) {
            (RulesetStatus::NotEnforced, _) => {
                Err(Failure::new(Stage::Landlock, Errno::EOPNOTSUPP as i32))
            }
            (_, LandlockStatus::Available { effective_abi, .. }) => Ok(effective_abi as u32),
            _ => Err(Failure::new(Stage::Landlock, Errno::ENOSYS as i32)),
        }
    }
}

/// What reading is asked for as well: every open looks up whether the file may be truncated later, and walks up to the
/// root where no rule says so (hook_file_open in security/landlock/fs.c). Where the mount is read-only, that is settled
/// already, and a rule that allows it ends the walk: a third of what Landlock adds to an open.
fn settled(tier: Tier) -> Rights {
    match tier {
        Tier::Namespaces => AccessFs::Truncate.into(),
        Tier::Landlock => Rights::EMPTY,
    }
}

/// What is kept from reaching processes outside of the episode where no namespace does it.
fn scope(tier: Tier, network: Network) -> Option<BitFlags<Scope>> {
    match (tier, network) {
        (Tier::Landlock, _) => Some(Scope::from_all(LEAST_ALONE)),
        (Tier::Namespaces, Network::Host) => Some(Scope::AbstractUnixSocket.into()),
        (Tier::Namespaces, _) => None,
    }
}

/// Keeps this process and all its descendants from signalling any other, for good: then `kill(-1)` is these and no
/// others. Landlock ABI 6; needs `no_new_privs`.
pub(crate) fn contain_signals() -> Result<(), Failure> {
    landlock::Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .scope(Scope::Signal)
        .and_then(refer_alone)
        .and_then(|created| created.no_new_privs(false).restrict_self())
        .map(drop)
        .map_err(|_| Failure::new(Stage::Landlock, Errno::EOPNOTSUPP as i32))
}

/// A ruleset that forbids nothing. Each process that enforces it is in a domain of its own with what it starts, and out of
/// reach for those in another: one program's descriptors, memory and environment in /proc are closed to the programs of
/// other steps (ptrace restrictions, landlock(7)).
pub(crate) fn scoping_only() -> Result<OwnedFd, Failure> {
    let created = refer_alone(landlock::Ruleset::default()).map_err(failed)?;
    Ruleset { created }.into_fd()
}

/// Moving files between directories has to be allowed expressly, because every domain denies it that does not
/// (LANDLOCK_ACCESS_FS_REFER, landlock(7)); nothing else is handled.
fn refer_alone(ruleset: landlock::Ruleset) -> Result<RulesetCreated, landlock::RulesetError> {
    ruleset
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Refer)
        .and_then(landlock::Ruleset::create)
        .and_then(|r| r.add_rules(path_beneath_rules(["/"], AccessFs::Refer)))
}

/// A rule for a path that was checked before; none if a component of it has become a link since.
fn granted(path: &Path, access: Rights) -> Result<PathBeneath<OwnedFd>, Errno> {
    let fd = open_plain(path, OFlag::O_PATH)?;
    let kind = SFlag::from_bits_truncate(fstat(&fd)?.st_mode) & SFlag::S_IFMT;
    let access = match kind {
        SFlag::S_IFDIR => access,
        _ => access & AccessFs::from_file(NEWEST),
    };
    Ok(PathBeneath::new(fd, access))
}

type Rights = BitFlags<AccessFs>;

fn rules(
    scene: &Scene<'_>,
    everything: Rights,
    read: Rights,
    run: Rights,
) -> Vec<(Vec<PathBuf>, Rights)> {
    let paths = |list: &[&str]| list.iter().map(PathBuf::from).collect::<Vec<_>>();
    let layout = scene.layout;
    let system = layout
        .system_directories
        .iter()
        .filter(|p| **p != "/etc")
        .map(PathBuf::from)
        .collect();
    let etc = layout.etc_readable(Path::new("/etc"));
    let mut rules = vec![(system, run), (etc, read)];
    if scene.grants.network == Network::Host {
        rules.push((paths(&[RESOLVER]), read));
    }
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    match (scene.tier, scene.scratch) {
        (Tier::Namespaces, _) if scene.open_root => rules.push((paths(&["/"]), everything)),
        (Tier::Namespaces, _) => {
            // Names may be listed everywhere in the private root; contents are a matter of the other rules.
            rules.push((paths(&["/"]), AccessFs::ReadDir.into()));
            rules.push((paths(&["/proc"]), read & !AccessFs::Truncate));
            rules.push((paths(&["/dev"]), device | AccessFs::ReadDir));
            rules.push((
                layout
                    .writable
                    .iter()
                    .map(|(path, _)| PathBuf::from(path))
                    .collect(),
                everything,
            ));
        }
        (Tier::Landlock, Some(scratch)) => {
            let proc = layout
                .proc_readable
                .iter()
                .map(|name| Path::new("/proc").join(name))
                .collect();
            let devices = layout
                .devices
                .iter()
                .map(|name| Path::new("/dev").join(name))
                .collect();
            rules.push((proc, read));
            rules.push((devices, device));
            rules.push((
                layout
                    .scratch
                    .iter()
                    .map(|(_, name)| scratch.join(name))
                    .collect(),
                everything,
            ));
        }
        (Tier::Landlock, None) => {}
    }
    rules
}
