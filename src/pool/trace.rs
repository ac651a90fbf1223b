//! `--trace`: a line for each attempt to run an episode, with what it took and what became of it.

use crate::spec::episode::Episode;
use crate::spec::execution::{End, Execution, StepExecution, Unclean};
use crate::spec::warm::Start;
use crate::sys::clock::monotonic_ns;
use serde::Serialize;
use std::cell::RefCell;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, LineWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the lines go.
pub struct Trace {
    file: RefCell<LineWriter<File>>,
    /// Why some of it is missing.
    failure: RefCell<Option<TraceError>>,
    path: PathBuf,
}

/// One attempt. Times are in milliseconds since it was handed to its slot, unless said otherwise.
#[derive(Serialize)]
struct Attempt<'a> {
    id: &'a str,
    /// When this was written, in seconds since 1970.
    at_s: f64,
    #[serde(flatten)]
    slot: Option<UsedSlot>,
    /// How long it waited for its slot.
    waited_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    received_ms: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<TracedStep<'a>>,
    /// When the sandbox was clean again, or found not to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    cleaned_ms: Option<f64>,
    /// What was found that is not as it was before; the slot is given up then.
    #[serde(skip_serializing_if = "Option::is_none")]
    unclean: Option<&'a Unclean>,
    /// Why there are no steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// How an attempt came to its slot. Times are CLOCK_MONOTONIC.
pub struct Handed {
    /// When it began to wait.
    pub accepted_ns: u64,
    /// When it was handed over; 0 where it never was.
    pub handed_ns: u64,
    pub slot: Option<UsedSlot>,
}

impl Handed {
    fn waited_ns(&self) -> u64 {
        let until_ns = match self.handed_ns {
            0 => monotonic_ns(),
            handed_ns => handed_ns,
        };
        until_ns.saturating_sub(self.accepted_ns)
    }
}

/// The slot that an attempt was made in.
#[derive(Clone, Copy, Serialize)]
pub struct UsedSlot {
    #[serde(rename = "slot")]
    pub number: u32,
    /// Of its zygote.
    pub pid: i32,
}

#[derive(Serialize)]
struct TracedStep<'a> {
    start: Start,
    /// When working directory, files and pipes were ready, when the zygote began to fork, when the program ran, and when it
    /// had ended. The program did not run where two of them are missing.
    prepared_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    forked_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    running_ms: Option<f64>,
    ended_ms: f64,
    /// For how long, by estimate, the host kept it from running.
    stalled_ms: f64,
    end: &'a End,
}

#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    #[error("cannot write the trace to {}: {error}; choose another file with --trace", path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error("--trace {} is {} too; choose another file", path.display(), other.display())]
    Same { path: PathBuf, other: PathBuf },
}

impl Trace {
    /// A new file, in place of one that is there, unless that is one of `others`, which the run reads or writes.
    pub fn create(path: &Path, others: &[PathBuf]) -> Result<Trace, TraceError> {
        let failed = |error| TraceError::Write {
            path: path.to_owned(),
            error,
        };
        let options = OpenOptions::new().append(true).create(true).to_owned();
        let file = options.open(path).map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        if meta.is_file() {
            let is_it = |other: &&PathBuf| {
                let other = other.metadata();
                other.is_ok_and(|other| (other.dev(), other.ino()) == (meta.dev(), meta.ino()))
            };
            if let Some(other) = others.iter().find(is_it) {
                return Err(TraceError::Same {
                    path: path.to_owned(),
                    other: other.clone(),
                });
            }
            file.set_len(0).map_err(failed)?;
        }
        Ok(Trace {
            file: RefCell::new(LineWriter::new(file)),
            failure: RefCell::default(),
            path: path.to_owned(),
        })
    }

    /// Why some of it is missing, if it is.
    pub fn failure(&self) -> Option<TraceError> {
        self.failure.take()
    }

    /// Writes the line of an attempt.
    pub fn attempt(
        &self,
        episode: &Episode,
        handed: &Handed,
        ran: Result<&Execution, &dyn Display>,
    ) {
        let since = |ns: u64| ms(ns.saturating_sub(handed.handed_ns));
        let facts = ran.ok();
        let steps = facts.map(|facts| facts.steps.iter());
        let line = Attempt {
            id: &episode.id,
            at_s: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0.0, |now| (now.as_secs_f64() * 1e6).round() / 1e6),
            slot: handed.slot,
            waited_ms: ms(handed.waited_ns()),
            received_ms: facts.map(|facts| since(facts.received_ns)),
            steps: steps
                .into_iter()
                .flatten()
                .map(|step| traced(step, since))
                .collect(),
            cleaned_ms: facts.map(|facts| since(facts.cleaned_ns)),
            unclean: facts.and_then(|facts| facts.unclean.as_ref()),
            error: ran.err().map(<dyn Display>::to_string),
        };
        if let Err(error) = self.write(&line) {
            self.failure.borrow_mut().get_or_insert(TraceError::Write {
                path: self.path.clone(),
                error,
            });
        }
    }

    fn write(&self, line: &Attempt<'_>) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.borrow_mut().write_all(&text)
    }
}

fn traced(step: &StepExecution, since: impl Fn(u64) -> f64) -> TracedStep<'_> {
    let when = |ns: u64| (ns != 0).then(|| since(ns));
    TracedStep {
        start: step.start,
        prepared_ms: since(step.prepared_ns),
        forked_ms: when(step.forked_ns),
        running_ms: when(step.running_ns),
        ended_ms: since(step.ended_ns),
        stalled_ms: ms(step.stalled_ns),
        end: &step.end,
    }
}

fn ms(ns: u64) -> f64 {
    (ns as f64 / 1e3).round() / 1e3
}
