//! What a pool is to be.

use super::warm::PythonSettings;
use crate::spec::policy::{Grants, Tier};
use crate::spec::warm::PerSlot;
use crate::sys::cores;
use crate::wire::message::OWN_PROCESSES;
use std::sync::Arc;

/// Slots for each core, from which on starts are real time.
const REAL_TIME_SLOTS_PER_CORE: usize = 8;

/// What every slot of a pool is built with.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// Slots at one time, at least 1.
    pub size: usize,
    /// How many of them are kept ready for whoever comes next, from 1 to `size`.
    pub spare: usize,
    pub tier: Tier,
    /// Whether programs may write anywhere in their private root. Such slots are for sessions only.
    pub open_root: bool,
    /// Grants of the slots that are kept ready.
    pub grants: Arc<Grants>,
    /// Most processes of one episode, where slots share a uid and so a process limit.
    pub processes: u32,
    /// What each slot starts by itself and keeps warm.
    pub warm: Vec<PerSlot>,
    /// Pythons that are kept warm.
    pub pythons: Vec<PythonSettings>,
    /// Episodes that a slot with warm interpreters runs before it is replaced, and with it all that its programs have
    /// in common: addresses, and the seed of Python's hashes.
    pub warm_episodes: u32,
}

impl PoolSettings {
    /// Whether there are so many slots that a program which starts is likely to find all cores busy. In a smaller pool
    /// it waits for few others, and real time would cost a sixth of the rate of programs that do nothing. Sessions may be
    /// many and idle.
    pub(super) fn is_crowded(&self) -> bool {
        let cores = cores::available();
        !self.open_root && self.size >= REAL_TIME_SLOTS_PER_CORE * cores
    }

    /// What all slots and their programs may have of processes at one time.
    pub(super) fn all_processes(&self) -> u32 {
        let warm = (self.warm.len() + self.pythons.len()) as u32;
        let of_slot = self.processes.saturating_add(OWN_PROCESSES + warm);
        of_slot.saturating_mul(self.size as u32)
    }

    /// Episodes after which a slot is replaced.
    pub(super) fn worn_out(&self) -> u32 {
        if !self.warm.is_empty() || !self.pythons.is_empty() {
            self.warm_episodes
        } else {
            u32::MAX
        }
    }
}
