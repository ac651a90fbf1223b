//! Files from a client into a session.
//!
//! After its request the client waits for `{"id":7,"ready":true}`, and then sends entries, each file followed by its
//! data, and the end:
//!
//! ```json
//! {"id":7,"entry":{"path":"","kind":"directory","mode":"0755"}}
//! {"id":7,"entry":{"path":"a.bin","kind":"file","mode":"0644"}}
//! {"id":7,"data":"<base64>"}
//! {"id":7,"entry":{"path":"b","kind":"link","target":"a.bin"}}
//! {"id":7,"end":true}
//! ```
//!
//! An entry's `path` is relative to that of the request; empty it is that itself. Parents are made, and what has the
//! name of a file or link is replaced. `{"id":7,"abort":true}` gives the upload up. A piece that is not taken, or can't be
//! read, ends it with an error, for it would have a hole; where such a line does not tell whose piece it was, all uploads of
//! its connection end so. What comes of an upload after its end is ignored.

use super::answer::{Client, Code, NoResult, RequestError};
use super::budget::Held;
use super::frame::sleep_for;
use super::id::Id;
use super::request::Head;
use crate::pool::Session;
use crate::spec::outcome::NotReturned;
use crate::spec::paths;
use crate::spec::policy::Tier;
use crate::wire::transfer::{
    DATA_BYTES, Entry, EntryKind, MAX_WAITING, MAX_WAITING_BYTES, NotDone, Put,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// What a client sends of an upload.
pub(super) enum Frame {
    Entry(RawEntry),
    Data(Vec<u8>),
    End,
    Abort,
    Bad(RequestError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEntry {
    path: String,
    kind: Kind,
    mode: Option<String>,
    target: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    File,
    Directory,
    Link,
}

/// What went in or out.
#[derive(Default, Serialize)]
pub(super) struct Moved {
    pub entries: u64,
    pub bytes: u64,
    /// What a download left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<NotReturned>,
}

impl Frame {
    pub(super) fn read(head: &Head<'_>) -> Frame {
        let read = || match (&head.entry, &head.data, head.end, head.abort) {
            (Some(entry), None, false, false) => serde_json::from_str(entry.get())
                .map(Frame::Entry)
                .map_err(|e| format!("`entry` can't be read: {e}")),
            (None, Some(data), false, false) => decoded(data).map(Frame::Data),
            (None, None, true, false) => Ok(Frame::End),
            (None, None, false, true) => Ok(Frame::Abort),
            _ => Err("give exactly one of `op`, `entry`, `data`, `end`, `abort`".to_owned()),
        };
        read().unwrap_or_else(|message| Frame::Bad(RequestError::bad(message)))
    }
}

fn decoded(data: &RawValue) -> Result<Vec<u8>, String> {
    let text = data.get();
    let plain = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    let text: Cow<'_, str> = match plain {
        Some(plain) if !plain.contains('\\') => plain.into(),
        _ => serde_json::from_str(text).map_err(|_| "`data` is not a string".to_owned())?,
    };
    STANDARD
        .decode(text.as_bytes())
        .map_err(|e| format!("`data` is not base64: {e}"))
}

/// The way of frames to an upload, each with what the server holds of it.
type Frames = mpsc::Sender<(Frame, Held)>;

/// The uploads of one connection that are under way, by the ids of their requests.
#[derive(Clone, Default)]
pub(super) struct Uploads {
    open: Rc<RefCell<HashMap<String, Frames>>>,
}

/// One of them, for as long as it lives.
struct Open<'a>(&'a Uploads, &'a Id, mpsc::Receiver<(Frame, Held)>);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.borrow_mut().remove(self.1.key());
    }
}

impl Uploads {
    /// Whether there is such an upload. One that is over needs no more frames.
    pub(super) fn is_open(&self, id: &Id) -> bool {
        self.open.borrow().contains_key(id.key())
    }

    /// Hands a frame to the upload it belongs to, when that has taken the last one: until then no more is read from its
    /// client.
    pub(super) async fn hand(&self, id: &Id, frame: Frame, held: Held) {
        let upload = self.open.borrow().get(id.key()).cloned();
        if let Some(upload) = upload {
            let _ = upload.send((frame, held)).await;
        }
    }

    /// Hands a frame to each of them.
    pub(super) async fn fail_all(&self, bad: impl Fn() -> (Frame, Held)) {
        let open: Vec<Frames> = self.open.borrow().values().cloned().collect();
        for upload in open {
            let _ = upload.send(bad()).await;
        }
    }

    fn begin<'a>(&'a self, id: &'a Id) -> Result<Open<'a>, RequestError> {
        let (sender, frames) = mpsc::channel(2);
        let mut open = self.open.borrow_mut();
        if open.contains_key(id.key()) {
            Err(RequestError::bad(
                "another upload with this id is under way",
            ))
        } else {
            open.insert(id.key().to_owned(), sender);
            Ok(Open(self, id, frames))
        }
    }
}

/// Where an upload comes from.
pub(super) struct UploadSource<'a> {
    pub id: &'a Id,
    pub client: &'a Client,
    pub uploads: &'a Uploads,
    /// How long the client may be silent.
    pub idle_timeout: Option<Duration>,
}

/// Takes an upload in.
pub(super) async fn run(
    session: &mut Session,
    base: &str,
    from: UploadSource<'_>,
    cancelled: &mut oneshot::Receiver<()>,
) -> Result<Moved, NoResult> {
    let mut open = from.uploads.begin(from.id).map_err(NoResult::Request)?;
    let ready = serde_json::json!({"id": from.id.raw(), "ready": true});
    from.client.line(ready).await;
    let taken = take(session, base, &mut open.2, from.idle_timeout, cancelled).await;
    if taken.is_err() {
        // What is open is closed; if that fails too, the next request will tell.
        let _ = session.put(Put::End).await;
    }
    taken
}

