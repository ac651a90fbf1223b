//! What goes to a client: lines, made from results and errors.
//!
//! A client that does not read makes its own requests wait: what waits to be written is bounded, and beyond it each of
//! its sessions holds the one answer or the one piece of a file that it can't get rid of. Nothing waits for a client for
//! longer than its [writer](super::frame::write_all) does.

use super::id::Id;
use crate::pool::SlotLost;
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc};

/// Lines that may wait to be written.
const MAX_WAITING: usize = 16;

/// Bytes that may wait to be written; a longer line waits alone.
const MAX_WAITING_BYTES: usize = 1 << 20;

/// The longest message of an error, in bytes: it may quote what a client sent.
const MAX_MESSAGE_BYTES: usize = 4096;

/// What went wrong, in a word for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Code {
    BadRequest,
    TooLong,
    Invalid,
    NoSession,
    Busy,
    NotFound,
    IsDirectory,
    Refused,
    NoSpace,
    Stopped,
    Cancelled,
    Infra,
}

/// An error answer.
#[derive(Clone, Debug, Serialize, thiserror::Error)]
#[error("{message}")]
pub(super) struct RequestError {
    pub code: Code,
    pub message: String,
}

/// Why a request has no result.
#[derive(Debug)]
pub(super) enum NoResult {
    Request(RequestError),
    /// The session is over with it.
    Session(String),
}

impl NoResult {
    pub(super) fn lost(lost: SlotLost) -> NoResult {
        NoResult::Session(lost.to_string())
    }
}

impl RequestError {
    pub(super) fn new(code: Code, message: impl Into<String>) -> RequestError {
        let mut message = message.into();
        if message.len() > MAX_MESSAGE_BYTES {
            let mut cuts = (0..=MAX_MESSAGE_BYTES).rev();
            let cut = cuts.find(|at| message.is_char_boundary(*at));
            message.truncate(cut.unwrap_or(0));
            message.push('…');
        }
        RequestError { code, message }
    }

    pub(super) fn stopped() -> RequestError {
        let message = "the session was stopped before this was done";
        RequestError::new(Code::Stopped, message)
    }

    pub(super) fn cancelled() -> RequestError {
        RequestError::new(Code::Cancelled, "the request was cancelled")
    }

    pub(super) fn bad(message: impl Into<String>) -> RequestError {
        RequestError::new(Code::BadRequest, message)
    }
}

/// An error answer as a line.
pub(super) fn refusal(id: &Id, fault: RequestError) -> Vec<u8> {
    answer_line(id, Err::<(), _>(fault))
}

/// The way to one client. Clones share it.
#[derive(Clone)]
pub(super) struct Client {
    lines: mpsc::Sender<(Vec<u8>, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
    /// Held while an answer is made into a line and waits for room. As a line, a result is up to six times as long
    /// (`\u0000`), and making it takes everybody's time.
    turn: Arc<Mutex<()>>,
}

/// What is to be written to a client. When it is dropped, whoever waits for the client goes on.
pub(super) struct Unwritten {
    lines: mpsc::Receiver<(Vec<u8>, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
}

impl Client {
    /// A client, and the lines that are to be written to it.
    pub(super) fn new() -> (Client, Unwritten) {
        let (sender, lines) = mpsc::channel(MAX_WAITING);
        let room = Arc::new(Semaphore::new(MAX_WAITING_BYTES));
        let client = Client {
            lines: sender,
            room: room.clone(),
            turn: Arc::default(),
        };
        (client, Unwritten { lines, room })
    }

    /// Sends one line. A client that is gone needs none.
    pub(super) async fn line(&self, message: impl Serialize) {
        let line = line(&message);
        // What it was made of is not held while the client takes its time.
        drop(message);
        self.send(line).await;
    }

    /// The final answer to a request.
    pub(super) async fn answer<T: Serialize>(&self, id: &Id, done: Result<T, RequestError>) {
        let _turn = self.turn.lock().await;
        self.send(answer_line(id, done)).await;
    }

    async fn send(&self, line: Vec<u8>) {
        let bytes = line.len().min(MAX_WAITING_BYTES) as u32;
        if let Ok(room) = self.room.clone().acquire_many_owned(bytes).await {
            let _ = self.lines.send((line, room)).await;
        }
    }
}

impl Unwritten {
    /// The next line, with the room that it takes until it is dropped.
    pub(super) async fn next(&mut self) -> Option<(Vec<u8>, OwnedSemaphorePermit)> {
        self.lines.recv().await
    }
}

impl Drop for Unwritten {
    fn drop(&mut self) {
        self.room.close();
    }
}

fn answer_line<T: Serialize>(id: &Id, done: Result<T, RequestError>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Answer<'a, T> {
        id: &'a RawValue,
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<T>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<RequestError>,
    }
    let (result, error) = match done {
        Ok(result) => (Some(result), None),
        Err(fault) => (None, Some(fault)),
    };
    let id = id.raw();
    line(&Answer { id, result, error })
}

fn line(message: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("answers are JSON");
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serializer;
    use std::cell::Cell;
    use std::time::Duration;

    /// Too long for another to wait beside it; counts how often it was made into a line.
    struct Long<'a>(&'a Cell<u32>);

    impl Serialize for Long<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.0.set(self.0.get() + 1);
            serializer.serialize_str(&"x".repeat(MAX_WAITING_BYTES))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_answers_that_nobody_reads_no_more_than_two_are_lines() {
        let (client, mut unwritten) = Client::new();
        let made = Cell::new(0);
        let id = Id::none();
        let answer = || client.answer(&id, Ok(Long(&made)));
        let all = async { tokio::join!(answer(), answer(), answer(), answer()) };
        let read = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(made.get(), 2);
            for _ in 0..4 {
                drop(unwritten.next().await);
            }
        };
        tokio::join!(all, read);
        assert_eq!(made.get(), 4);
    }
}
