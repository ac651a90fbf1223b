//! The pool itself: which slots it has, who gets which, and its end.

use super::cgroup::Cgroups;
use super::failure::BuildError;
use super::host_faults::Host;
use super::host_sockets::HostSockets;
use super::ids::SlotIds;
use super::process::Processes;
use super::scarcity::Scarcity;
use super::scratch::{self, ScratchGranted};
use super::settings::PoolSettings;
use super::slot::Slot;
use super::trace::{Trace, TraceError};
use super::warm::Parent;
use crate::spec::policy::{Enforced, Grants, Tier};
use crate::sys::cores;
use std::cell::{Cell, OnceCell, RefCell};
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};
use tracing::info;

/// How long one slot less may take to help.
const REFUSAL_INTERVAL: Duration = Duration::from_millis(200);
/// How often slots that were let go during the run are seen to.
const CLEAN_UP_INTERVAL: Duration = Duration::from_millis(200);
/// Slots that are built at one time, which is computing but for start-up files that wait. Where processes are few, more would each
/// take some, and none have enough.
const BUILDS_PER_CORE: usize = 2;

pub(super) struct PoolState {
    pub(super) settings: PoolSettings,
    pub(super) idle: RefCell<Vec<Slot>>,
    /// Slots that there may be at one time: as many as were asked for, or as there turned out to be room for.
    pub(super) size: Cell<usize>,
    pub(super) scarcity: Scarcity,
    /// Slots that exist or are being built, leased ones included.
    pub(super) count: Cell<usize>,
    pub(super) next: Cell<u32>,
    /// Of `count`, those that are being built for nobody in particular.
    pub(super) coming: Cell<usize>,
    pub(super) changed: Notify,
    /// Held while a slot is built.
    pub(super) build_permits: Semaphore,
    pub(super) processes: Rc<Processes>,
    pub(super) parents: RefCell<Vec<Rc<Parent>>>,
    pub(super) host_sockets: HostSockets,
    pub(super) host: Rc<Host>,
    /// Where none can be had, nothing is said: everything goes on without them.
    pub(super) cgroups: Option<Rc<Cgroups>>,
    /// Where slots without a root of their own have their directories.
    pub(super) scratch: Option<PathBuf>,
    pub(super) closed: Cell<bool>,
    pub(super) ids: SlotIds,
    /// Where each attempt is told of, if anywhere.
    pub(super) trace: OnceCell<Trace>,
}

