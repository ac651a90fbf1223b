//! What the slot's processes give up: capabilities, new privileges, being dumped.

use crate::wire::failure::{Failure, Stage};
use caps::CapSet;
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};

/// Gives up every capability in every set, for good: the zygote's children can't get any back.
pub fn drop_all() -> Result<(), Failure> {
    let failed = |_| Failure::new(Stage::Capabilities, Errno::last_raw());
    // The bounding set goes first: dropping from it needs CAP_SETPCAP, which goes with the others.
    for capability in caps::runtime::thread_all_supported() {
        // EINVAL: the bit is not in the bounding set or not known to this kernel; EPERM: we never had the right,
        // and then no_new_privs keeps an exec from granting what is left in the bounding set.
        let _ = caps::drop(None, CapSet::Bounding, capability);
    }
    caps::clear(None, CapSet::Ambient).map_err(failed)?;
    caps::clear(None, CapSet::Inheritable).map_err(failed)?;
    caps::clear(None, CapSet::Effective).map_err(failed)?;
    caps::clear(None, CapSet::Permitted).map_err(failed)
}

/// No exec may gain privileges (set-uid, file capabilities); needed by Landlock and seccomp without root.
pub fn forbid_new() -> Result<(), Failure> {
    prctl::set_no_new_privs().map_err(|e| Failure::new(Stage::Capabilities, e as i32))
}

/// Makes this process untouchable to others of its uid (ptrace, /proc/<pid>/mem) and keeps it from dumping core.
pub fn forbid_inspection() -> Result<(), Failure> {
    prctl::set_dumpable(false).map_err(|e| Failure::new(Stage::Capabilities, e as i32))
}

/// Limits that are the same for every episode and are inherited from the zygote.
pub fn fixed_rlimits() -> Result<(), Failure> {
    let fixed = [
        (Resource::RLIMIT_CORE, 0, 0),
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
    setrlimit(Resource::RLIMIT_STACK, (8 << 20).min(host), host).map_err(rlimit_failed)
}

fn rlimit_failed(errno: Errno) -> Failure {
    Failure::new(Stage::Rlimit, errno as i32)
}
