//! A slot in use: how it is had, and what becomes of it afterwards.

use super::failure::BuildError;
use super::slot::Slot;
use super::state::Pool;
use crate::spec::policy::Grants;
use std::sync::Arc;

impl Pool {
    /// A slot with these grants, for an episode that names unusual places or does not, waiting for one if all are taken.
    pub async fn lease(
        &self,
        grants: &Arc<Grants>,
        unusual_places: bool,
    ) -> Result<Lease, BuildError> {
        self.check_grants(grants)?;
        let fits =
            |slot: &Slot| *slot.grants == **grants && (slot.unusual_places || !unusual_places);
        loop {
            let changed = self.shared.changed.notified();
            if let Some(slot) = self.take_idle(fits) {
                return Ok(Lease::new(slot, self.clone()));
            }
            if self.shared.count.get() >= self.shared.size.get()
                && let Some(other) = self.take_idle(|_| true)
            {
                self.discard(other);
            }
            if self.shared.count.get() < self.shared.size.get() {
                match self.build(grants.clone(), unusual_places).await {
                    Ok(slot) => return Ok(Lease::new(slot, self.clone())),
                    Err(error) if error.is_scarcity() && self.settle_for_fewer() => {
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            changed.await;
        }
    }
}

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
