//! What goes to a client: lines, made from results and errors.

use super::request::Id;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

/// Lines that may wait to be written; a client that does not read makes its own requests wait.
const WAITING: usize = 16;

/// What went wrong, in a word for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
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
pub struct Fault {
    pub code: Code,
    pub message: String,
}

impl Fault {
    pub fn new(code: Code, message: impl Into<String>) -> Fault {
        Fault {
            code,
            message: message.into(),
        }
    }

    pub fn bad(message: impl Into<String>) -> Fault {
        Fault::new(Code::BadRequest, message)
    }
}

/// The way to one client. Clones share it.
#[derive(Clone)]
pub struct Client {
    lines: mpsc::Sender<Vec<u8>>,
}

impl Client {
    /// A client, and the lines that are to be written to it.
    pub fn new() -> (Client, mpsc::Receiver<Vec<u8>>) {
        let (lines, written) = mpsc::channel(WAITING);
        (Client { lines }, written)
    }

    /// Sends one line. A client that is gone needs none.
    pub async fn line(&self, message: &impl Serialize) {
        let mut line = serde_json::to_vec(message).expect("answers are JSON");
        line.push(b'\n');
        let _ = self.lines.send(line).await;
    }

    /// The final answer to a request.
    pub async fn answer<T: Serialize>(&self, id: &Id, done: Result<T, Fault>) {
        #[derive(Serialize)]
        struct Answer<'a, T> {
            id: &'a RawValue,
            #[serde(skip_serializing_if = "Option::is_none")]
            result: Option<T>,
            #[serde(skip_serializing_if = "Option::is_none")]
            error: Option<Fault>,
        }
        let (result, error) = match done {
            Ok(result) => (Some(result), None),
            Err(fault) => (None, Some(fault)),
        };
        let id = id.raw();
        self.line(&Answer { id, result, error }).await;
    }
}