async fn take(
    session: &mut Session,
    base: &str,
    frames: &mut mpsc::Receiver<(Frame, Held)>,
    idle_timeout: Option<Duration>,
    cancelled: &mut oneshot::Receiver<()>,
) -> Result<Moved, NoResult> {
    let mut moved = Moved::default();
    loop {
        let next = tokio::select! {
            biased;
            Ok(()) = &mut *cancelled => return Err(NoResult::Request(RequestError::cancelled())),
            next = frames.recv() => next,
            () = sleep_for(idle_timeout) => {
                let message = "the client sent nothing for the session's idle_s";
                return Err(NoResult::Request(RequestError::new(Code::Stopped, message)));
            }
        };
        let (frame, _held) = next.unzip();
        match frame {
            Some(Frame::Entry(raw)) => {
                let entry = entry(base, raw).map_err(NoResult::Request)?;
                put(session, Put::Entry(entry)).await?;
                moved.entries += 1;
            }
            Some(Frame::Data(bytes)) => {
                moved.bytes += bytes.len() as u64;
                for piece in bytes.chunks(DATA_BYTES) {
                    put(session, Put::Data(piece.to_vec())).await?;
                }
            }
            Some(Frame::End) => {
                put(session, Put::End).await?;
                return Ok(moved);
            }
            Some(Frame::Bad(fault)) => return Err(NoResult::Request(fault)),
            Some(Frame::Abort) | None => {
                let message = "the client gave the upload up";
                return Err(NoResult::Request(RequestError::new(
                    Code::Cancelled,
                    message,
                )));
            }
        }
    }
}

async fn put(session: &mut Session, piece: Put) -> Result<(), NoResult> {
    let tier = session.enforced().tier;
    let done = session.put(piece).await.map_err(NoResult::lost)?;
    done.map_err(|not_done| NoResult::Request(refusal(&not_done, tier)))
}

fn entry(base: &str, raw: RawEntry) -> Result<Entry, RequestError> {
    let flaw = |problem: String| RequestError::bad(format!("the entry {:?} {problem}", raw.path));
    let steps_out = raw.path.starts_with('/') || raw.path.split('/').any(|name| name == "..");
    if steps_out {
        return Err(flaw(
            "is absolute or holds `..`; name it by its path below the upload's".into(),
        ));
    }
    let path = if raw.path.is_empty() {
        base.to_owned()
    } else {
        paths::resolve(base, &raw.path).map_err(|f| flaw(f.to_string()))?
    };
    let kind = match (raw.kind, &raw.target) {
        (Kind::File, None) => EntryKind::File,
        (Kind::Directory, None) => EntryKind::Directory,
        (Kind::Link, Some(target)) if target.len() > paths::MAX_PATH => {
            return Err(flaw(format!(
                "has a `target` of more than {} bytes",
                paths::MAX_PATH
            )));
        }
        (Kind::Link, Some(target)) => EntryKind::Link(target.clone()),
        (Kind::Link, None) => return Err(flaw("is a link without `target`".into())),
        (_, Some(_)) => return Err(flaw("has a `target` and is no link".into())),
    };
    let default = if kind == EntryKind::Directory {
        0o755
    } else {
        0o644
    };
    let mode = raw.mode.as_deref().map(|mode| u32::from_str_radix(mode, 8));
    match mode.unwrap_or(Ok(default)) {
        Ok(mode) if mode <= 0o7777 => Ok(Entry { path, kind, mode }),
        _ => Err(flaw(
            "has a `mode` that is not octal, such as \"0644\"".into(),
        )),
    }
}

/// What a path that could not be read or written means to a client.
pub(super) fn refusal(not_done: &NotDone, tier: Tier) -> RequestError {
    let path = &not_done.path;
    let errno = Errno::from_raw(not_done.errno);
    let (code, why) = match errno {
        Errno::ENOENT | Errno::ENOTDIR => (Code::NotFound, "is not there".to_owned()),
        Errno::EISDIR => (Code::IsDirectory, "is a directory".to_owned()),
        Errno::ENOSPC | Errno::EDQUOT => (
            Code::NoSpace,
            "does not fit; raise resources.disk_mb".to_owned(),
        ),
        Errno::EACCES if tier == Tier::Landlock => (
            Code::Refused,
            "can't be had: in the landlock tier a session has only /workspace, /tmp and /home/runner; `runner doctor` says \
             what the machine lacks for a private root"
                .to_owned(),
        ),
        Errno::EXDEV | Errno::EROFS | Errno::EACCES | Errno::EPERM | Errno::ELOOP => (
            Code::Refused,
            "is outside of what the session may change or its client may read: a system directory, or a link that leads \
             out of the sandbox"
                .to_owned(),
        ),
        Errno::EINVAL => (
            Code::Refused,
            "is neither a file nor a directory".to_owned(),
        ),
        Errno::E2BIG => (
            Code::Refused,
            format!(
                "holds more than {MAX_WAITING} entries, or {} MB of names, that wait for their turn; pack it with tar \
                 first, or download its directories one by one",
                MAX_WAITING_BYTES >> 20
            ),
        ),
        Errno::EFBIG => (
            Code::Refused,
            "has more bytes of holes, with those before it, than resources.disk_mb allows of data; pack it with \
             `tar --sparse` first"
                .to_owned(),
        ),
        Errno::EBADF => (
            Code::BadRequest,
            "got `data` without an `entry` of the kind file before it".to_owned(),
        ),
        other => (Code::Refused, format!("can't be moved: {}", other.desc())),
    };
    RequestError::new(code, format!("{path:?} {why}"))
}