/// How long warming up may take; more than the longest import of a warm Python.
pub const WARM_UP_TIMEOUT: Duration = Duration::from_secs(90);
const WARM_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The pool. Clones share their slots; it lives on one thread.
#[derive(Clone)]
pub struct Pool {
    pub(super) shared: Rc<PoolState>,
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
            build_permits: Semaphore::new(BUILDS_PER_CORE * cores::available()),
            processes: Rc::new(Processes::new()),
            parents: RefCell::default(),
            host_sockets: HostSockets::default(),
            cgroups: Cgroups::open(settings.size).ok().map(Rc::new),
            scratch: if settings.tier.has_private_root() {
                None
            } else {
                Some(scratch::parent().map_err(BuildError::NoScratch)?)
            },
            closed: Cell::new(false),
            trace: OnceCell::new(),
            ids: SlotIds::claim(settings.size)?,
            settings,
        };
        let pool = Pool {
            shared: Rc::new(shared),
        };
        pool.check_grants(&pool.shared.settings.grants)?;
        // From the first slot on: what its start-up files leave running becomes a child of ours when they end.
        tokio::task::spawn_local(clean_up(Rc::downgrade(&pool.shared)));
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
        let first = match pool.build_default().await {
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
        pool.keep_spares();
        Ok((pool, enforced))
    }

    /// From now on each attempt is told of there. Only the first call has an effect.
    pub fn trace_to(&self, trace: Trace) {
        let _ = self.shared.trace.set(trace);
    }

    /// Waits until the slots that are kept ready are built, and what is to be warm in them is, or never will be; whether that
    /// came to be in [`WARM_UP_TIMEOUT`]. For a pool that nobody uses yet.
    pub async fn warm_up(&self) -> bool {
        let is_warm = || {
            let parents = self.shared.parents.borrow();
            let mut parents = parents.iter();
            self.shared.coming.get() == 0 && parents.all(|parent| parent.has_settled(self.idle()))
        };
        let begin = Instant::now();
        while !is_warm() {
            if begin.elapsed() > WARM_UP_TIMEOUT {
                return false;
            }
            tokio::time::sleep(WARM_POLL_INTERVAL).await;
        }
        true
    }

    /// Why some of the trace is missing, if it is.
    pub fn trace_failure(&self) -> Option<TraceError> {
        self.shared.trace.get()?.failure()
    }

    /// Slots that there may be at one time.
    pub fn size(&self) -> usize {
        self.shared.size.get()
    }

    /// Slots that wait to be leased.
    pub fn idle(&self) -> usize {
        self.shared.idle.borrow().len()
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
    pub(super) fn check_grants(&self, grants: &Grants) -> Result<(), ScratchGranted> {
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
        while self.shared.clean_up() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Lets there be fewer slots, since those there are leave too few processes or descriptors for one more, or for the
    /// programs; whether there are others to wait for. Sessions would have to wait for each other's ends.
    pub(super) fn settle_for_fewer(&self) -> bool {
        let shared = &self.shared;
        let others = shared.count.get();
        if others == 0 || shared.settings.open_root {
            return false;
        }
        let fewer = (others - 1).clamp(1, shared.size.get());
        if fewer < shared.size.get() {
            shared.size.set(fewer);
            shared.scarcity.met(Instant::now());
            info!(
                slots = fewer,
                "settles for fewer: processes or descriptors are few"
            );
        }
        // Programs have what it took.
        if shared.count.get() > fewer
            && let Some(one) = self.take_idle(|_| true)
        {
            self.discard(one);
        }
        true
    }

    /// The same where a program was refused a process. One refusal can be the evidence for many programs at once, and what one slot
    /// gives back takes a moment: so only where there was no other a moment ago.
    pub(super) fn settle_after_refusal(&self) {
        if !self.shared.scarcity.was_met_within(REFUSAL_INTERVAL) {
            self.settle_for_fewer();
        }
    }

    /// The most recently used idle slot that fits: its memory is still in the caches.
    pub(super) fn take_idle(&self, fits: impl Fn(&Slot) -> bool) -> Option<Slot> {
        let mut idle = self.shared.idle.borrow_mut();
        let at = idle.iter().rposition(fits)?;
        Some(idle.remove(at))
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

    pub(super) fn discard(&self, slot: Slot) {
        drop(slot);
        self.shared.count.set(self.shared.count.get() - 1);
        self.shared.changed.notify_one();
    }
}

impl PoolState {
    /// Lets there be one slot more where the last that was refused was a while ago.
    fn grow(&self) {
        if self.size.get() < self.settings.size && self.scarcity.allows_more(Instant::now()) {
            self.size.set(self.size.get() + 1);
            info!(slots = self.size.get(), "tries for one more");
            self.changed.notify_one();
        }
    }

    /// Sees to slots that were let go; whether anything of theirs is left.
    fn clean_up(&self) -> bool {
        let processes = self.processes.clean_up();
        let cgroups = self.cgroups.as_ref().is_some_and(|all| all.remove_ended());
        processes || cgroups
    }
}

async fn clean_up(pool: Weak<PoolState>) {
    while let Some(shared) = pool.upgrade() {
        shared.clean_up();
        shared.grow();
        shared.host.look();
        drop(shared);
        tokio::time::sleep(CLEAN_UP_INTERVAL).await;
    }
}
