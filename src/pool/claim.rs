//! Leasing: who gets which slot, and when a new one is built.

use super::cgroup::Cgroups;
use super::host::Host;
use super::host_sockets::HostSockets;
use super::ids::{NoUid, SlotIds};
use super::lease::Lease;
use super::process::Processes;
use super::scarcity::Scarcity;
use super::scratch::{self, ScratchGranted};
use super::settings::PoolSettings;
use super::slot::{BuildError, Slot, SlotLost};
use super::warm::Parent;
use crate::spec::policy::{Enforced, Grants, Tier};
use crate::wire::message::{Setup, VERSION};
use nix::errno::Errno;
use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How often slots that were let go during the run are seen to.
const ROUND: Duration = Duration::from_millis(200);

/// How long a new slot waits for another to die whose number it can have.
const NUMBER_TIMEOUT: Duration = Duration::from_secs(10);

struct PoolState {
    settings: PoolSettings,
    idle: RefCell<Vec<Slot>>,
    /// Slots that there may be at one time: as many as were asked for, or as there turned out to be room for.
    size: Cell<usize>,
    scarcity: Scarcity,
    /// Slots that exist or are being built, leased ones included.
    count: Cell<usize>,
    next: Cell<u32>,
    /// Of `count`, those that are being built for nobody in particular.
    coming: Cell<usize>,
    changed: Notify,
    processes: Rc<Processes>,
    parents: RefCell<Vec<Rc<Parent>>>,
    host_sockets: HostSockets,
    host: Rc<Host>,
    /// Where none can be had, nothing is said: everything goes on without them.
    cgroups: Option<Rc<Cgroups>>,
    /// Where slots have directories, in the landlock tier.
    scratch: Option<PathBuf>,
    closed: Cell<bool>,
    ids: SlotIds,
}

/// The pool. Clones share their slots; it lives on one thread.
#[derive(Clone)]
pub struct Pool {
    shared: Rc<PoolState>,
}

impl Pool {
    /// Builds the first slot, to find out what this machine grants, and the others in the background.
    pub async fn start(settings: PoolSettings) -> Result<(Pool, Enforced), BuildError> {
        let host = Rc::new(Host::open(settings.tier, settings.all_processes()));
        let shared = PoolState {
            host,
            idle: RefCell::default(),
            size: Cell::new(settings.size),
            scarcity: Scarcity::new(),
            count: Cell::new(0),
            next: Cell::new(0),
            coming: Cell::new(0),
            changed: Notify::new(),
            processes: Rc::new(Processes::new()),
            parents: RefCell::default(),
            host_sockets: HostSockets::default(),
            cgroups: Cgroups::open(settings.size).ok().map(Rc::new),
            scratch: match settings.tier {
                Tier::Namespaces => None,
                Tier::Landlock => Some(scratch::parent().map_err(BuildError::NoScratch)?),
            },
            closed: Cell::new(false),
            ids: SlotIds::claim(settings.size)?,
            settings,
        };
        let pool = Pool {
            shared: Rc::new(shared),
        };
        pool.check_grants(&pool.shared.settings.grants)?;
        // From the first slot on: what its start-up files leave running becomes a child of ours when they end.
        tokio::task::spawn_local(see_off(Rc::downgrade(&pool.shared)));
        for python in &pool.shared.settings.pythons {
            let (python, processes) = (python.clone(), pool.shared.processes.clone());
            match Parent::start(python, processes, pool.shared.settings.size).await {
                Ok(parent) => pool.shared.parents.borrow_mut().push(parent),
                Err(error) => {
                    pool.shut_down().await;
                    return Err(error);
                }
            }
        }
        let first = match pool.build_ahead().await {
            Ok(first) => first,
            Err(error) => {
                // The next tier may be tried; nothing of this attempt is to be left by then.
                pool.shut_down().await;
                return Err(error);
            }
        };
        let enforced = first.enforced;
        for parent in pool.shared.parents.borrow().iter() {
            parent.begin();
        }
        pool.give_back(first);
        pool.keep_ahead();
        Ok((pool, enforced))
    }

