//! The thread that turns outcomes into lines and writes them, and the scheduler's handle to it.
//!
//! A lone result is written at once. In a steady stream the thread gathers for a millisecond before
//! it writes, so that thousands of results per second cost hundreds of wake-ups and writes, and none
//! waits longer than about a millisecond and a half. For a compressed file it gathers for a second, or
//! up to a batch, because each write is a member or frame of its own and compresses for itself.
//!
//! After a failed write nothing more is written: outcomes are still taken, so that no sender hangs,
//! but only counted. The scheduler learns of it through [`Sink::failed`] and starts no new episodes.

use super::destination::{Destination, Stop, Written};
use super::failure::SinkError;
use super::ordered::{Reorder, Ticket};
use super::weight::weight;
use crate::spec::outcome::Outcome;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

/// Outcomes that may wait for the thread.
const CHANNEL: usize = 256;
/// What those outcomes may hold in all, in KB; one that is larger waits until it is alone.
const CHANNEL_KB: u32 = 16 * 1024;
/// A batch is written when it has grown beyond this many bytes.
const BATCH_BYTES: usize = 1 << 20;
/// Results that come within this time of the last write are a steady stream; not those of somebody who waits for each
/// result before the next episode.
const STEADY_INTERVAL: Duration = Duration::from_micros(500);
/// How long a steady stream is gathered.
const GATHER_INTERVAL: Duration = Duration::from_millis(1);

/// How long a member or frame of a compressed file gathers results: what is lost at most when the runner is killed.
const FRAME_INTERVAL: Duration = Duration::from_secs(1);
/// How often the thread looks for results meanwhile; the channel holds what comes in between.
const FRAME_POLL: Duration = Duration::from_millis(5);

struct Item {
    outcome: Outcome,
    place: Option<Ticket>,
    _budget: OwnedSemaphorePermit,
}

/// The scheduler's end. Dropping it without [`Sink::finish`] also writes all that was sent, unreported.
#[derive(Debug)]
pub struct Sink {
    outcomes: mpsc::Sender<Item>,
    budget: Arc<Semaphore>,
    failed: watch::Receiver<bool>,
    abandoned: Arc<AtomicBool>,
    end: oneshot::Receiver<Result<Written, SinkError>>,
}

/// Ends waiting for a reader that does not read; see [`Abandoner::abandon`].
#[derive(Clone, Debug)]
pub struct Abandoner(Arc<AtomicBool>);

