//! One client: reads its lines, and hands each to the session it is for.

use super::PROTOCOL;
use super::answer::RequestError;
use super::budget::{Budget, REQUEST_BYTES, START_BYTES};
use super::connection_state::{ConnectionState, Op};
use super::fields::Fields;
use super::frame::{self, ClientLine, Lines};
use super::id::Id;
use super::request::{self, Beginning, Exec, Head, Start};
use super::server::Server;
use super::session;
use super::stats::Counted;
use super::upload::Frame;
use crate::spec::fields::STATS;
use crate::sys::clock::monotonic_ns;
use serde_json::json;
use std::rc::Rc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// No `op` has a longer name.
const MAX_OP_CHARS: usize = 16;

/// Serves one client until it is gone or the server ends, and returns when nothing of its sessions is left.
pub(super) async fn serve(
    server: Rc<Server>,
    _counted: Counted,
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin + 'static,
) {
    let (close, closing) = watch::channel(None);
    let (client, mut writing) = frame::client(writer, server.config.idle, closing);
    let budget = Budget::new(server.held.clone());
    let mut lines = Lines::new(reader, budget.nothing());
    let shared = ConnectionState::new(client, budget, close);
    shared.client.line(greeting(&server)).await;
    let mut connection = Connection {
        server: server.clone(),
        shared,
        tasks: JoinSet::new(),
    };
    let mut ending = server.ending();
    let reading = connection.read(&mut lines);
    tokio::select! {
        () = reading => {}
        // It reads no more, or not for too long.
        _ = &mut writing => {}
        _ = ending.wait_for(|ending| *ending) => {}
    }
    drop(lines);
    let Connection {
        shared, mut tasks, ..
    } = connection;
    // From now on the writer waits no longer than the farewell, and no session any longer than the writer.
    shared.close();
    while tasks.join_next().await.is_some() {}
    drop(shared);
    if !writing.is_finished() {
        let _ = writing.await;
    }
}

fn greeting(server: &Server) -> serde_json::Value {
    json!({
        "runner": env!("CARGO_PKG_VERSION"),
        "protocol": PROTOCOL,
        "tier": server.enforced.tier,
        "landlock_abi": server.enforced.landlock_abi,
        "sessions": server.pool.size(),
        "max_line": frame::MAX_BYTES,
    })
}

struct Connection {
    server: Rc<Server>,
    shared: Rc<ConnectionState>,
    tasks: JoinSet<()>,
}

impl Connection {
    async fn read<R: AsyncRead + Unpin>(&mut self, lines: &mut Lines<R>) {
        loop {
            match lines.next().await {
                Ok(ClientLine::Whole(line)) if line.trim_ascii().is_empty() => {}
                Ok(ClientLine::Whole(line)) => self.line(line).await,
                Ok(ClientLine::Skipped(why, beginning)) => self.refuse(beginning, why.into()).await,
                Ok(ClientLine::End) | Err(_) => return,
            }
            while self.tasks.try_join_next().is_some() {}
        }
    }

    /// Answers a line that was not taken, or can't be read. One that was a piece of an upload leaves a hole in it, so that the
    /// upload fails; where it can't be told whose piece it was, all of this connection do.
    async fn refuse(&mut self, line: &[u8], fault: RequestError) {
        let (client, uploads) = (&self.shared.client, &self.shared.uploads);
        let bad = || (Frame::Bad(fault.clone()), self.shared.budget.nothing());
        let Beginning { id, is_piece } = Beginning::of(line);
        match id {
            Some(id) if uploads.is_open(&id) => {
                let (frame, held) = bad();
                uploads.hand(&id, frame, held).await;
            }
            // Of an upload that is over, and has its answer.
            Some(_) if is_piece => {}
            Some(id) => client.answer(&id, Err::<(), _>(fault)).await,
            None => {
                uploads.fail_all(bad).await;
                client.answer(&Id::none(), Err::<(), _>(fault)).await;
            }
        }
    }

    async fn line(&mut self, line: &[u8]) {
        let (id, head) = Head::read(line);
        let head = match head {
            Ok(head) => head,
            Err(fault) => return self.refuse(line, fault).await,
        };
        let Some(op) = &head.op else {
            return self.frame(&id, &head, line.len()).await;
        };
        let op: String = op.chars().take(MAX_OP_CHARS).collect();
        if let Err(fault) = self.request(&id, &op, line).await {
            self.shared.client.answer(&id, Err::<(), _>(fault)).await;
        }
    }

    /// Passes a piece of an upload, of a line of so many bytes, on when there is room for it: until then no more is read from
    /// the client.
    async fn frame(&mut self, id: &Id, head: &Head<'_>, bytes: usize) {
        let uploads = &self.shared.uploads;
        if !uploads.is_open(id) {
            // Pieces of an upload that is over may still come.
            if !head.is_piece() {
                let fault = RequestError::bad("`op` is missing; say what is to be done");
                self.shared.client.answer(id, Err::<(), _>(fault)).await;
            }
            return;
        }
        let (frame, held) = match self.shared.budget.wait_for(bytes).await {
            Ok(held) => (Frame::read(head), held),
            Err(full) => (Frame::Bad(full.into()), self.shared.budget.nothing()),
        };
        uploads.hand(id, frame, held).await;
    }

    /// Takes a request on. What is refused here is answered by the caller.
    async fn request(&mut self, id: &Id, op: &str, line: &[u8]) -> Result<(), RequestError> {
        let shared = &self.shared;
        let held = |besides| shared.budget.take(line.len() + besides);
        match op {
            "start" => {
                let waits = shared.start_waits()?;
                let held = held(START_BYTES)?;
                let start = Start::read(line, &self.server.context)?;
                let (server, shared) = (self.server.clone(), shared.clone());
                let asked = session::Asked {
                    id: id.clone(),
                    start,
                    waits,
                    held,
                };
                self.tasks.spawn_local(session::live(server, shared, asked));
                Ok(())
            }
            "exec" => {
                let held = held(REQUEST_BYTES)?;
                let (session, exec) = Exec::read(line)?;
                shared.hand(&session, id, Op::Exec(exec, monotonic_ns()), held)
            }
            "upload" => {
                let (session, path) = request::transfer(line, "upload")?;
                shared.hand(&session, id, Op::Upload(path), held(REQUEST_BYTES)?)
            }
            "download" => {
                let (session, path) = request::transfer(line, "download")?;
                shared.hand(&session, id, Op::Download(path), held(REQUEST_BYTES)?)
            }
            "cancel" => {
                let (session, of) = request::cancel(line)?;
                shared.cancel(&session, &of)?;
                shared.client.answer(id, Ok(json!({}))).await;
                Ok(())
            }
            "stop" => {
                let session = request::stop(line)?;
                shared.stop(&session, id)
            }
            "stats" => {
                Fields::read(line, "stats", STATS)?;
                let (ready, held) = (self.server.pool.idle(), self.server.held.held());
                let stats = self.server.stats.answer(ready, held);
                shared.client.answer(id, Ok(stats)).await;
                Ok(())
            }
            other => Err(RequestError::bad(format!(
                "there is no op {other:?}; there are start, exec, upload, download, cancel, stop and stats"
            ))),
        }
    }
}
