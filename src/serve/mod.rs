//! `runner serve`: sessions. The same sandboxes as a job's, kept open for clients that decide each command by the
//! output of the last one.
//!
//! ```text
//! client ──socket── connection ─┬─ session ── its slot      one task each; a slot is held until the session ends
//!                               └─ session ── its slot
//! ```
//!
//! # Protocol, version 1
//!
//! JSON objects, one per line, both ways. The server speaks first:
//!
//! ```json
//! {"runner":"0.1.0","protocol":1,"tier":"namespaces","landlock_abi":7,"sessions":1000,"max_line":16777216}
//! ```
//!
//! A request has an `id`, a string or an integer of the client's choice, and an `op`. It has one final answer with that
//! id: `{"id":1,"result":{…}}` or `{"id":1,"error":{"code":"…","message":"…"}}`. The requests of one session are done in
//! order, those of different sessions side by side. A session belongs to the connection that started it: when that
//! closes, everything of it is gone.
//!
//! | `op` | fields | result |
//! |---|---|---|
//! | `start` | those of an episode that are not about a program: `workdir`, `env`, `files`, `resources`, `timeout_s`, `network`, `capture`, `output_keep`, `fs_readable`, `fs_writable`; `wait_s`, `idle_s` | `session`, `tier`, `landlock_abi`, `queue_ms`, `start_ms` |
//! | `exec` | `session`; those of a step: `command` or `argv`, `stdin`, `env`, `workdir`, `timeout_s`, `files` | the fields of an execution, as in a result line |
//! | `upload` | `session`, `path` | `entries`, `bytes`: see [`upload`] |
//! | `download` | `session`, `path` | `entries`, `bytes`, and `skipped` where something was not sent: see [`download`] |
//! | `cancel` | `session`, `of`: the id of one of its requests | nothing, at once. What `of` names ends with the error `cancelled`, unless it has just ended by itself |
//! | `stop` | `session` | nothing, once everything of it is gone. It waits for nothing: what runs is ended |
//! | `stats` | | see [`stats`] |
//!
//! What an execution leaves running lives on until the session ends, and so do files. A timeout ends its own execution
//! only and returns what that had printed; any other limit ends all that runs in the session, which stays usable.
//!
//! | `code` of an error | |
//! |---|---|
//! | `bad_request` | not an object, an unknown `op` or field, a value of the wrong kind |
//! | `too_long` | a line of more than 16 MiB; it is skipped. The answer has its `id` where that stands within the first 4 KiB of the line, else `null`. An upload of which it may have been a piece fails |
//! | `invalid` | what is asked for can't be had: a range, a path, this machine |
//! | `no_session` | it never was on this connection, or is over; the message says why |
//! | `busy` | no slot within `wait_s`, or more than the server may hold (below); a line that could not be read for it, or that did not come to its end within 30 s, is treated as one that is too long. In place of the greeting where there may be no more connections |
//! | `not_found`, `is_directory`, `refused`, `no_space` | a transfer met a path that can't be read or written |
//! | `stopped`, `cancelled` | the session was stopped, or the request given up, meanwhile |
//! | `infra` | our side failed; the session is over |
//!
//! # What clients can make the server hold
//!
//! | what | at most | beyond that |
//! |---|---|---|
//! | connections | `--connections`, 4 for each session unless said otherwise | `busy`, and the connection is closed |
//! | a line | 16 MiB, and 30 s from its first 64 KiB to its end | `too_long`; `busy` |
//! | requests that wait in one session | 64 | `busy` |
//! | starts that wait on one connection | 1,024 | `busy` |
//! | bytes of one connection: its unfinished line, its unanswered requests and starts, what sessions keep of their starts, pieces of uploads on their way | 64 MiB | requests: `busy`. Lines and uploads wait for room for 10 s, and nothing more is read from the client; then `busy` |
//! | the same of all connections, without the first 64 KiB of each | 256 MiB | the same |
//! | answers that the client has not read | 1 MiB, and one answer or piece of a file for each session | its requests wait; after `--idle-s` the connection is closed |
//!
//! A request counts as many bytes as its line, and some (see [`budget`]). At the server's end, and at that of a
//! connection, its client has 2 s for all that is still to be read.

mod answer;
mod budget;
mod connection;
mod connection_state;
mod download;
mod fields;
mod frame;
mod id;
mod listen;
mod open;
mod request;
mod run;
mod server;
mod session;
mod stats;
mod upload;

pub(crate) use run::run;

/// What is spoken here; the server names it when a client connects.
const PROTOCOL: u32 = 1;