    /// Builds slots for whoever leases next, until as many are ready as there should be.
    pub fn keep_ahead(&self) {
        let shared = &self.shared;
        let ready = self.idle() + shared.coming.get();
        let room = shared.size.get().saturating_sub(shared.count.get());
        for _ in 0..shared.settings.ahead.saturating_sub(ready).min(room) {
            shared.coming.set(shared.coming.get() + 1);
            let pool = self.clone();
            tokio::task::spawn_local(async move {
                // A failure here is met again, and reported, by whoever leases next.
                let built = if pool.shared.closed.get() {
                    None
                } else {
                    pool.build_ahead().await.ok()
                };
                pool.shared.coming.set(pool.shared.coming.get() - 1);
                if let Some(slot) = built {
                    pool.give_back(slot);
                }
            });
        }
    }

    /// Slots that there may be at one time.
    pub fn size(&self) -> usize {
        self.shared.size.get()
    }

    /// Slots that wait to be leased.
    pub fn idle(&self) -> usize {
        self.shared.idle.borrow().len()
    }

    /// A slot with these grants, for an episode that names unusual places or does not, waiting for one if all are taken.
    pub async fn lease(&self, grants: &Arc<Grants>, elsewhere: bool) -> Result<Lease, BuildError> {
        self.check_grants(grants)?;
        let fits = |slot: &Slot| *slot.grants == **grants && (slot.elsewhere || !elsewhere);
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
                match self.build(grants.clone(), elsewhere).await {
                    Ok(slot) => return Ok(Lease::new(slot, self.clone())),
                    Err(error) if error.is_scarcity() && self.shared.settles_for_fewer() => {
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            changed.await;
        }
    }

    pub(super) fn host(&self) -> Rc<Host> {
        self.shared.host.clone()
    }

    pub(super) fn processes(&self) -> Rc<Processes> {
        self.shared.processes.clone()
    }

    /// Episodes after which a slot is replaced.
    pub(super) fn worn_out(&self) -> u32 {
        self.shared.settings.worn_out()
    }

    /// Whether slots may have these grants.
    fn check_grants(&self, grants: &Grants) -> Result<(), ScratchGranted> {
        match &self.shared.scratch {
            Some(parent) => scratch::check(grants, parent),
            None => Ok(()),
        }
    }

    /// The tier of all its slots.
    pub fn tier(&self) -> Tier {
        self.shared.settings.tier
    }

    /// Ends all slots and waits until every process of theirs is gone.
    pub async fn shut_down(self) {
        self.shared.closed.set(true);
        self.shared.idle.borrow_mut().clear();
        self.shared.parents.borrow_mut().clear();
        while self.shared.see_off() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The most recently used idle slot that fits: its memory is still in the caches.
    fn take_idle(&self, fits: impl Fn(&Slot) -> bool) -> Option<Slot> {
        let mut idle = self.shared.idle.borrow_mut();
        let at = idle.iter().rposition(fits)?;
        Some(idle.remove(at))
    }

    /// One for episodes that ask for nothing special, as most do.
    async fn build_ahead(&self) -> Result<Slot, BuildError> {
        self.build(self.shared.settings.grants.clone(), false).await
    }

    async fn build(&self, grants: Arc<Grants>, elsewhere: bool) -> Result<Slot, BuildError> {
        let shared = &self.shared;
        // Counted from now on, and not any more if this future is dropped or fails.
        let place = Reservation::take(self.clone());
        let number = self.free_number().await?;
        let ids = shared.ids.of_slot(number);
        let parent = shared.scratch.as_ref();
        let scratch = parent.map(|parent| scratch::directory(parent, number));
        let parents = shared.parents.borrow().clone();
        // When the kernel has no more of them, the slot goes without.
        let cgroup = shared.cgroups.as_ref().and_then(|all| all.make().ok());
        let (cgroup, files) = cgroup.unzip();
        let mut fds = files.unwrap_or_default();
        let connected = parents.iter().filter_map(|parent| {
            let join = fds.first().and_then(|procs| procs.try_clone().ok());
            Some((parent.python().clone(), parent.connect(join)?))
        });
        let (warm_pythons, sockets): (Vec<_>, Vec<_>) = connected.unzip();
        fds.extend(sockets);
        let setup = Setup {
            version: VERSION,
            slot: number,
            tier: shared.settings.tier,
            ids,
            scratch,
            host_sockets: match shared.settings.tier {
                Tier::Namespaces => shared.host_sockets.list(),
                // No Unix socket can be made there.
                Tier::Landlock => Vec::new(),
            },
            grants: (*grants).clone(),
            elsewhere,
            cgroup: cgroup.is_some(),
            warm_bash: shared.settings.warm_bash,
            warm_pythons,
            open_root: shared.settings.open_root && shared.settings.tier == Tier::Namespaces,
            real_time: shared.settings.is_crowded(),
            slots: shared.settings.size as u32,
            headroom: shared.settings.all_processes(),
        };
        let slot = tokio::time::timeout(
            Duration::from_secs(30),
            Slot::build(&setup, grants, shared.processes.clone(), &fds, cgroup),
        )
        .await
        .map_err(|_| SlotLost::Silent)?
        .inspect_err(|error| {
            if error.errno() == Some(Errno::EAGAIN) {
                shared.host.refused_processes();
            }
        })?;
        place.keep();
        Ok(slot)
    }

    /// A number for a new slot. Where uids are few, it has to wait for slots to die.
    async fn free_number(&self) -> Result<u32, BuildError> {
        let (shared, begin) = (&self.shared, Instant::now());
        let numbers = shared.ids.numbers();
        loop {
            if let Some(number) = shared.processes.free_number(shared.next.get(), numbers) {
                shared.next.set(number + 1);
                return Ok(number);
            }
            if begin.elapsed() > NUMBER_TIMEOUT {
                return Err(NoUid::NoneFree.into());
            }
            shared.processes.see_off();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(super) fn give_back(&self, slot: Slot) {
        if self.shared.count.get() > self.shared.size.get() {
            return self.discard(slot);
        }
        if !self.shared.closed.get() {
            self.shared.idle.borrow_mut().push(slot);
        }
        self.shared.changed.notify_one();
    }

    /// Builds another slot like it in its place, before anybody has to wait for it.
    pub(super) fn replace(&self, worn: Slot) {
        let (pool, grants, elsewhere) = (self.clone(), worn.grants.clone(), worn.elsewhere);
        self.discard(worn);
        tokio::task::spawn_local(async move {
            if pool.shared.count.get() < pool.shared.size.get()
                && !pool.shared.closed.get()
                && let Ok(slot) = pool.build(grants, elsewhere).await
            {
                pool.give_back(slot);
            }
        });
    }

    pub(super) fn discard(&self, slot: Slot) {
        drop(slot);
        self.shared.count.set(self.shared.count.get() - 1);
        self.shared.changed.notify_one();
    }
}

impl PoolState {
    /// Where others have taken what one slot more would have needed, it is better to wait for one of them than to fail. And
    /// one of them goes, so that programs have what it took. Sessions would have to wait for each other's ends.
    fn settles_for_fewer(&self) -> bool {
        let others = self.count.get();
        if others == 0 || self.settings.open_root {
            return false;
        }
        self.size.set((others - 1).clamp(1, self.size.get()));
        self.scarcity.met(Instant::now());
        true
    }

    /// Lets there be one slot more where the last that was refused was a while ago.
    fn grow(&self) {
        if self.size.get() < self.settings.size && self.scarcity.allows_more(Instant::now()) {
            self.size.set(self.size.get() + 1);
            self.changed.notify_one();
        }
    }

    /// Sees to slots that were let go; whether anything of theirs is left.
    fn see_off(&self) -> bool {
        let processes = self.processes.see_off();
        let cgroups = self.cgroups.as_ref().is_some_and(|all| all.remove_ended());
        processes || cgroups
    }
}

async fn see_off(pool: Weak<PoolState>) {
    while let Some(shared) = pool.upgrade() {
        shared.see_off();
        shared.grow();
        shared.host.look();
        drop(shared);
        tokio::time::sleep(ROUND).await;
    }
}

/// One of the pool's places, given up unless the slot for it was built.
struct Reservation {
    pool: Pool,
    kept: bool,
}

impl Reservation {
    fn take(pool: Pool) -> Reservation {
        pool.shared.count.set(pool.shared.count.get() + 1);
        Reservation { pool, kept: false }
    }

    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.kept {
            self.pool.shared.count.set(self.pool.shared.count.get() - 1);
            self.pool.shared.changed.notify_one();
        }
    }
}
