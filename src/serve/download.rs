//! Files from a session to a client: the frames of an [upload](super::upload), the other way, and then the result.
//!
//! A path that is a file gives one entry with an empty `path`; a directory gives itself and all below it, parents
//! first, names in order. Only files, directories and links are sent; no link below the path is followed. Bytes of a
//! name that are not UTF-8 come as `\xNN`, [so that no two names become one](crate::spec::names::escaped). What is not sent
//! stands in the result's `skipped`, with the reason.

use super::answer::{Client, NoResult, RequestError};
use super::id::Id;
use super::upload::{Kind, Moved, refusal};
use crate::pool::Session;
use crate::spec::outcome::NotReturned;
use crate::wire::transfer::{Entry, EntryKind, Get, Piece, Skipped};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::json;
use tokio::sync::oneshot;

#[derive(Serialize)]
struct Shown<'a> {
    path: &'a str,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
}

/// Sends everything at `path`.
pub(super) async fn run(
    session: &mut Session,
    path: String,
    id: &Id,
    client: &Client,
    cancelled: &mut oneshot::Receiver<()>,
) -> Result<Moved, NoResult> {
    let mut moved = Moved::default();
    let mut skipped = Skips::default();
    let mut next = Get::Begin(path);
    loop {
        if cancelled.try_recv().is_ok() {
            return Err(NoResult::Request(RequestError::cancelled()));
        }
        let tier = session.enforced().tier;
        let got = session.get(next).await.map_err(NoResult::lost)?;
        match got.map_err(|not_done| NoResult::Request(refusal(&not_done, tier)))? {
            Piece::Entry(entry) => {
                moved.entries += 1;
                client
                    .line(json!({"id": id.raw(), "entry": shown(&entry)}))
                    .await;
            }
            Piece::Data(bytes) => {
                moved.bytes += bytes.len() as u64;
                client
                    .line(json!({"id": id.raw(), "data": STANDARD.encode(bytes)}))
                    .await;
            }
            Piece::Skipped(path, why) => skipped.add(path, why),
            Piece::End => {
                moved.skipped = skipped.end();
                return Ok(moved);
            }
        }
        next = Get::Next;
    }
}

/// What the names of skipped entries may take in the result; the others are counted.
const SKIPPED_BYTES: usize = 1 << 20;

/// What was not sent.
#[derive(Default)]
struct Skips {
    named: Vec<NotReturned>,
    bytes: usize,
    more: u64,
}

impl Skips {
    fn add(&mut self, path: String, why: Skipped) {
        let reason = match why {
            Skipped::Special => "it is a pipe, a socket or the like",
            Skipped::Target => "it is a link, and where it leads is not UTF-8",
        };
        self.bytes += path.len() + reason.len();
        if self.bytes > SKIPPED_BYTES {
            self.more += 1;
            return;
        }
        self.named.push(NotReturned {
            path: Some(path),
            reason: reason.to_owned(),
        });
    }

    fn end(mut self) -> Vec<NotReturned> {
        if self.more > 0 {
            self.named.push(NotReturned {
                path: None,
                reason: format!("and {} more, which there was no room to name", self.more),
            });
        }
        self.named
    }
}

fn shown(entry: &Entry) -> Shown<'_> {
    let mode = || Some(format!("{:04o}", entry.mode));
    let (kind, mode, target) = match &entry.kind {
        EntryKind::File => (Kind::File, mode(), None),
        EntryKind::Directory => (Kind::Directory, mode(), None),
        EntryKind::Link(target) => (Kind::Link, None, Some(target.as_str())),
    };
    Shown {
        path: &entry.path,
        kind,
        mode,
        target,
    }
}
