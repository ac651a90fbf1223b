//! The sweep: takes items from the source, keeps so many episodes running, hands results to the sink, and winds
//! down when it is told to.

use super::attempt::{Others, until_verdict};
use super::audit::{Audits, Held, Sample, compared};
use super::executor::Executor;
use super::load::Load;
use super::quiet::Quiet;
use super::slots::Slots;
use super::stop::StopSignals;
use crate::sink::{Progress, Sink, Statistics, Ticket, Window};
use crate::source::{Batch, Counters, Item, SourceError};
use crate::spec::episode::Episode;
use crate::spec::outcome::Outcome;
use crate::sys::cores;
use std::cell::RefCell;
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
    /// Which episodes run again when all have begun.
    pub audit: Option<Sample>,
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

/// An episode that has a verdict.
struct Ended {
    outcome: Outcome,
    place: Option<Ticket>,
    next: Next,
}

/// What becomes of the verdict.
enum Next {
    Emit,
    /// It waits for a second run of this.
    RunAgain(Box<Episode>),
    /// It is that of the second run.
    Compare,
}

struct Work<'a, E> {
    sweep: Sweep<'a, E>,
    pending: VecDeque<Item>,
    window: Option<Window>,
    others: Rc<Others>,
    slots: Slots,
    running: JoinSet<Ended>,
    audits: Audits,
    exhausted: bool,
    stopping: Stopping,
    end: SweepEnd,
}

impl<'a, E: Executor + 'static> Sweep<'a, E> {
    /// Runs until every item has a result, or until stopped. To be called inside a `LocalSet`.
    pub async fn run(self) -> SweepEnd {
        let cores = cores::available();
        let work = Work {
            others: Rc::new(Others {
                quiet: Quiet::new(cores),
                load: RefCell::new(Load::new(self.settings.concurrency, cores)),
            }),
            slots: Slots::new(self.executor.slots()),
            audits: Audits::new(self.settings.audit),
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
            self.tell();
            let idle = self.running.is_empty();
            let deadline = match self.stopping {
                Stopping::No if idle && self.is_done() => break,
                Stopping::No => None,
                Stopping::Now => break,
                Stopping::Until(_) if idle => break,
                Stopping::Until(deadline) => Some(deadline),
            };
            let wants_more = deadline.is_none() && self.has_room();
            if wants_more
                && self.is_everything_begun()
                && let Some(episode) = self.audits.next()
            {
                self.spawn(episode, None, |_| Next::Compare);
                continue;
            }
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
                    Ok(ended) => self.take(ended).await,
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                item = next(&mut self.pending, &mut self.sweep.source, &mut self.window),
                    if wants_more && !self.is_everything_begun() => self.begin(item).await,
                _ = tick.tick() => self.show_progress(),
            }
        }
        self.end.given_up = self.running.len() - self.audits.running();
        // Dropping the tasks drops their leases, which ends their slots.
        self.running.shutdown().await;
        while let Some(first) = self.audits.give_up() {
            self.emit(first, None).await;
        }
        self.end.interrupted |= self.stopping != Stopping::No;
        self.end
    }

    /// Tells people what has come up.
    fn tell(&mut self) {
        let of_load = self.others.load.borrow_mut().take_note();
        let of_slots = self.slots.note(self.sweep.executor.slots());
        for note in of_load.into_iter().chain(of_slots) {
            self.sweep.progress.println(note);
        }
    }

    /// Whether one more may run.
    fn has_room(&self) -> bool {
        let allowed = self.others.load.borrow().allowed();
        let most = allowed.min(self.sweep.executor.slots());
        self.running.len() < most && !self.others.quiet.is_wanted()
    }

    fn is_everything_begun(&self) -> bool {
        self.exhausted && self.pending.is_empty()
    }

    fn is_done(&self) -> bool {
        self.is_everything_begun() && self.audits.held() == 0
    }

    async fn begin(&mut self, taken: Taken) {
        match taken {
            Taken::End => self.exhausted = true,
            Taken::Failed(error) => {
                self.exhausted = true;
                self.end.source_error = Some(error);
            }
            Taken::Item(item, place) => match item.work {
                Err(outcome) => self.emit(*outcome, place).await,
                Ok(episode) => {
                    if self.audits.chooses(&episode) {
                        self.spawn(episode, place, Next::RunAgain)
                    } else {
                        self.spawn(episode, place, |_| Next::Emit)
                    }
                }
            },
        }
    }

    /// Runs an episode until it has a verdict; `next` says what becomes of it then.
    fn spawn(
        &mut self,
        episode: Box<Episode>,
        place: Option<Ticket>,
        next: impl FnOnce(Box<Episode>) -> Next + 'static,
    ) {
        let (executor, others) = (self.sweep.executor.clone(), self.others.clone());
        let retries = self.sweep.settings.retries;
        self.running.spawn_local(async move {
            let outcome = until_verdict(&*executor, &others, &episode, retries).await;
            let next = next(episode);
            Ended {
                outcome,
                place,
                next,
            }
        });
    }

    async fn take(&mut self, ended: Ended) {
        let Ended {
            outcome,
            place,
            next,
        } = ended;
        match next {
            Next::Emit => self.emit(outcome, place).await,
            Next::RunAgain(episode) if self.stopping == Stopping::No => {
                let first = outcome;
                if let Err(held) = self.audits.hold(Held { episode, first }) {
                    self.emit(held.first, place).await;
                }
            }
            Next::RunAgain(_) => self.emit(outcome, place).await,
            Next::Compare => {
                let first = self.audits.first_of(&outcome.id);
                self.emit(compared(first, &outcome), place).await;
            }
        }
    }

    /// Counts a result and sends it on. A reader that does not read must not keep a signal from being heard; after the second
    /// one it is not waited for.
    async fn emit(&mut self, outcome: Outcome, place: Option<Ticket>) {
        self.sweep.statistics.record(&outcome);
        let sink = self.sweep.sink;
        let sending = sink.send(outcome, place);
        tokio::pin!(sending);
        loop {
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
            let left = (self.running.len() + self.pending.len() + self.audits.held()) as u64;
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

/// What came of taking the next item.
enum Taken {
    Item(Item, Option<Ticket>),
    Failed(SourceError),
    End,
}

/// The next item and its place in the order. Cancel-safe: nothing is taken before the last wait.
async fn next(
    pending: &mut VecDeque<Item>,
    source: &mut mpsc::Receiver<Batch>,
    window: &mut Option<Window>,
) -> Taken {
    while pending.is_empty() {
        match source.recv().await {
            Some(Ok(items)) => pending.extend(items),
            Some(Err(error)) => return Taken::Failed(error),
            None => return Taken::End,
        }
    }
    let place = match window {
        Some(window) => Some(window.enter().await),
        None => None,
    };
    match pending.pop_front() {
        Some(item) => Taken::Item(item, place),
        None => Taken::End,
    }
}
