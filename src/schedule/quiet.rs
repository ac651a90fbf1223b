//! Second attempts in quiet, for episodes that the machine had no time for.
//!
//! While one waits for quiet, or has it, nothing new is started. Episodes that run are not stopped for it.

use std::cell::Cell;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

/// How long one waits for others to end; those that run on are long ones, or hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Shared by all attempts of a sweep.
pub struct Quiet {
    /// How many may run at one time in quiet.
    few: usize,
    places: Semaphore,
    wanted: Cell<usize>,
    running: Cell<usize>,
    ended: Notify,
}

impl Quiet {
    /// On a machine with so many cores.
    pub fn new(cores: usize) -> Quiet {
        let few = (cores / 2).max(1);
        Quiet {
            few,
            places: Semaphore::new(few),
            wanted: Cell::new(0),
            running: Cell::new(0),
            ended: Notify::new(),
        }
    }

    /// Whether nothing new is to be started.
    pub fn is_wanted(&self) -> bool {
        self.wanted.get() > 0
    }

    /// Runs an attempt among the others.
    pub async fn beside_others<T>(&self, attempt: impl Future<Output = T>) -> T {
        let _running = Count::one_more(&self.running, &self.ended);
        attempt.await
    }

    /// Runs an attempt when few others run, or when they have been waited for long enough.
    pub async fn alone<T>(&self, attempt: impl Future<Output = T>) -> T {
        let _wanted = Count::one_more(&self.wanted, &self.ended);
        let _place = self.places.acquire().await;
        let _ = timeout(PATIENCE, async {
            while self.running.get() >= self.few {
                self.ended.notified().await;
            }
        })
        .await;
        self.beside_others(attempt).await
    }
}

/// One more of something, until it is dropped.
struct Count<'a> {
    of: &'a Cell<usize>,
    ended: &'a Notify,
}

impl<'a> Count<'a> {
    fn one_more(of: &'a Cell<usize>, ended: &'a Notify) -> Count<'a> {
        of.set(of.get() + 1);
        Count { of, ended }
    }
}

impl Drop for Count<'_> {
    fn drop(&mut self) {
        self.of.set(self.of.get() - 1);
        self.ended.notify_waiters();
    }
}
