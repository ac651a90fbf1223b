//! The pool in the tier that was asked for, or in the best that the machine grants.

use crate::doctor::{self, Obstacle};
use crate::exit_status::ExitStatus;
use crate::pool::{BuildError, NotWarm, Pool, PoolSettings, PythonSettings, SlotNeeds, room_for};
use crate::spec::parse::Defaults;
use crate::spec::policy::{Enforced, Tier};
use crate::spec::warm::{Warm, WarmPython as WarmInterpreter};
use crate::wire::message::PreloadedPython;

/// What the pool is to be.
pub(crate) struct Wanted<'a> {
    /// `None` for the best this machine grants.
    pub tier: Option<Tier>,
    pub warm: &'a Warm,
    pub warm_episodes: u32,
    /// Slots at one time, and how many of them are kept ready for whoever comes next.
    pub slots: usize,
    pub spare: usize,
    /// Whether its slots are for sessions.
    pub open_root: bool,
    pub defaults: &'a Defaults,
}

/// Why there is no pool.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProvisionError {
    #[error("--warm: {0}")]
    NotWarm(NotWarm),
    #[error("{0}")]
    Pool(BuildError),
    /// In whatever tier.
    #[error("no slot can be started: {}\nRemedy: {}", .0.cause, .0.remedy)]
    NoSlot(Obstacle),
    #[error(
        "{asked} isolation can't be had on this machine: {cause}\nRemedy: {remedy}\n         or --isolation {other}; `runner doctor` shows what works here"
    )]
    Refused {
        asked: &'static str,
        cause: String,
        remedy: String,
        other: &'static str,
    },
}

impl ProvisionError {
    /// What the caller is told of it.
    pub(crate) fn exit_status(&self) -> ExitStatus {
        match self {
            ProvisionError::NotWarm(_) => ExitStatus::Usage,
            _ => ExitStatus::CantEnforce,
        }
    }
}

/// Builds it; `note` is told what people should know about it.
pub(crate) async fn build(
    wanted: &Wanted<'_>,
    note: impl Fn(String),
) -> Result<(Pool, Enforced), ProvisionError> {
    if let Some(obstacle) = doctor::no_proc() {
        return Err(ProvisionError::NoSlot(obstacle));
    }
    let tier = Tier::first(wanted.tier);
    let wanted = &Wanted {
        slots: slots(wanted, &note)?,
        ..*wanted
    };
    let built = match Pool::start(settings(wanted, tier)).await {
        Ok(built) => Ok(built),
        Err(error) => match (refused(tier, error), Tier::next(wanted.tier)) {
            (ProvisionError::Refused { cause, .. }, Some(next)) => {
                note(format!(
                    "runner: no namespaces here ({cause}); using the landlock tier"
                ));
                Pool::start(settings(wanted, next))
                    .await
                    .map_err(|e| refused(next, e))
            }
            (other, _) => Err(other),
        },
    }?;
    let pythons = wanted.warm.pythons.iter();
    for python in pythons.filter(|p| p.named && p.is_own()) {
        note(format!(
            "runner: {} belongs to the user who runs this, so programs could change the file; it is not kept warm",
            python.path
        ));
    }
    Ok(built)
}

/// As many as there is room for; `note` is told where that is fewer than were wanted.
fn slots(wanted: &Wanted<'_>, note: impl Fn(String)) -> Result<usize, ProvisionError> {
    let pythons = wanted.warm.pythons.len() as u64;
    let needs = SlotNeeds {
        // Its socket, and that of a session's client; what it gets of a Python as soon as that is ready.
        files: 1 + u64::from(wanted.open_root) + 2 * pythons,
        warm: wanted.warm.per_slot.len() as u64 + pythons,
    };
    match room_for(wanted.slots, needs) {
        (slots, None) => Ok(slots),
        (0, Some(scarce)) => Err(ProvisionError::NoSlot(Obstacle {
            cause: scarce.to_string(),
            remedy: doctor::of_scarce(&scarce),
        })),
        (slots, Some(scarce)) => {
            note(format!(
                "runner: {slots} slots in place of {}, because {scarce}; for more: {}",
                wanted.slots,
                doctor::of_scarce(&scarce)
            ));
            Ok(slots)
        }
    }
}

/// Each slot takes a descriptor here; the usual soft limit of 1,024 is meant for programs that use select(2).
pub(crate) fn raise_open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

fn settings(wanted: &Wanted<'_>, tier: Tier) -> PoolSettings {
    PoolSettings {
        warm: wanted.warm.per_slot.clone(),
        // Without namespaces nothing would hold together what a warm Python's programs leave behind.
        pythons: if tier.has_own_processes() {
            let pythons = wanted.warm.pythons.iter();
            pythons
                .filter(|p| !p.is_own())
                .map(python_settings)
                .collect()
        } else {
            Vec::new()
        },
        warm_episodes: wanted.warm_episodes,
        size: wanted.slots,
        spare: wanted.spare.min(wanted.slots),
        tier,
        open_root: wanted.open_root,
        grants: wanted.defaults.grants.clone(),
        processes: wanted.defaults.limits.processes,
    }
}

fn refused(tier: Tier, error: BuildError) -> ProvisionError {
    match error {
        BuildError::NotWarm(error) => ProvisionError::NotWarm(error),
        error if error.is_refusal() => ProvisionError::Refused {
            asked: tier.name(),
            cause: error.to_string(),
            remedy: doctor::remedy(tier, error),
            other: tier.other().name(),
        },
        error => match doctor::obstacle(tier, &error) {
            Some(obstacle) => ProvisionError::NoSlot(obstacle),
            None => ProvisionError::Pool(error),
        },
    }
}

fn python_settings(warm: &WarmInterpreter) -> PythonSettings {
    PythonSettings {
        python: PreloadedPython {
            path: warm.path.clone(),
            modules: warm.modules.clone(),
        },
        named: warm.named,
    }
}
