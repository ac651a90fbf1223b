//! A sweep over a mock executor: everything is real but the sandboxes and, unless told otherwise, the time.

use crate::schedule::executor::{Executor, NotRun};
use crate::schedule::stop::StopSignals;
use crate::schedule::{Settings, Sweep, SweepEnd};
use crate::sink::{Progress, ProgressMode, Sink, SinkError, Statistics, Written, open_output};
use crate::source::{Counters, Item, SourceError};
use crate::spec::episode::{Echo, Episode};
use crate::spec::execution::{Collected, End, Execution, Finish, StepExecution};
use crate::spec::host_fault::HostFault;
use crate::spec::outcome::Outcome;
use crate::spec::parse::{FileContext, parse};
use crate::spec::policy::{Enforced, Tier};
use crate::spec::warm::Start;
use serde_json::Value;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};

/// What happens when an item comes up.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// The line is not an episode; it never reaches the executor.
    InvalidLine,
    /// Every attempt takes `delay`; the first `failures` of them fail on our side.
    Run {
        delay: Duration,
        failures: u32,
        then: Then,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    Exit(i32),
    /// The machine has no time for so many attempts; then it ends well.
    Starve(u32),
    /// It dies of SIGKILL, and this is known of the host.
    Killed(HostFault),
    /// As before, in a first and in a second step.
    BothKilled(HostFault, HostFault),
    /// The executor finds that the episode can't be run.
    Refuse,
}

/// An episode that takes so many milliseconds and ends well.
pub(super) fn takes(ms: u64) -> Act {
    Act::Run {
        delay: Duration::from_millis(ms),
        failures: 0,
        then: Then::Exit(0),
    }
}

/// An immediate episode that our side fails so many times.
pub(super) fn fails(failures: u32, then: Then) -> Act {
    Act::Run {
        delay: Duration::ZERO,
        failures,
        then,
    }
}

/// What the mock saw.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub running: usize,
    pub most_running: usize,
    /// Attempts of each item.
    pub attempts: Vec<u32>,
    /// How many ran, itself included, when the last attempt of each began.
    pub beside: Vec<usize>,
    /// Items whose last attempt has ended, or which need none.
    finished: Vec<bool>,
    /// How far any item was ahead of the first unfinished one when it started.
    pub furthest_ahead: usize,
    /// Executions that were dropped before their end.
    pub dropped: usize,
}

impl Log {
    pub(super) fn started(&self) -> usize {
        self.attempts.iter().filter(|&&n| n > 0).count()
    }
}

struct Mock {
    acts: Vec<Act>,
    retries: u32,
    slots: usize,
    log: RefCell<Log>,
}

/// Counts an execution while it runs; dropping it early is noticed.
struct Running<'a> {
    log: &'a RefCell<Log>,
    ended: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut log = self.log.borrow_mut();
        log.running -= 1;
        log.dropped += usize::from(!self.ended);
    }
}

impl Mock {
    fn enter(&self, item: usize) -> (u32, Running<'_>) {
        let mut log = self.log.borrow_mut();
        log.attempts[item] += 1;
        log.running += 1;
        log.beside[item] = log.running;
        log.most_running = log.most_running.max(log.running);
        let first_unfinished = log.finished.iter().position(|done| !done).unwrap_or(item);
        log.furthest_ahead = log
            .furthest_ahead
            .max(item.saturating_sub(first_unfinished));
        let running = Running {
            log: &self.log,
            ended: false,
        };
        (log.attempts[item], running)
    }
}

impl Executor for Mock {
    async fn execute(&self, episode: &Episode, _: Option<u64>) -> Result<Execution, NotRun> {
        let item: usize = episode.id[1..].parse().expect("ids are e<n>");
        let Act::Run {
            delay,
            failures,
            then,
        } = self.acts[item]
        else {
            panic!("an invalid line was executed");
        };
        let (attempt, mut running) = self.enter(item);
        if delay.is_zero() {
            tokio::task::yield_now().await;
        } else {
            sleep(delay).await;
        }
        running.ended = true;
        if attempt > failures || attempt > self.retries {
            self.log.borrow_mut().finished[item] = true;
        }
        match then {
            _ if attempt <= failures => Err(NotRun::Infra(format!("attempt {attempt} failed"))),
            Then::Exit(code) => Ok(execution(End::Exited(code))),
            Then::Killed(fault) => Ok(execution(killed(fault))),
            Then::BothKilled(first, second) => {
                let mut both = execution(killed(first));
                both.steps.append(&mut execution(killed(second)).steps);
                Ok(both)
            }
            Then::Starve(attempts) if attempt <= attempts => Ok(starved(episode)),
            Then::Starve(_) => Ok(execution(End::Exited(0))),
            Then::Refuse => Err(NotRun::Spec("can't be done".into())),
        }
    }

    fn slots(&self) -> usize {
        self.slots
    }
}

fn killed(fault: HostFault) -> End {
    End::Host(fault, Finish::Signaled(libc::SIGKILL))
}

/// Its time is over, and it had none of it.
fn starved(episode: &Episode) -> Execution {
    let mut execution = execution(End::Timeout);
    let longest = episode.steps[0].longest(episode.sandbox.stretch).as_nanos() as u64;
    let step = &mut execution.steps[0];
    (step.stalled_ns, step.ended_ns) = (longest, step.running_ns + longest);
    execution
}

