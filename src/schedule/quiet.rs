//! Second attempts in quiet, for episodes that the machine had no time for.
//!
//! While one waits for quiet, or has it, nothing new is started. Episodes that run are not stopped for it.

use crate::sys::clock::left_until;
use std::cell::Cell;
use std::time::Duration;
use tokio::sync::{AcquireError, Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};

/// How long others are waited for, all that want quiet together; those that run on are long ones, or hang.
const QUIET_TIMEOUT: Duration = Duration::from_secs(60);

/// Shared by all attempts of a sweep.
pub(crate) struct Quiet {
    /// How many may run at one time in quiet.
    few: usize,
    places: Semaphore,
    wanted: Cell<usize>,
    /// Since when somebody has wanted it without a break, if somebody does.
    since: Cell<Instant>,
    running: Cell<usize>,
    ended: Notify,
}

impl Quiet {
    /// On a machine with so many cores.
    pub(crate) fn new(cores: usize) -> Quiet {
        let few = (cores / 2).max(1);
        Quiet {
            few,
            places: Semaphore::new(few),
            wanted: Cell::new(0),
            since: Cell::new(Instant::now()),
            running: Cell::new(0),
            ended: Notify::new(),
        }
    }

    /// Whether nothing new is to be started.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.get() > 0
    }

    /// Runs an attempt among the others.
    pub(crate) async fn beside_others<T>(&self, attempt: impl Future<Output = T>) -> T {
        let _running = Count::one_more(&self.running, &self.ended);
        attempt.await
    }

    /// Runs an attempt when few others run, or when they have been waited for long enough. `None` where `deadline_ns`
    /// (CLOCK_MONOTONIC) came first.
    pub(crate) async fn alone<T>(
        &self,
        deadline_ns: Option<u64>,
        attempt: impl Future<Output = T>,
    ) -> Option<T> {
        let _wanted = Count::one_more(&self.wanted, &self.ended);
        if self.wanted.get() == 1 {
            self.since.set(Instant::now());
        }
        let _place = timeout(left_until(deadline_ns), self.place()).await.ok()?;
        Some(self.beside_others(attempt).await)
    }

    /// Waits for one of the few places, and for what runs.
    async fn place(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        let place = self.places.acquire().await;
        let others = async {
            while self.running.get() >= self.few {
                self.ended.notified().await;
            }
        };
        let _ = timeout_at(self.since.get() + QUIET_TIMEOUT, others).await;
        place
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::monotonic_ns;
    use tokio::time::sleep;

    const LONG: Duration = Duration::from_secs(1000);

    #[tokio::test(start_paused = true)]
    async fn who_waits_behind_another_is_patient_no_longer_than_that_one() {
        let (quiet, begin) = (Quiet::new(2), Instant::now());
        let attempt = || quiet.alone(None, sleep(Duration::from_secs(10)));
        tokio::select! {
            biased;
            _ = quiet.beside_others(sleep(LONG)) => panic!("others were waited for to their end"),
            _ = async { tokio::join!(attempt(), attempt(), attempt()) } => {}
        }
        let all = QUIET_TIMEOUT + Duration::from_secs(30);
        assert!(begin.elapsed() < all + Duration::from_secs(1));
        // Whoever wants quiet next is as patient as they were.
        let begin = Instant::now();
        tokio::select! {
            biased;
            _ = quiet.beside_others(sleep(LONG)) => panic!("others were waited for to their end"),
            _ = attempt() => {}
        }
        assert!(begin.elapsed() >= QUIET_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_quiet_past_the_own_deadline() {
        let quiet = Quiet::new(2);
        let deadline_ns = monotonic_ns() + 5_000_000_000;
        let late = async {
            let first = quiet.alone(Some(deadline_ns), sleep(LONG));
            let second = quiet.alone(Some(deadline_ns), sleep(LONG));
            tokio::join!(first, second)
        };
        let begin = Instant::now();
        tokio::select! {
            biased;
            _ = quiet.beside_others(sleep(LONG)) => panic!("others were waited for to their end"),
            both = late => assert_eq!(both, (None, None)),
        }
        assert!(begin.elapsed() <= Duration::from_secs(5));
        assert!(!quiet.is_wanted());
    }
}
