//! Leasing: who gets which slot, and when a new one is built.

use super::ids;
use super::process::Processes;
use super::slot::{BuildError, Slot, SlotLost};
use crate::spec::policy::{Enforced, Grants, Tier};
use crate::wire::message::{Setup, VERSION};
use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How often slots that were let go during the run are seen to.
const ROUND: Duration = Duration::from_millis(200);

/// What every slot of a pool is built with.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// Slots at one time, at least 1.
    pub size: usize,
    pub tier: Tier,
    /// Grants of the slots that are built ahead.
    pub grants: Arc<Grants>,
    /// Most processes of one episode, where slots share a uid and so a process limit.
    pub processes: u32,
}

struct Shared {
    settings: PoolSettings,
    idle: RefCell<Vec<Slot>>,
    /// Slots that exist or are being built, leased ones included.
    count: Cell<usize>,
    next: Cell<u32>,
    changed: Notify,
    processes: Rc<Processes>,
    closed: Cell<bool>,
}

/// The pool. Clones share their slots; it lives on one thread.
#[derive(Clone)]
pub struct Pool {
    shared: Rc<Shared>,
}

impl Pool {
    /// Builds the first slot, to find out what this machine grants, and the others in the background.
    pub async fn start(settings: PoolSettings) -> Result<(Pool, Enforced), BuildError> {
        let shared = Shared {
            idle: RefCell::default(),
            count: Cell::new(0),
            next: Cell::new(0),
            changed: Notify::new(),
            processes: Rc::default(),
            closed: Cell::new(false),
            settings,
        };
        let pool = Pool {
            shared: Rc::new(shared),
        };
        let first = pool.build(pool.shared.settings.grants.clone()).await?;
        let enforced = first.enforced;
        pool.give_back(first);
        for _ in 1..pool.shared.settings.size {
            let pool = pool.clone();
            tokio::task::spawn_local(async move {
                // A failure here is met again, and reported, by whoever leases next.
                if let Ok(slot) = pool.build(pool.shared.settings.grants.clone()).await {
                    pool.give_back(slot);
                }
            });
        }
        tokio::task::spawn_local(see_off(Rc::downgrade(&pool.shared)));
        Ok((pool, enforced))
    }

    /// A slot with these grants, waiting for one if all are taken.
    pub async fn lease(&self, grants: &Arc<Grants>) -> Result<Lease, BuildError> {
        loop {
            let changed = self.shared.changed.notified();
            if let Some(slot) = self.take_idle(|slot| *slot.grants == **grants) {
                return Ok(Lease {
                    slot: Some(slot),
                    pool: self.clone(),
                });
            }
            if self.shared.count.get() >= self.shared.settings.size
                && let Some(other) = self.take_idle(|_| true)
            {
                self.discard(other);
            }
            if self.shared.count.get() < self.shared.settings.size {
                let slot = self.build(grants.clone()).await?;
                return Ok(Lease {
                    slot: Some(slot),
                    pool: self.clone(),
                });
            }
            changed.await;
        }
    }

    /// Ends all slots and waits until every process of theirs is gone.
    pub async fn shut_down(self) {
        self.shared.closed.set(true);
        self.shared.idle.borrow_mut().clear();
        while self.shared.processes.see_off() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The most recently used idle slot that fits: its memory is still in the caches.
    fn take_idle(&self, fits: impl Fn(&Slot) -> bool) -> Option<Slot> {
        let mut idle = self.shared.idle.borrow_mut();
        let at = idle.iter().rposition(fits)?;
        Some(idle.remove(at))
    }

    async fn build(&self, grants: Arc<Grants>) -> Result<Slot, BuildError> {
        let shared = &self.shared;
        let number = shared
            .processes
            .free_number(shared.next.get(), ids::NUMBERS);
        shared.next.set(number + 1);
        // Counted from now on, and not any more if this future is dropped or fails.
        let place = Place::take(self.clone());
        let ids = ids::of_slot(number)?;
        let scratch = (shared.settings.tier == Tier::Landlock).then(|| scratch(number));
        let setup = Setup {
            version: VERSION,
            slot: number,
            tier: shared.settings.tier,
            ids,
            scratch,
            grants: (*grants).clone(),
            headroom: shared
                .settings
                .processes
                .saturating_mul(shared.settings.size as u32),
        };
        let slot = tokio::time::timeout(
            Duration::from_secs(30),
            Slot::build(&setup, grants, shared.processes.clone()),
        )
        .await
        .map_err(|_| SlotLost::Silent)??;
        place.keep();
        Ok(slot)
    }

    fn give_back(&self, slot: Slot) {
        if !self.shared.closed.get() {
            self.shared.idle.borrow_mut().push(slot);
        }
        self.shared.changed.notify_one();
    }

    fn discard(&self, slot: Slot) {
        drop(slot);
        self.shared.count.set(self.shared.count.get() - 1);
        self.shared.changed.notify_one();
    }
}

async fn see_off(pool: Weak<Shared>) {
    while let Some(shared) = pool.upgrade() {
        shared.processes.see_off();
        drop(shared);
        tokio::time::sleep(ROUND).await;
    }
}

/// One of the pool's places, given up unless the slot for it was built.
struct Place {
    pool: Pool,
    kept: bool,
}

impl Place {
    fn take(pool: Pool) -> Place {
        pool.shared.count.set(pool.shared.count.get() + 1);
        Place { pool, kept: false }
    }

    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.kept {
            self.pool.shared.count.set(self.pool.shared.count.get() - 1);
            self.pool.shared.changed.notify_one();
        }
    }
}

/// A slot in use. Dropped without [`Lease::end`], as when an episode is abandoned, the slot is ended with it.
pub struct Lease {
    slot: Option<Slot>,
    pool: Pool,
}

impl Lease {
    pub fn slot(&mut self) -> &mut Slot {
        self.slot
            .as_mut()
            .expect("a lease holds its slot until it ends")
    }

    /// Returns a slot that has proven itself clean.
    pub fn end(mut self) {
        if let Some(slot) = self.slot.take() {
            self.pool.give_back(slot);
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

/// A directory for a slot without a root of its own. Unguessable, so that nobody can make it first.
fn scratch(number: u32) -> PathBuf {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(number);
    std::env::temp_dir().join(format!(
        "runner-{}-{number}-{random:016x}",
        std::process::id()
    ))
}