impl Abandoner {
    /// From now on what can't be written without waiting is given up, so that [`Sink::finish`] ends
    /// within a fraction of a second. A regular file is not affected: it never waits for a reader.
    pub fn abandon(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Sink {
    /// Starts the thread. Fails when the process may have no more threads.
    pub fn start(destination: Destination) -> Result<Self, SinkError> {
        let (outcomes, receiver) = mpsc::channel(CHANNEL);
        let (failure, failed) = watch::channel(false);
        let (ended, end) = oneshot::channel();
        let abandoned = Arc::new(AtomicBool::new(false));
        let writer = Writer {
            destination,
            abandoned: Arc::clone(&abandoned),
            failure,
            reorder: Reorder::new(),
            batch: Vec::new(),
            batch_lines: 0,
            written: Written::default(),
            stop: None,
            unwritten: 0,
        };
        thread::Builder::new()
            .name("sink".into())
            .spawn(move || {
                let _ = ended.send(writer.run(receiver));
            })
            .map_err(SinkError::Thread)?;
        let budget = Arc::new(Semaphore::new(CHANNEL_KB as usize));
        Ok(Sink {
            outcomes,
            budget,
            failed,
            abandoned,
            end,
        })
    }

    /// Hands over a result; waits only while the channel is full. With a place it is written in the
    /// order of the places, without one as it comes.
    pub async fn send(&self, outcome: Outcome, place: Option<Ticket>) {
        let kb = (weight(&outcome) / 1024 + 1).min(CHANNEL_KB as usize) as u32;
        let budget = Arc::clone(&self.budget)
            .acquire_many_owned(kb)
            .await
            .expect("the sink's semaphore is never closed");
        let _ = self
            .outcomes
            .send(Item {
                outcome,
                place,
                _budget: budget,
            })
            .await;
    }

    /// Resolves when a write has failed, never otherwise. No new episode should be started then;
    /// [`Sink::finish`] tells why.
    pub fn failed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut failed = self.failed.clone();
        async move {
            let _ = failed.wait_for(|failed| *failed).await;
        }
    }

    pub fn abandoner(&self) -> Abandoner {
        Abandoner(Arc::clone(&self.abandoned))
    }

    /// Writes all that was sent, makes it durable and closes the destination.
    ///
    /// # Errors
    /// The first failed write, or [`SinkError::Abandoned`], with the number of results that are lost.
    pub async fn finish(self) -> Result<Written, SinkError> {
        drop(self.outcomes);
        self.end
            .await
            .unwrap_or_else(|_| Err(SinkError::Thread(io::Error::other("it ended early"))))
    }
}

struct Writer {
    destination: Destination,
    abandoned: Arc<AtomicBool>,
    failure: watch::Sender<bool>,
    reorder: Reorder<(Outcome, Ticket)>,
    batch: Vec<u8>,
    batch_lines: u64,
    written: Written,
    stop: Option<Stop>,
    unwritten: u64,
}

impl Writer {
    fn run(mut self, mut outcomes: mpsc::Receiver<Item>) -> Result<Written, SinkError> {
        let mut last_write: Option<Instant> = None;
        while let Some(item) = outcomes.blocking_recv() {
            if last_write.is_some_and(|at| at.elapsed() < STEADY_INTERVAL) {
                thread::sleep(GATHER_INTERVAL);
            }
            self.take(item);
            self.gather(&mut outcomes);
            self.flush();
            last_write = Some(Instant::now());
        }
        let rest = std::mem::replace(&mut self.reorder, Reorder::new());
        for (outcome, _) in rest.into_rest() {
            self.serialise(&outcome);
            if self.batch.len() >= BATCH_BYTES {
                self.flush();
            }
        }
        self.flush();
        self.end()
    }

    /// Takes what is there; for a compressed file, also what comes until a frame is worth its place: a small one is hardly
    /// smaller than its lines.
    fn gather(&mut self, outcomes: &mut mpsc::Receiver<Item>) {
        let due = Instant::now() + FRAME_INTERVAL;
        while self.batch.len() < BATCH_BYTES {
            match outcomes.try_recv() {
                Ok(item) => self.take(item),
                Err(TryRecvError::Empty)
                    if self.destination.is_compressed() && Instant::now() < due =>
                {
                    thread::sleep(FRAME_POLL);
                }
                Err(_) => return,
            }
        }
    }

    fn take(&mut self, item: Item) {
        let Some(mut place) = item.place else {
            return self.serialise(&item.outcome);
        };
        place.hold(weight(&item.outcome));
        self.reorder.insert(place.sequence, (item.outcome, place));
        while let Some((outcome, _)) = self.reorder.pop() {
            self.serialise(&outcome);
            if self.batch.len() >= BATCH_BYTES {
                self.flush();
            }
        }
    }

    fn serialise(&mut self, outcome: &Outcome) {
        if self.stop.is_some() {
            self.unwritten += 1;
            return;
        }
        serde_json::to_writer(&mut self.batch, outcome).expect("an outcome has only string keys");
        self.batch.push(b'\n');
        self.batch_lines += 1;
    }

    fn flush(&mut self) {
        let lines_before = self.written.lines;
        if self.stop.is_none()
            && let Err(stop) =
                self.destination
                    .write(&self.batch, &mut self.written, &self.abandoned)
        {
            self.unwritten += self.batch_lines - (self.written.lines - lines_before);
            self.stop = Some(stop);
            let _ = self.failure.send(true);
        }
        self.batch.clear();
        self.batch.shrink_to(2 * BATCH_BYTES);
        self.batch_lines = 0;
    }

