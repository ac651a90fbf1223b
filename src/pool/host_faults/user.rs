//! How many processes and threads the runner's user has, against the limit that the runner was started with (`ulimit -u`). Only
//! for an ordinary user, whose slots all count for them, and only where there may be less than the slots are promised:
//! elsewhere the limit can't be what a program met.

use crate::spec::policy::Tier;
use crate::sys::clock::monotonic_ns;
use crate::sys::procfs::processes_of;
use nix::sys::resource::{Resource, getrlimit};
use std::cell::RefCell;
use std::collections::VecDeque;

/// How many looks are remembered.
const MAX_LOOKS: usize = 64;

pub(super) struct User {
    uid: u32,
    limit: u32,
    /// When the user had as many as may be.
    full: RefCell<VecDeque<u64>>,
}

impl User {
    /// For slots of this user that may have so many processes together. `None` where those fit.
    pub(super) fn new(uid: u32, tier: Tier, wanted: u32) -> Option<User> {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NPROC).ok()?;
        // The kernel holds a user namespace to the soft limit of who made it (Linux 5.14). Without one, programs get a limit
        // of their own, and no more than the hard one.
        let limit = if tier.has_own_processes() { soft } else { hard };
        let limit = u32::try_from(limit).ok()?;
        // To count takes a millisecond or more. Most limits are far above what is wanted.
        let is_tight = wanted > limit / 2 && processes_of(uid).saturating_add(wanted) > limit;
        is_tight.then(|| User {
            uid,
            limit,
            full: RefCell::default(),
        })
    }

    pub(super) fn look(&self) {
        if processes_of(self.uid) >= self.limit {
            self.was_full();
        }
    }

    /// Takes it that the user has as many as may be now: a slot that is being built was refused one, and is given up, so that
    /// the next look would find fewer.
    pub(super) fn was_full(&self) {
        let mut full = self.full.borrow_mut();
        if full.len() == MAX_LOOKS {
            full.pop_front();
        }
        full.push_back(monotonic_ns());
    }

    /// The limit, if it was reached at a look between these, or a moment ago, when a program that has just ended was one more.
    pub(super) fn reached(&self, from_ns: u64, to_ns: u64) -> Option<u32> {
        let full = self.full.borrow();
        let was_full = full.iter().any(|at_ns| (from_ns..=to_ns).contains(at_ns));
        drop(full);
        if !was_full && processes_of(self.uid) + 1 < self.limit {
            return None;
        }
        // What others were refused meanwhile shows no more when this one's processes have gone.
        if !was_full {
            self.was_full();
        }
        Some(self.limit)
    }
}
