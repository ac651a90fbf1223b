//! What the kernel counts for a user or for the machine, and not for a process: each slot gets a share that it can't
//! exceed, so that no episode uses up what its neighbours or the host need.
//!
//! | what | counted for | the share of a slot |
//! |---|---|---|
//! | queued signals and timers | user | [`pending_signals`], a resource limit of programs; root's slots have uids of their own |
//! | inotify instances and watches | user | user.max_inotify_* of the slot's user namespace |
//! | namespaces | user | none: user.max_*_namespaces is 0 once the slot is built |
//! | pseudo-terminals | machine | `max` of the slot's devpts |
//! | processes, threads | user | RLIMIT_NPROC (`slot::episode`) |
//! | descriptors in flight | user | `open_files` of programs is kept below what init may have (`slot::episode`) |
//!
//! Limits of a user hold at each user namespace up to the first: what happens in a slot counts for whoever made its user
//! namespace, which is why root makes them under the slot's uid (`namespaces::enter`).

use super::call::on;
use crate::wire::failure::{Failure, Stage};
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use std::fs;

/// Queued signals and timers of an episode. A POSIX timer takes one for as long as it exists.
const MAX_PENDING_SIGNALS: u64 = 4096;
/// Each can hold some 5 MB of events that nobody has read (fs.inotify.max_queued_events).
const MAX_INOTIFY_INSTANCES: u64 = 16;
/// Each holds an inode in memory, some 1 KB.
const MAX_INOTIFY_WATCHES: u64 = 16_384;
/// For each a thread of the kernel's can be kept busy, with what is written to it, at nobody's expense.
const MAX_TERMINALS: u64 = 4;
/// By how much descriptors in flight can exceed the limit of who sends them: one message (SCM_MAX_FD), and some to spare.
const MAX_IN_FLIGHT: u64 = 320;

/// What the slot's own processes may have, of which programs get a share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnLimits {
    pub open_files: u64,
    pub pending_signals: u64,
}

impl OwnLimits {
    pub(crate) fn read() -> Result<Self, Errno> {
        let most = |resource| Ok::<_, Errno>(getrlimit(resource)?.1);
        Ok(OwnLimits {
            open_files: most(Resource::RLIMIT_NOFILE)?,
            pending_signals: most(Resource::RLIMIT_SIGPENDING)?,
        })
    }
}

/// RLIMIT_SIGPENDING of programs, where so many slots share a uid and this is its limit.
pub(crate) fn pending_signals(sharing: u32, limit: u64) -> u64 {
    share(MAX_PENDING_SIGNALS, limit, sharing)
}

/// RLIMIT_NOFILE of programs that are to have so many descriptors. Where the slot's own processes may have no more than
/// `limit`, programs get fewer: what they have in flight in Unix sockets is counted for the user, and once it is more
/// than the sender's own limit nobody of this user can hand on a descriptor any more, init included (unix(7)).
pub(crate) fn open_files(wanted: u64, limit: u64) -> u64 {
    wanted.min(limit.saturating_sub(MAX_IN_FLIGHT).max(limit / 2))
}

/// How many pseudo-terminals the devpts of one of so many slots may have.
pub(crate) fn terminals(slots: u32) -> u64 {
    let setting = |name| read(&format!("/proc/sys/kernel/pty/{name}"));
    let all = setting("max").zip(setting("reserve"));
    let left = all.map_or(MAX_TERMINALS, |(max, reserve)| max.saturating_sub(reserve));
    share(MAX_TERMINALS, 2 * left, slots)
}

/// Bounds what a slot's user namespace may have, where so many slots share a uid. To be called as PID 1 of the slot, with
/// all capabilities in its user namespace and its own /proc mounted and not yet sealed.
pub(crate) fn bound_user_namespace(sharing: u32) -> Result<(), Failure> {
    let of_user = |name| read(&format!("/proc/sys/fs/inotify/{name}")).unwrap_or(u64::MAX);
    let instances = share(
        MAX_INOTIFY_INSTANCES,
        of_user("max_user_instances"),
        sharing,
    );
    let watches = share(MAX_INOTIFY_WATCHES, of_user("max_user_watches"), sharing);
    let limits = [
        ("inotify_instances", instances),
        ("inotify_watches", watches),
        ("user_namespaces", 0),
        ("mnt_namespaces", 0),
        ("net_namespaces", 0),
    ];
    for (name, value) in limits {
        let path = format!("/proc/sys/user/max_{name}");
        match fs::write(&path, value.to_string()) {
            // Not built into this kernel: then there is nothing to be bounded.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            done => done
                .map_err(on("write", &path))
                .map_err(Stage::Quotas.failed())?,
        }
    }
    Ok(())
}

/// At most `most`, and at most half of what all may have together: the other half is for the user's other processes. At
/// least one, or programs could not run that need one; so the sum of very many slots can be more than there is.
fn share(most: u64, all: u64, sharing: u32) -> u64 {
    (all / 2 / u64::from(sharing.max(1))).clamp(1, most)
}

fn read(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_have_fewer_descriptors_than_init_may_have() {
        assert_eq!(open_files(1024, 1_048_576), 1024);
        assert_eq!(open_files(1024, 1024), 704);
        assert_eq!(open_files(1024, 256), 128);
    }

    #[test]
    fn slots_that_share_a_quota_together_get_half_of_it() {
        assert_eq!(share(32, 128, 1), 32);
        assert_eq!(share(32, 128, 4), 16);
        assert_eq!(share(32, 128, 1000), 1);
    }
}
