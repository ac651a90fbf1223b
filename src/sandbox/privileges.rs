//! What the slot's processes give up: capabilities, new privileges, being dumped, dumping core.

use crate::spec::limits::DEFAULT_STACK_BYTES;
use crate::spec::policy::Tier;
use crate::wire::failure::{Failure, Stage};
use caps::{CapSet, Capability, CapsHashSet};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};

/// What init needs in its own user namespace once the root is built: to set the size of the tmpfs, to measure
/// programs that are not dumpable, and to remove what programs have closed to themselves.
const INIT_KEEPS: [Capability; 3] = [
    Capability::CAP_SYS_ADMIN,
    Capability::CAP_SYS_PTRACE,
    Capability::CAP_DAC_OVERRIDE,
];

/// What root needs to give each slot a uid of its own: to take it on, and to map it or to hand over the slot's directory.
fn needed_by_root(tier: Tier) -> &'static [Capability] {
    match tier {
        Tier::Namespaces => &[
            Capability::CAP_SETGID,
            Capability::CAP_SETUID,
            Capability::CAP_SYS_ADMIN,
        ],
        Tier::Landlock => &[
            Capability::CAP_CHOWN,
            Capability::CAP_DAC_OVERRIDE,
            Capability::CAP_SETGID,
            Capability::CAP_SETUID,
        ],
    }
}

/// Those of them that this process does not have.
pub(crate) fn missing_to_root(tier: Tier) -> Vec<Capability> {
    let has = caps::read(None, CapSet::Effective).unwrap_or_default();
    let needed = needed_by_root(tier).iter().copied();
    needed
        .filter(|capability| !has.contains(capability))
        .collect()
}

/// Gives up every capability in every set, for good: the zygote's children can't get any back.
pub(crate) fn drop_all() -> Result<(), Failure> {
    keep_only(&CapsHashSet::new())
}

/// Gives up, for good, all that init does not need in its user namespace.
pub(crate) fn drop_for_init() -> Result<(), Failure> {
    keep_only(&INIT_KEEPS.into_iter().collect())
}

fn keep_only(keep: &CapsHashSet) -> Result<(), Failure> {
    let failed = |_| Failure::new(Stage::Capabilities, Errno::last_raw());
    // The bounding set goes first: dropping from it needs CAP_SETPCAP, which goes with the others.
    drop_bounding();
    caps::clear(None, CapSet::Ambient).map_err(failed)?;
    caps::clear(None, CapSet::Inheritable).map_err(failed)?;
    caps::set(None, CapSet::Effective, keep).map_err(failed)?;
    caps::set(None, CapSet::Permitted, keep).map_err(failed)
}

/// Empties the bounding set where we have the right to. Root does, before it changes its uid.
pub(crate) fn drop_bounding() {
    for capability in caps::runtime::thread_all_supported() {
        // EINVAL: the bit is not in the bounding set or not known to this kernel; EPERM: we never had the right,
        // and then no_new_privs keeps an exec from granting what is left in the bounding set.
        let _ = caps::drop(None, CapSet::Bounding, capability);
    }
}

/// No exec may gain privileges (set-uid, file capabilities); needed by Landlock and seccomp without root.
pub(crate) fn forbid_new() -> Result<(), Failure> {
    prctl::set_no_new_privs().map_err(Stage::Capabilities.failed())
}

/// Makes this process untouchable to others of its uid (ptrace, /proc/<pid>/mem) and keeps it from dumping core.
pub(crate) fn forbid_inspection() -> Result<(), Failure> {
    prctl::set_dumpable(false).map_err(Stage::Capabilities.failed())
}

/// No process of the slot leaves a core file or starts the host's handler for crashes.
///
/// Not 0: a handler (`|program` in core_pattern) runs as the host's root, with our memory as its input, whatever the
/// limit is, except for a limit of 1 (core(5); `do_coredump` in the kernel). A file of one byte is not written either.
/// The filter keeps programs from changing it, lowering included.
pub(crate) fn forbid_cores() -> Result<(), Failure> {
    let (_, most) = nix::sys::resource::getrlimit(Resource::RLIMIT_CORE).map_err(rlimit_failed)?;
    setrlimit(Resource::RLIMIT_CORE, most.min(1), most.min(1)).map_err(rlimit_failed)
}

/// Limits that are the same for every episode and are inherited from the zygote.
pub(crate) fn fixed_rlimits() -> Result<(), Failure> {
    let fixed = [
        (Resource::RLIMIT_MEMLOCK, 8 << 20, 8 << 20),
        (Resource::RLIMIT_MSGQUEUE, 0, 0),
        (Resource::RLIMIT_RTPRIO, 0, 0),
        (Resource::RLIMIT_NICE, 0, 0),
    ];
    for (resource, soft, hard) in fixed {
        let (_, host) = nix::sys::resource::getrlimit(resource).map_err(rlimit_failed)?;
        setrlimit(resource, soft.min(host), hard.min(host)).map_err(rlimit_failed)?;
    }
    // The caller's own `ulimit -s` must not change how programs lay out their memory.
    let (_, host) = nix::sys::resource::getrlimit(Resource::RLIMIT_STACK).map_err(rlimit_failed)?;
    setrlimit(Resource::RLIMIT_STACK, DEFAULT_STACK_BYTES.min(host), host).map_err(rlimit_failed)
}

fn rlimit_failed(errno: Errno) -> Failure {
    Failure::new(Stage::Rlimit, errno as i32)
}
