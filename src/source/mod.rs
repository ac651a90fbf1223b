//! From jobs files to checked episodes, in bounded memory.
//!
//! ```text
//! open ── decoded bytes ──> lines ── blocks of whole lines ──> pipeline ── batches ──> consumer
//!  file, stdin, gz, zst      line cap, blanks, BOM              parse (rayon), number,
//!                                                               ids, shard, resume
//! ```
//! One thread named `source` reads; parsing of a block spreads over rayon's threads; then the items
//! are numbered and their ids checked in order. The channel holds two batches, so reading stops
//! while the consumer is busy: what is in memory is a few blocks, never a file. What grows with the
//! input is `identity`, 25 to 50 bytes for each id, and with `--resume` also [`Changed`], 29 to 57 for
//! each line that changed, and the ids that have a verdict ([`crate::sink::DoneIds`]), 24 for each.
//! The first two are hash tables, which have a byte of control for each place and are 7/16 to 7/8 full.

mod changed;
mod count;
mod format;
mod identity;
mod lines;
mod open;
mod pipeline;
mod shard;
mod strict;

pub use changed::{Changed, find_changed};
pub use count::{count_lines, count_until};
pub use identity::Identities;
pub use lines::{Block, Line, Lines, MAX_LINE};
pub use open::{Jobs, OpenError, open_all};
pub use pipeline::{BATCH, Batch, Item, SourceError};
pub use shard::{BadShard, Shard};
pub use strict::{StrictError, check_all};

use crate::spec::digest::Asked;
use crate::spec::parse::Defaults;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use tokio::sync::mpsc;

/// Batches that wait in the channel.
const CHANNEL: usize = 2;

/// Says what the episode of this id has a verdict on already; `None` when it has none.
pub type Done = Arc<dyn Fn(&str) -> Option<Asked> + Send + Sync>;

/// What to read, and what of it to keep.
#[derive(Clone)]
pub struct SourceConfig {
    pub jobs: Vec<Jobs>,
    pub defaults: Arc<Defaults>,
    /// Keep only this part; `None` for everything.
    pub shard: Option<Shard>,
    /// `--resume`; `None` to run everything.
    pub done: Option<Done>,
    pub counters: Arc<Counters>,
}

/// What the source has seen so far; read at any time.
#[derive(Debug, Default)]
pub struct Counters {
    /// Lines that are not blank, valid or not, of all shards.
    pub lines: AtomicU64,
    /// Items of this shard that have their verdict.
    pub skipped: AtomicU64,
    /// Lines of this shard whose verdict is on something else.
    pub changed: Changed,
}

/// Starts reading on a thread of its own. The channel closes after the last batch; an `Err` is
/// always the last. Dropping the receiver ends the thread at its next batch.
pub fn start(config: SourceConfig) -> mpsc::Receiver<Batch> {
    let (sender, receiver) = mpsc::channel(CHANNEL);
    let on_failure = sender.clone();
    let read = move || {
        let deliver = |items: Vec<Item>| {
            let open = if items.is_empty() {
                !sender.is_closed()
            } else {
                sender.blocking_send(Ok(items)).is_ok()
            };
            if open {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        if let Err(error) = pipeline::run(&config, deliver) {
            // A closed channel means that nobody is left to tell.
            let _ = sender.blocking_send(Err(error));
        }
    };
    if let Err(cause) = thread::Builder::new().name("source".into()).spawn(read) {
        // Cannot be full: nothing was sent yet.
        let _ = on_failure.try_send(Err(SourceError::Thread(cause)));
    }
    receiver
}

#[cfg(test)]
mod tests;
