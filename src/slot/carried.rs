//! What one program of an episode or a session leaves to the next.

use super::live::Live;
use super::watch::Due;
use nix::sys::resource::{Resource, getrlimit};
use std::os::fd::OwnedFd;

/// What one step of an episode leaves to the next.
#[derive(Default)]
pub(super) struct Carried {
    /// Whether the last program ended for what it had on disk, which is still there.
    pub was_full: bool,
    /// Whether the kernel has killed at the slot's limit of memory. It may have killed a zygote too.
    pub was_killed: bool,
    /// What the episode's own ruleset has to name.
    pub extra: Vec<String>,
    /// Pipes of earlier steps whose background processes may still write to them.
    pub background: Vec<OwnedFd>,
    /// Whether earlier programs may have left something that runs.
    pub runs: bool,
    /// When what runs in the background is to be looked at, however soon one program follows another.
    pub due: Due,
    /// CPU time of processes that ended without a parent to wait for them since the last program, in microseconds.
    pub orphans_cpu_us: u64,
    /// CPU time of the programs of earlier steps, in microseconds.
    pub spent_cpu_us: u64,
    /// Where what programs print is passed on to while none runs.
    pub live: Option<Live>,
    /// What the next program has in place of stdin, stdout and stderr.
    pub terminal: Option<OwnedFd>,
}

impl Carried {
    /// What ended between two programs is no part of the second.
    pub(super) fn spend_orphans(&mut self) {
        let orphans_us = std::mem::take(&mut self.orphans_cpu_us);
        self.spent_cpu_us = self.spent_cpu_us.saturating_add(orphans_us);
    }

    /// Keeps pipes that background processes may still write to. Where there are so many that we would have no descriptors
    /// left for the next program, nobody reads the oldest any more.
    pub(super) fn drain_later(&mut self, pipes: impl Iterator<Item = OwnedFd>) {
        self.background.extend(pipes);
        if self.background.is_empty() {
            return;
        }
        let most = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft / 2);
        let over = self.background.len().saturating_sub(most as usize);
        self.background.drain(..over);
    }
}
