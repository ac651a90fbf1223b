//! When a pool that was refused another slot tries for more again.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long after a refusal; twice as long each time that it turned out to be too soon, and half as long when it did not.
const PAUSE: Duration = Duration::from_secs(5);
const MAX_PAUSE: Duration = Duration::from_secs(300);

pub(super) struct Scarcity {
    /// When a slot was refused last, or one more was allowed.
    since: Cell<Option<Instant>>,
    pause: Cell<Duration>,
    /// Whether more were allowed since.
    has_tried: Cell<bool>,
}

impl Scarcity {
    pub(super) fn new() -> Scarcity {
        Scarcity {
            since: Cell::new(None),
            pause: Cell::new(PAUSE),
            has_tried: Cell::new(false),
        }
    }

    /// To be called when a slot was refused.
    pub(super) fn met(&self, now: Instant) {
        let pause = self.pause.get();
        let since = self.since.replace(Some(now));
        if self.has_tried.take() && since.is_some_and(|since| now < since + pause) {
            self.pause.set((2 * pause).min(MAX_PAUSE));
        }
    }

    /// Whether a slot was refused, or one more was allowed, so recently.
    pub(super) fn was_met_within(&self, interval: Duration) -> bool {
        let since = self.since.get();
        since.is_some_and(|since| since.elapsed() < interval)
    }

    /// Whether one more may be tried for now. If so, the next is not before another pause.
    pub(super) fn allows_more(&self, now: Instant) -> bool {
        let since = self.since.get();
        let is_over = since.is_some_and(|since| now >= since + self.pause.get());
        if is_over {
            self.since.set(Some(now));
            if self.has_tried.replace(true) {
                // The last one has stayed.
                self.pause.set((self.pause.get() / 2).max(PAUSE));
            }
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_pause_more_is_tried_for_and_later_where_that_was_too_soon() {
        let (scarcity, begin) = (Scarcity::new(), Instant::now());
        let allows = |seconds| scarcity.allows_more(begin + Duration::from_secs(seconds));
        assert!(!allows(1000));
        scarcity.met(begin + Duration::from_secs(1000));
        scarcity.met(begin + Duration::from_secs(1001));
        assert_eq!(
            [1005, 1006, 1010, 1011].map(allows),
            [false, true, false, true]
        );
        scarcity.met(begin + Duration::from_secs(1011));
        assert_eq!([1020, 1021].map(allows), [false, true]);
        // And sooner again where it was not.
        assert_eq!([1030, 1031, 1036].map(allows), [false, true, true]);
    }
}
