//! Building slots: for whoever waits for one, and to have some to spare.

use super::failure::{BuildError, SlotLost};
use super::ids::NoUid;
use super::scratch;
use super::slot::Slot;
use super::state::Pool;
use crate::spec::policy::Grants;
use crate::wire::message::Setup;
use nix::errno::Errno;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a slot may take to be built.
const BUILD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a new slot waits for another to die whose number it can have.
const NUMBER_TIMEOUT: Duration = Duration::from_secs(10);

impl Pool {
    /// Builds slots for whoever leases next, until as many are ready as there should be.
    pub fn keep_spares(&self) {
        let shared = &self.shared;
        let ready = self.idle() + shared.coming.get();
        let room = shared.size.get().saturating_sub(shared.count.get());
        for _ in 0..shared.settings.spare.saturating_sub(ready).min(room) {
            shared.coming.set(shared.coming.get() + 1);
            let pool = self.clone();
            tokio::task::spawn_local(async move {
                // A failure here is met again, and reported, by whoever leases next.
                let built = if pool.shared.closed.get() {
                    None
                } else {
                    pool.build_default().await.ok()
                };
                pool.shared.coming.set(pool.shared.coming.get() - 1);
                if let Some(slot) = built {
                    pool.give_back(slot);
                }
            });
        }
    }

    /// Builds another slot like it in its place, before anybody has to wait for it.
    pub(super) fn replace(&self, worn: Slot) {
        let (pool, grants, unusual_places) =
            (self.clone(), worn.grants.clone(), worn.unusual_places);
        self.discard(worn);
        tokio::task::spawn_local(async move {
            if pool.shared.count.get() < pool.shared.size.get()
                && !pool.shared.closed.get()
                && let Ok(slot) = pool.build(grants, unusual_places).await
            {
                pool.give_back(slot);
            }
        });
    }

    /// One for episodes that ask for nothing special, as most do.
    pub(super) async fn build_default(&self) -> Result<Slot, BuildError> {
        self.build(self.shared.settings.grants.clone(), false).await
    }

    pub(super) async fn build(
        &self,
        grants: Arc<Grants>,
        unusual_places: bool,
    ) -> Result<Slot, BuildError> {
        let shared = &self.shared;
        // Counted from now on, and not any more if this future is dropped or fails.
        let place = Reservation::take(self.clone());
        let _permit = shared.build_permits.acquire().await;
        if shared.closed.get() {
            return Err(SlotLost::WasDead.into());
        }
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
            slot: number,
            tier: shared.settings.tier,
            ids,
            scratch,
            // On the host's own file tree they can't be covered, and programs can make no Unix socket.
            host_sockets: if shared.settings.tier.has_private_root() {
                shared.host_sockets.list()
            } else {
                Vec::new()
            },
            grants: (*grants).clone(),
            unusual_places,
            cgroup: cgroup.is_some(),
            warm: shared.settings.warm.clone(),
            warm_pythons,
            open_root: shared.settings.open_root && shared.settings.tier.has_private_root(),
            real_time: shared.settings.is_crowded(),
            slots: shared.settings.size as u32,
            headroom: shared.settings.all_processes(),
        };
        let slot = tokio::time::timeout(
            BUILD_TIMEOUT,
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
            shared.processes.clean_up();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
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