    fn end(self) -> Result<Written, SinkError> {
        let (name, unwritten) = (self.destination.name.clone(), self.unwritten);
        match self.stop {
            Some(Stop::Io(error)) => Err(SinkError::Write {
                name,
                error,
                unwritten,
            }),
            Some(Stop::Abandoned) => Err(SinkError::Abandoned { name, unwritten }),
            None => match self.destination.sync() {
                Ok(()) => Ok(self.written),
                Err(error) => Err(SinkError::Write {
                    name,
                    error,
                    unwritten,
                }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ordered::Window;
    use super::super::testing::outcome;
    use super::*;
    use crate::spec::outcome::Status;
    use std::fs::File;
    use std::io::{BufRead, BufReader};
    use std::os::fd::OwnedFd;

    fn ids(lines: &str) -> Vec<String> {
        let id = |line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["id"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        lines.lines().map(id).collect()
    }

    fn pipe_sink() -> (io::PipeReader, Sink) {
        let (reader, writer) = io::pipe().unwrap();
        let destination =
            Destination::new(File::from(OwnedFd::from(writer)), "stdout".into()).unwrap();
        (reader, Sink::start(destination).unwrap())
    }

    #[tokio::test]
    async fn every_result_becomes_one_whole_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let sink = Sink::start(Destination::new(file.reopen().unwrap(), "r.jsonl".into()).unwrap())
            .unwrap();
        for n in 0..1000 {
            sink.send(outcome(&format!("e{n}"), Status::Ok), None).await;
        }
        let written = sink.finish().await.unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(
            written,
            Written {
                lines: 1000,
                bytes: text.len() as u64
            }
        );
        assert!(text.ends_with('\n'));
        assert!(
            ids(&text)
                .iter()
                .enumerate()
                .all(|(n, id)| *id == format!("e{n}"))
        );
    }

    #[tokio::test]
    async fn a_lone_result_arrives_before_the_next_is_sent() {
        let (reader, sink) = pipe_sink();
        let mut lines = BufReader::new(reader).lines();
        for n in 0..3 {
            sink.send(outcome(&format!("e{n}"), Status::Ok), None).await;
            assert_eq!(ids(&lines.next().unwrap().unwrap()), [format!("e{n}")]);
        }
    }

    #[tokio::test]
    async fn places_decide_the_order_and_gaps_close_at_the_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let sink = Sink::start(Destination::new(file.reopen().unwrap(), "r.jsonl".into()).unwrap())
            .unwrap();
        let mut window = Window::new(8);
        let mut places = Vec::new();
        for _ in 0..6 {
            places.push(window.enter().await);
        }
        drop(places.remove(3));
        while let Some(place) = places.pop() {
            sink.send(
                outcome(&place.sequence.to_string(), Status::Ok),
                Some(place),
            )
            .await;
        }
        assert_eq!(sink.finish().await.unwrap().lines, 5);
        assert_eq!(
            ids(&std::fs::read_to_string(file.path()).unwrap()),
            ["0", "1", "2", "4", "5"]
        );
    }

    #[tokio::test]
    async fn a_full_disk_is_reported_with_the_number_of_lost_results() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let sink = Sink::start(Destination::new(full, "results.jsonl".into()).unwrap()).unwrap();
        sink.send(outcome("a", Status::Ok), None).await;
        sink.failed().await;
        sink.send(outcome("b", Status::Ok), None).await;
        let message = sink.finish().await.unwrap_err().to_string();
        assert_eq!(
            message,
            "no space left for results.jsonl: 2 finished results were not written; free space and run again with --resume"
        );
    }

    #[tokio::test]
    async fn a_reader_that_went_away_is_reported() {
        let (reader, sink) = pipe_sink();
        drop(reader);
        sink.send(outcome("a", Status::Ok), None).await;
        sink.failed().await;
        let message = sink.finish().await.unwrap_err().to_string();
        assert!(
            message.starts_with("the reader of stdout went away: 1 finished"),
            "{message}"
        );
    }

    #[tokio::test]
    async fn an_abandoned_sink_ends_though_nobody_reads() {
        let (reader, sink) = pipe_sink();
        for n in 0..400 {
            sink.send(outcome(&format!("{n:01000}"), Status::Ok), None)
                .await;
            if n == 100 {
                sink.abandoner().abandon();
            }
        }
        let error = sink.finish().await.unwrap_err();
        let SinkError::Abandoned { unwritten, .. } = error else {
            panic!("{error}")
        };
        let got = io::read_to_string(reader).unwrap();
        assert!(got.ends_with('\n'));
        assert_eq!(ids(&got).len() as u64, 400 - unwritten);
    }
}
