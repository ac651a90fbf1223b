//! What `stats` answers: the server's sessions, and the executions of all of them so far.
//!
//! `executions` is what `--stats` writes of a job, with executions in place of episodes.

use crate::sink::{Ending, RunReport, Statistics};
use crate::spec::outcome::ExecOutcome;
use serde::Serialize;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Startup latency that executions are compared with.
const TARGET: Duration = Duration::from_millis(5);

pub(super) struct Stats {
    executions: RefCell<Statistics>,
    connections: Cell<usize>,
    sessions: Cell<usize>,
    waiting: Cell<usize>,
    started: Cell<u64>,
}

#[derive(Serialize)]
pub(super) struct Answer {
    /// Clients that are connected.
    connections: usize,
    /// What of their requests counts against what all may hold together, in bytes.
    held_bytes: usize,
    /// Open now.
    sessions: usize,
    /// Starts that wait for a slot.
    waiting: usize,
    /// Sessions since the server began.
    started: u64,
    /// Slots that are ready for the next sessions.
    ready: usize,
    executions: RunReport,
}

/// Counts in one of the cells for as long as it lives.
pub(super) struct Counted(Rc<Stats>, fn(&Stats) -> &Cell<usize>);

impl Drop for Counted {
    fn drop(&mut self) {
        let cell = (self.1)(&self.0);
        cell.set(cell.get() - 1);
    }
}

impl Stats {
    pub(super) fn new() -> Rc<Stats> {
        Rc::new(Stats {
            executions: RefCell::new(Statistics::new(TARGET)),
            connections: Cell::new(0),
            sessions: Cell::new(0),
            waiting: Cell::new(0),
            started: Cell::new(0),
        })
    }

    /// Clients that are connected.
    pub(super) fn connections(&self) -> usize {
        self.connections.get()
    }

    pub(super) fn connection(self: &Rc<Self>) -> Counted {
        self.count(|stats| &stats.connections)
    }

    pub(super) fn waits(self: &Rc<Self>) -> Counted {
        self.count(|stats| &stats.waiting)
    }

    pub(super) fn session(self: &Rc<Self>) -> Counted {
        self.started.set(self.started.get() + 1);
        self.count(|stats| &stats.sessions)
    }

    fn count(self: &Rc<Self>, which: fn(&Stats) -> &Cell<usize>) -> Counted {
        which(self).set(which(self).get() + 1);
        Counted(self.clone(), which)
    }

    pub(super) fn record(&self, outcome: &ExecOutcome) {
        self.executions.borrow_mut().record_exec(outcome);
    }

    pub(super) fn answer(&self, ready: usize, held_bytes: usize) -> Answer {
        Answer {
            connections: self.connections.get(),
            held_bytes,
            sessions: self.sessions.get(),
            waiting: self.waiting.get(),
            started: self.started.get(),
            ready,
            executions: RunReport::new(&self.executions.borrow(), &Ending::default()),
        }
    }
}
