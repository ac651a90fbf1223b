//! The sweep: takes items from the source, keeps so many episodes running, hands results to the sink, and winds
//! down when it is told to.

use super::attempt;
use super::executor::Executor;
use super::stop::StopSignals;
use crate::sink::{Place, Progress, Sink, Statistics, Window};
use crate::source::{Batch, Counters, Item, SourceError};
use crate::spec::outcome::Outcome;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// How often the progress bar is told.
const TICK: Duration = Duration::from_millis(100);

#[derive(Clone, Debug)]
pub struct Settings {
    /// Episodes at one time, at least 1.
    pub concurrency: usize,
    /// Further attempts after a failure of our side.
    pub retries: u32,
    /// Results in the order of the input, at most so many episodes ahead of the slowest.
    pub window: Option<usize>,
    /// How long running episodes may go on after the first signal.
    pub grace: Duration,
}

/// How a sweep ended.
#[derive(Debug, Default)]
pub struct SweepEnd {
    /// Stopped by a signal or because results could not be written, before every episode had a result.
    pub interrupted: bool,
    /// Episodes that were running and were given up without a result.
    pub given_up: usize,
    /// Why the input could not be read to its end.
    pub source_error: Option<SourceError>,
}

pub struct Sweep<'a, E> {
    pub executor: Rc<E>,
    pub settings: Settings,
    pub source: mpsc::Receiver<Batch>,
    pub counters: Arc<Counters>,
    /// How many episodes there are, skipped ones included, once somebody has counted them.
    pub expected: Arc<OnceLock<u64>>,
    pub sink: &'a Sink,
    pub statistics: &'a mut Statistics,
    pub progress: &'a Progress,
    pub stop: &'a mut StopSignals,
}

/// How far winding down has come.
#[derive(Clone, Copy, PartialEq)]
enum Stopping {
    No,
    /// Nothing new is started; what runs may go on until then.
    Until(Instant),
    Now,
}

struct Work<'a, E> {
    sweep: Sweep<'a, E>,
    pending: VecDeque<Item>,
    window: Option<Window>,
    running: JoinSet<(Outcome, Option<Place>)>,
    exhausted: bool,
    stopping: Stopping,
    end: SweepEnd,
}

impl<'a, E: Executor + 'static> Sweep<'a, E> {
    /// Runs until every item has a result, or until stopped. To be called inside a `LocalSet`.
    pub async fn run(self) -> SweepEnd {
        let work = Work {
            window: self.settings.window.map(Window::new),
            sweep: self,
            pending: VecDeque::new(),
            running: JoinSet::new(),
            exhausted: false,
            stopping: Stopping::No,
            end: SweepEnd::default(),
        };
        work.run().await
    }
}

impl<E: Executor + 'static> Work<'_, E> {
    async fn run(mut self) -> SweepEnd {
        let failed = self.sweep.sink.failed();
        tokio::pin!(failed);
        let mut sink_failed = false;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let idle = self.running.is_empty();
            let deadline = match self.stopping {
                Stopping::No if idle && self.exhausted && self.pending.is_empty() => break,
                Stopping::No => None,
                Stopping::Now => break,
                Stopping::Until(_) if idle => break,
                Stopping::Until(deadline) => Some(deadline),
            };
            let wants_more =
                deadline.is_none() && self.running.len() < self.sweep.settings.concurrency;
            tokio::select! {
                biased;
                () = self.sweep.stop.next() => self.asked_to_stop(),
                () = &mut failed, if !sink_failed => {
                    sink_failed = true;
                    self.wind_down();
                }
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.stopping = Stopping::Now;
                }
                Some(done) = self.running.join_next(), if !idle => match done {
                    Ok((outcome, place)) => self.emit(outcome, place).await,
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                item = next(&mut self.pending, &mut self.sweep.source, &mut self.window),
                    if wants_more && !(self.exhausted && self.pending.is_empty()) => self.begin(item).await,
                _ = tick.tick() => self.show_progress(),
            }
        }
        self.end.given_up = self.running.len();
        // Dropping the tasks drops their leases, which ends their slots.
        self.running.shutdown().await;
        self.end.interrupted |= self.stopping != Stopping::No;
        self.end
    }

    async fn begin(&mut self, next: Next) {
        match next {
            Next::End => self.exhausted = true,
            Next::Failed(error) => {
                self.exhausted = true;
                self.end.source_error = Some(error);
            }
            Next::Item(item, place) => match item.work {
                Err(outcome) => self.emit(*outcome, place).await,
                Ok(episode) => {
                    let (executor, retries) =
                        (self.sweep.executor.clone(), self.sweep.settings.retries);
                    self.running.spawn_local(async move {
                        (
                            attempt::until_verdict(&*executor, &episode, retries).await,
                            place,
                        )
                    });
                }
            },
        }
    }

    /// Counts a result and sends it on. A reader that does not read must not keep a signal from being heard.
    async fn emit(&mut self, outcome: Outcome, place: Option<Place>) {
        self.sweep.statistics.record(&outcome);
        let sink = self.sweep.sink;
        let sending = sink.send(outcome, place);
        tokio::pin!(sending);
        while self.stopping != Stopping::Now {
            tokio::select! {
                biased;
                () = &mut sending => return,
                () = self.sweep.stop.next() => self.asked_to_stop(),
            }
        }
    }

    fn asked_to_stop(&mut self) {
        match self.stopping {
            Stopping::No => {
                self.wind_down();
                self.sweep.progress.println(format!(
                    "runner: stopping; running episodes ({}) have {} s to finish; press Ctrl-C again to stop now",
                    self.running.len(),
                    self.sweep.settings.grace.as_secs(),
                ));
            }
            _ => {
                self.stopping = Stopping::Now;
                self.sweep.sink.abandoner().abandon();
            }
        }
    }

    fn wind_down(&mut self) {
        if self.stopping == Stopping::No {
            self.stopping = Stopping::Until(Instant::now() + self.sweep.settings.grace);
        }
    }

    fn show_progress(&mut self) {
        if self.exhausted {
            let left = (self.running.len() + self.pending.len()) as u64;
            self.sweep
                .progress
                .set_total(self.sweep.statistics.counts().total() + left);
        } else if let Some(expected) = self.sweep.expected.get() {
            let skipped = self.sweep.counters.skipped.load(Relaxed);
            self.sweep
                .progress
                .set_total(expected.saturating_sub(skipped));
        }
        self.sweep
            .progress
            .tick(self.sweep.statistics, self.running.len());
    }
}

enum Next {
    Item(Item, Option<Place>),
    Failed(SourceError),
    End,
}

/// The next item and its place in the order. Cancel-safe: nothing is taken before the last wait.
async fn next(
    pending: &mut VecDeque<Item>,
    source: &mut mpsc::Receiver<Batch>,
    window: &mut Option<Window>,
) -> Next {
    while pending.is_empty() {
        match source.recv().await {
            Some(Ok(items)) => pending.extend(items),
            Some(Err(error)) => return Next::Failed(error),
            None => return Next::End,
        }
    }
    let place = match window {
        Some(window) => Some(window.enter().await),
        None => None,
    };
    match pending.pop_front() {
        Some(item) => Next::Item(item, place),
        None => Next::End,
    }
}
