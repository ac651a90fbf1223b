//! What clients make the server hold, in bytes: bounded for each connection, and for all of them together.
//!
//! Counted are the line that is being read, requests from their line to their answer, starts that wait for a slot, what
//! a session keeps of its start, and the pieces of an upload on their way into a sandbox. What is counted is given back
//! when its [`Held`] is dropped, so whatever ends a request, nothing of it stays counted.
//!
//! The first 64 KiB of a line are free, so that a `cancel` or a `stop` can always be read. The first 64 KiB that a
//! connection holds don't count against the total, so that one that asks for little is served whatever others hold.

use super::answer::{Code, RequestError};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;

/// The most that one connection may hold.
pub(super) const CONNECTION_BYTES: usize = 64 << 20;

/// The most that all connections may hold together, beyond what is free.
pub(super) const TOTAL_BYTES: usize = 256 << 20;

/// What a line, and what a connection, may hold before it counts.
pub(super) const FREE_BYTES: usize = 64 << 10;

/// What a request counts beside its line.
pub(super) const REQUEST_BYTES: usize = 1 << 10;

/// What a start counts beside its line while it waits.
pub(super) const START_BYTES: usize = 16 << 10;

/// Starts of one connection that may wait.
pub(super) const MAX_WAITING_STARTS: usize = 1024;

/// How long a line or a piece of an upload waits for others to give back what they hold.
const ROOM_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    Connection,
    Total,
}

impl From<Full> for RequestError {
    fn from(full: Full) -> RequestError {
        let message = match full {
            Full::Connection => format!(
                "what this connection has sent and not had answered is more than {} MiB; wait for some answers first",
                CONNECTION_BYTES >> 20
            ),
            Full::Total => format!(
                "what all clients have sent and not had answered is more than {} MiB; try again when some is answered, \
                 or send smaller lines",
                TOTAL_BYTES >> 20
            ),
        };
        RequestError::new(Code::Busy, message)
    }
}

/// What all connections hold together.
#[derive(Default)]
pub(super) struct Total {
    held: Cell<usize>,
    freed: Notify,
}

impl Total {
    pub(super) fn held(&self) -> usize {
        self.held.get()
    }
}

/// What one connection holds.
pub(super) struct Budget {
    total: Rc<Total>,
    held: Cell<usize>,
}

/// So many bytes of a budget, given back when this is dropped.
pub(super) struct Held {
    budget: Rc<Budget>,
    bytes: usize,
}

/// What of a connection's bytes counts against the total.
fn counted(held: usize) -> usize {
    held.saturating_sub(FREE_BYTES)
}

impl Budget {
    pub(super) fn new(total: Rc<Total>) -> Rc<Budget> {
        Rc::new(Budget {
            total,
            held: Cell::new(0),
        })
    }

    /// Nothing yet, which may grow.
    pub(super) fn nothing(self: &Rc<Self>) -> Held {
        Held {
            budget: self.clone(),
            bytes: 0,
        }
    }

    /// So many bytes, if there is room now.
    pub(super) fn take(self: &Rc<Self>, bytes: usize) -> Result<Held, Full> {
        let mut held = self.nothing();
        self.add(bytes)?;
        held.bytes = bytes;
        Ok(held)
    }

    /// So many bytes, as soon as there is room.
    pub(super) async fn wait_for(self: &Rc<Self>, bytes: usize) -> Result<Held, Full> {
        let mut held = self.nothing();
        held.grow(bytes).await?;
        Ok(held)
    }

    fn add(&self, bytes: usize) -> Result<(), Full> {
        let held = self.held.get() + bytes;
        let total = self.total.held.get() + counted(held) - counted(self.held.get());
        if held > CONNECTION_BYTES {
            return Err(Full::Connection);
        }
        if total > TOTAL_BYTES {
            return Err(Full::Total);
        }
        self.held.set(held);
        self.total.held.set(total);
        Ok(())
    }

    fn give_back(&self, bytes: usize) {
        let held = self.held.get() - bytes;
        let total = self.total.held.get() + counted(held) - counted(self.held.get());
        self.held.set(held);
        self.total.held.set(total);
        self.total.freed.notify_waiters();
    }
}

impl Held {
    /// Becomes so many bytes, at least what it is, as soon as there is room.
    pub(super) async fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        let more = bytes.saturating_sub(self.bytes);
        let end = tokio::time::Instant::now() + ROOM_TIMEOUT;
        loop {
            let freed = self.budget.total.freed.notified();
            match self.budget.add(more) {
                Ok(()) => {
                    self.bytes += more;
                    return Ok(());
                }
                Err(full) => tokio::time::timeout_at(end, freed)
                    .await
                    .map_err(|_| full)?,
            }
        }
    }

    /// Becomes so many bytes, at most what it is.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        self.bytes -= less;
        if less > 0 {
            self.budget.give_back(less);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shrink(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_bounded_and_what_is_dropped_is_free_again() {
        let total = Rc::new(Total::default());
        let budget = Budget::new(total.clone());
        let held = budget.take(CONNECTION_BYTES).expect("room");
        assert_eq!(budget.take(1).err(), Some(Full::Connection));
        assert_eq!(total.held(), CONNECTION_BYTES - FREE_BYTES);
        drop(held);
        assert_eq!(total.held(), 0);
        assert!(budget.take(CONNECTION_BYTES).is_ok());
    }

    #[test]
    fn all_connections_are_bounded_together_and_a_small_request_goes_through_all_the_same() {
        let total = Rc::new(Total::default());
        let most = CONNECTION_BYTES + FREE_BYTES;
        let greedy: Vec<Held> = (0..TOTAL_BYTES / CONNECTION_BYTES)
            .map(|_| Budget::new(total.clone()).take(most - FREE_BYTES))
            .map(|held| held.expect("room"))
            .collect();
        let last = Budget::new(total.clone());
        assert_eq!(last.take(8 << 20).err(), Some(Full::Total));
        assert!(last.take(FREE_BYTES).is_ok());
        drop(greedy);
        assert!(last.take(8 << 20).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_room_when_there_is_some_and_an_error_when_there_is_none_in_time() {
        let budget = Budget::new(Rc::default());
        let held = budget.take(CONNECTION_BYTES).expect("room");
        assert_eq!(budget.wait_for(1).await.err(), Some(Full::Connection));
        let waiting = budget.wait_for(1);
        let freeing = async {
            tokio::time::sleep(ROOM_TIMEOUT / 2).await;
            drop(held);
        };
        assert!(tokio::join!(waiting, freeing).0.is_ok());
    }
}
