//! What a connection and its sessions share: which sessions there are, and which requests are not answered yet.

use super::answer::{Client, Code, RequestError};
use super::budget::{Budget, Held, MAX_WAITING_STARTS};
use super::frame::Closing;
use super::id::Id;
use super::request::Exec;
use super::upload::Uploads;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// Sessions that are over and whose end can still be told.
const REMEMBERED: usize = 256;

/// Requests that may wait in one session.
pub(super) const MAX_WAITING: usize = 64;

/// What is asked of a session.
pub(super) enum Op {
    /// With the time at which it came.
    Exec(Exec, u64),
    Upload(String),
    Download(String),
}

/// A request of a session until it is answered.
pub(super) struct Request {
    pub id: Id,
    pub op: Op,
    /// Says that it is to be given up.
    pub cancelled: oneshot::Receiver<()>,
    pub held: Held,
}

/// What of a session a connection holds.
pub(super) struct Handle {
    pub ops: mpsc::Sender<Request>,
    pub stop: oneshot::Sender<Id>,
}

/// What the sessions of a connection share.
pub(super) struct ConnectionState {
    pub client: Client,
    pub uploads: Uploads,
    /// What its client makes the server hold.
    pub budget: Rc<Budget>,
    /// Starts that wait for a slot.
    waiting_starts: Cell<usize>,
    sessions: RefCell<HashMap<String, Handle>>,
    over: RefCell<VecDeque<(String, String)>>,
    /// What gives a request up, by its id.
    cancels: RefCell<HashMap<String, oneshot::Sender<()>>>,
    next: Cell<u64>,
    closing: watch::Sender<Option<Instant>>,
}

/// A start that waits, counted for as long as this lives.
pub(super) struct WaitingStart(Rc<ConnectionState>);

impl Drop for WaitingStart {
    fn drop(&mut self) {
        let starts = &self.0.waiting_starts;
        starts.set(starts.get() - 1);
    }
}

impl ConnectionState {
    /// `closing` is told when the connection is at its end.
    pub(super) fn new(
        client: Client,
        budget: Rc<Budget>,
        closing: watch::Sender<Option<Instant>>,
    ) -> Rc<ConnectionState> {
        Rc::new(ConnectionState {
            client,
            uploads: Uploads::default(),
            budget,
            waiting_starts: Cell::default(),
            sessions: RefCell::default(),
            over: RefCell::default(),
            cancels: RefCell::default(),
            next: Cell::new(0),
            closing,
        })
    }

    /// The connection is at its end.
    pub(super) fn close(&self) {
        self.closing.send_replace(Some(Instant::now()));
    }

    /// Gives a request of a session up, if it has no answer yet.
    pub(super) fn cancel(&self, session: &str, request: &Id) -> Result<(), RequestError> {
        if !self.sessions.borrow().contains_key(session) {
            return Err(self.no_session(session));
        }
        let cancel = self.cancels.borrow_mut().remove(request.key());
        if let Some(cancel) = cancel {
            // What it belongs to may have ended by itself.
            let _ = cancel.send(());
        }
        Ok(())
    }

    /// Ends a session, which answers `request` when everything of it is gone.
    pub(super) fn stop(&self, session: &str, request: &Id) -> Result<(), RequestError> {
        let handle = self.sessions.borrow_mut().remove(session);
        let told = handle.map(|handle| handle.stop.send(request.clone()));
        match told {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(self.no_session(session)),
        }
    }

    /// Says since when the connection is at its end.
    pub(super) fn closing(&self) -> Closing {
        self.closing.subscribe()
    }

    pub(super) fn start_waits(self: &Rc<Self>) -> Result<WaitingStart, RequestError> {
        let waiting = self.waiting_starts.get();
        if waiting >= MAX_WAITING_STARTS {
            let message = format!(
                "{MAX_WAITING_STARTS} starts of this connection wait already; wait for some to be answered"
            );
            return Err(RequestError::new(Code::Busy, message));
        }
        self.waiting_starts.set(waiting + 1);
        Ok(WaitingStart(self.clone()))
    }

    /// Takes a new session in; its name.
    pub(super) fn register(&self, handle: Handle) -> String {
        self.next.set(self.next.get() + 1);
        let name = format!("s{}", self.next.get());
        self.sessions.borrow_mut().insert(name.clone(), handle);
        name
    }

    /// A session is over, and why.
    pub(super) fn over(&self, name: &str, why: String) {
        self.sessions.borrow_mut().remove(name);
        let mut over = self.over.borrow_mut();
        over.push_back((name.to_owned(), why));
        if over.len() > REMEMBERED {
            over.pop_front();
        }
    }

    /// A request has been answered.
    pub(super) fn forget(&self, id: &Id) {
        self.cancels.borrow_mut().remove(id.key());
    }

    fn no_session(&self, name: &str) -> RequestError {
        let over = self.over.borrow();
        let message = match over.iter().find(|(known, _)| known == name) {
            Some((_, why)) => format!("session {name:?} is over: {why}"),
            None => format!("this connection has no session {name:?}; `start` one"),
        };
        RequestError::new(Code::NoSession, message)
    }

    /// Hands a request to a session. While an id has no answer yet it can't be another's: `cancel` would not know which
    /// is meant.
    pub(super) fn hand(&self, name: &str, id: &Id, op: Op, held: Held) -> Result<(), RequestError> {
        let sessions = self.sessions.borrow();
        let Some(handle) = sessions.get(name) else {
            return Err(self.no_session(name));
        };
        let mut cancels = self.cancels.borrow_mut();
        if cancels.contains_key(id.key()) {
            return Err(RequestError::bad(
                "a request with this id has not been answered yet",
            ));
        }
        let (cancel, cancelled) = oneshot::channel();
        let request = Request {
            id: id.clone(),
            op,
            cancelled,
            held,
        };
        match handle.ops.try_send(request) {
            Ok(()) => {
                cancels.insert(id.key().to_owned(), cancel);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(self.no_session(name)),
            Err(mpsc::error::TrySendError::Full(_)) => Err(RequestError::new(
                Code::Busy,
                format!(
                    "{MAX_WAITING} requests of session {name:?} wait already, and no more may; wait for some to be \
                     answered, then send this one again, or start another session"
                ),
            )),
        }
    }
}