fn execution(end: End) -> Execution {
    let step = StepExecution {
        start: Start::Exec,
        end,
        prepared_ns: 1_100,
        forked_ns: 1_200,
        running_ns: 1_300,
        ended_ns: 1_400,
        cpu_us: 1,
        stalled_ns: 0,
        peak_memory_bytes: 1,
        output: b"hello\n".to_vec(),
        streams: None,
        output_bytes: 6,
        truncated: false,
    };
    Execution {
        unclean: None,
        enforced: Enforced {
            tier: Tier::Namespaces,
            landlock_abi: 7,
        },
        steps: vec![step],
        collected: Collected::default(),
        handed_ns: 1_000,
        received_ns: 1_050,
        cleaned_ns: 1_500,
    }
}

/// One sweep to be.
pub(super) struct Case {
    pub acts: Vec<Act>,
    pub settings: Settings,
    /// When signals come, from the start.
    pub signals: Vec<Duration>,
    /// How many the executor can run at one time.
    pub slots: usize,
    /// Whether the source breaks after the last item.
    pub broken_source: bool,
    /// Where results go instead of a file of their own.
    pub output: Option<PathBuf>,
    /// Real time instead of time that passes as soon as everybody waits.
    pub real_time: bool,
}

/// Concurrency 2, 2 retries, no window, 5 s of grace, no signals.
pub(super) fn case(acts: Vec<Act>) -> Case {
    Case {
        acts,
        settings: Settings {
            concurrency: 2,
            retries: 2,
            window: None,
            grace: Duration::from_secs(5),
            audit: None,
        },
        signals: Vec::new(),
        slots: usize::MAX,
        broken_source: false,
        output: None,
        real_time: false,
    }
}

/// What came of a sweep.
pub(super) struct Ran {
    pub end: SweepEnd,
    pub log: Log,
    /// Results as they were written.
    pub results: Vec<Value>,
    pub statistics: Statistics,
    pub took: Duration,
    pub written: Result<Written, SinkError>,
}

impl Ran {
    pub(super) fn ids(&self) -> Vec<&str> {
        self.results
            .iter()
            .map(|r| r["id"].as_str().unwrap())
            .collect()
    }

    pub(super) fn result(&self, item: usize) -> &Value {
        let id = format!("e{item}");
        let mut found = self.results.iter().filter(|r| r["id"] == *id);
        let result = found.next().unwrap_or_else(|| panic!("no result for {id}"));
        assert!(found.next().is_none(), "two results for {id}");
        result
    }
}

impl Case {
    pub(super) fn run(self) -> Ran {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(!self.real_time)
            .build()
            .unwrap();
        LocalSet::new().block_on(&runtime, self.sweep())
    }

    async fn sweep(self) -> Ran {
        let directory = tempfile::tempdir().unwrap();
        let path = self
            .output
            .unwrap_or_else(|| directory.path().join("results.jsonl"));
        let sink = Sink::start(open_output(&path, false).unwrap().destination).unwrap();
        let mut statistics = Statistics::new(Duration::from_millis(5));
        let (signals, receiver) = mpsc::channel(4);
        let start = Instant::now();
        for after in self.signals {
            let signals = signals.clone();
            tokio::task::spawn_local(async move {
                sleep(after).await;
                let _ = signals.send(()).await;
            });
        }
        let waits = |act: &Act| matches!(act, Act::InvalidLine);
        let log = Log {
            attempts: vec![0; self.acts.len()],
            beside: vec![0; self.acts.len()],
            finished: self.acts.iter().map(waits).collect(),
            ..Log::default()
        };
        let source = source(&self.acts, self.broken_source);
        let mock = Rc::new(Mock {
            acts: self.acts,
            retries: self.settings.retries,
            slots: self.slots,
            log: RefCell::new(log),
        });
        let sweep = Sweep {
            executor: mock.clone(),
            settings: self.settings,
            source,
            counters: Arc::new(Counters::default()),
            expected: Arc::new(OnceLock::new()),
            sink: &sink,
            statistics: &mut statistics,
            progress: &Progress::new(ProgressMode::Never),
            stop: &mut StopSignals::from_channel(receiver),
        };
        let end = sweep.run().await;
        let took = start.elapsed();
        let written = sink.finish().await;
        Ran {
            end,
            log: mock.log.take(),
            results: results(&path),
            statistics,
            took,
            written,
        }
    }
}

/// The items `e0`, `e1`, … in batches of three.
fn source(acts: &[Act], broken: bool) -> mpsc::Receiver<crate::source::Batch> {
    let (batches, receiver) = mpsc::channel(acts.len() + 1);
    let file = FileContext::new(
        "jobs.jsonl".into(),
        Path::new("/nonexistent"),
        Arc::default(),
    );
    let item = |(n, act): (usize, &Act)| {
        let line = format!(r#"{{"id": "e{n}", "argv": ["x"]}}"#);
        Item {
            position: n as u64,
            work: match act {
                Act::InvalidLine => Err(Box::new(Outcome::invalid(
                    format!("e{n}"),
                    Echo::default(),
                    "not an episode".into(),
                ))),
                Act::Run { .. } => Ok(Box::new(
                    parse(line.as_bytes(), 1, n as u64, &file).unwrap(),
                )),
            },
        }
    };
    let mut items: Vec<Item> = acts.iter().enumerate().map(item).collect();
    while !items.is_empty() {
        let rest = items.split_off(items.len().min(3));
        batches.try_send(Ok(items)).unwrap();
        items = rest;
    }
    if broken {
        let cause = std::io::Error::other("it broke");
        let file = "jobs.jsonl".into();
        batches
            .try_send(Err(SourceError::Read {
                file,
                line: 1,
                cause,
            }))
            .unwrap();
    }
    receiver
}

fn results(path: &Path) -> Vec<Value> {
    if !path.is_file() {
        return Vec::new();
    }
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
