//! A slot in use, and what becomes of it afterwards.

use super::slot::Slot;
use super::state::Pool;

/// A slot in use. Dropped without [`Lease::end`], as when an episode is abandoned, the slot is ended with it.
pub struct Lease {
    slot: Option<Slot>,
    pool: Pool,
}

impl Lease {
    pub fn new(slot: Slot, pool: Pool) -> Lease {
        Lease {
            slot: Some(slot),
            pool,
        }
    }

    pub fn slot(&mut self) -> &mut Slot {
        self.slot
            .as_mut()
            .expect("a lease holds its slot until it ends")
    }

    /// Returns a slot that has proven itself clean.
    pub fn end(mut self) {
        if let Some(mut slot) = self.slot.take() {
            slot.episodes += 1;
            if slot.episodes >= self.pool.worn_out() {
                self.pool.replace(slot)
            } else {
                self.pool.give_back(slot)
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.pool.discard(slot);
        }
    }
}
