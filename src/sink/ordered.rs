//! `--ordered`: results leave in the order in which their episodes were started.
//!
//! The scheduler takes a [`Ticket`] from the [`Window`] before it starts an episode and sends it along
//! with the outcome. Places are numbered consecutively here, so lines that `--shard` or `--resume`
//! skip leave no gap. A place is free again once its result has been emitted in order, which bounds
//! how far the others can run ahead of the slowest. No place is given while the results that wait hold much memory.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// What results that wait may hold before nothing new is started; those of running episodes may come on top.
const MAX_BYTES: usize = 256 << 20;

/// What results that wait hold.
#[derive(Debug, Default)]
struct Waiting {
    bytes: AtomicUsize,
    freed: Notify,
}

/// Hands out places, as many at a time as the window is wide.
#[derive(Debug)]
pub struct Window {
    permits: Arc<Semaphore>,
    waiting: Arc<Waiting>,
    next: u64,
}

/// The right to run one episode, and its result's rank among all results.
///
/// A place dropped without a result (its episode was given up) leaves a gap: what comes after is
/// emitted when the sink is finished.
#[derive(Debug)]
pub struct Ticket {
    pub(super) sequence: u64,
    waiting: Arc<Waiting>,
    /// Of its result, while that waits.
    bytes: usize,
    _permit: OwnedSemaphorePermit,
}

impl Ticket {
    /// Its result waits, and holds so many bytes.
    pub(super) fn hold(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.waiting.bytes.fetch_add(bytes, SeqCst);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.waiting.bytes.fetch_sub(self.bytes, SeqCst);
        self.waiting.freed.notify_waiters();
    }
}

impl Window {
    /// A window of `size` episodes that are running or wait for an earlier one; 0 counts as 1.
    pub fn new(size: usize) -> Self {
        Window {
            permits: Arc::new(Semaphore::new(size.clamp(1, Semaphore::MAX_PERMITS))),
            waiting: Arc::default(),
            next: 0,
        }
    }

    /// Waits until the window has room and takes the next place. Cancel-safe.
    pub async fn enter(&mut self) -> Ticket {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .expect("the window's semaphore is never closed");
        loop {
            let freed = self.waiting.freed.notified();
            if self.waiting.bytes.load(SeqCst) < MAX_BYTES {
                break;
            }
            freed.await;
        }
        let sequence = self.next;
        self.next += 1;
        Ticket {
            sequence,
            waiting: self.waiting.clone(),
            bytes: 0,
            _permit: permit,
        }
    }
}

/// Puts items with consecutive numbers, which arrive in any order, back in order.
#[derive(Debug)]
pub(super) struct Reorder<T> {
    next: u64,
    /// `waiting[i]` is number `next + i`.
    waiting: VecDeque<Option<T>>,
}

impl<T> Reorder<T> {
    pub(super) fn new() -> Self {
        Reorder {
            next: 0,
            waiting: VecDeque::new(),
        }
    }

    /// Takes number `sequence`, which must not have been taken before.
    pub(super) fn insert(&mut self, sequence: u64, item: T) {
        debug_assert!(
            sequence >= self.next,
            "number {sequence} was already emitted"
        );
        let index = (sequence - self.next) as usize;
        if index >= self.waiting.len() {
            self.waiting.resize_with(index + 1, || None);
        }
        self.waiting[index] = Some(item);
    }

    /// The next item in order, if it has arrived.
    pub(super) fn pop(&mut self) -> Option<T> {
        let item = self.waiting.front_mut()?.take()?;
        self.waiting.pop_front();
        self.next += 1;
        Some(item)
    }

    /// Everything that still waits, in order, across gaps.
    pub(super) fn into_rest(self) -> impl Iterator<Item = T> {
        self.waiting.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_arrival_within_the_window_leaves_in_order(
            total in 0u64..200, window in 1usize..20, picks in prop::collection::vec(any::<prop::sample::Index>(), 200)
        ) {
            let mut reorder = Reorder::new();
            let (mut started, mut running, mut emitted) = (0, Vec::new(), Vec::new());
            let mut picks = picks.iter();
            while emitted.len() < total as usize {
                while started < total && started - (emitted.len() as u64) < window as u64 {
                    running.push(started);
                    started += 1;
                }
                let ended = running.swap_remove(picks.next().unwrap().index(running.len()));
                reorder.insert(ended, ended);
                emitted.extend(std::iter::from_fn(|| reorder.pop()));
                prop_assert!(reorder.waiting.len() <= window);
            }
            prop_assert!(emitted.iter().copied().eq(0..total));
            prop_assert_eq!(reorder.into_rest().count(), 0);
        }
    }

    #[test]
    fn what_waits_behind_a_gap_comes_out_at_the_end() {
        let mut reorder = Reorder::new();
        for n in [3, 1, 4] {
            reorder.insert(n, n);
        }
        assert_eq!(reorder.pop(), None);
        assert_eq!(reorder.into_rest().collect::<Vec<_>>(), [1, 3, 4]);
    }

    #[tokio::test]
    async fn the_window_admits_no_more_than_its_size_until_a_place_is_freed() {
        let mut window = Window::new(2);
        let first = window.enter().await;
        let second = window.enter().await;
        assert_eq!((first.sequence, second.sequence), (0, 1));
        let early =
            tokio::time::timeout(std::time::Duration::from_millis(20), window.enter()).await;
        assert!(early.is_err());
        drop(first);
        assert_eq!(window.enter().await.sequence, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_admitted_while_results_that_wait_hold_too_much() {
        let mut window = Window::new(10);
        let mut large = window.enter().await;
        large.hold(MAX_BYTES);
        let wait = std::time::Duration::from_secs(1);
        assert!(tokio::time::timeout(wait, window.enter()).await.is_err());
        let freeing = async {
            tokio::time::sleep(wait).await;
            drop(large);
        };
        assert_eq!(tokio::join!(window.enter(), freeing).0.sequence, 1);
    }
}
