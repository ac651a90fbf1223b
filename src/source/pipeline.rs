//! The one pass over all jobs files: parse in parallel, then number, name and filter in order.

use super::SourceConfig;
use super::identity::Identities;
use super::lines::{Line, Lines, MAX_LINE};
use super::open::OpenError;
use crate::spec::digest::{Asked, Digest};
use crate::spec::episode::{Echo, Episode, Origin};
use crate::spec::outcome::Outcome;
use crate::spec::parse::{FileContext, Invalid, default_id, id_of, parse};
use rayon::prelude::*;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, LazyLock};
use thiserror::Error;

/// The most items of one batch.
pub const BATCH: usize = 1024;

/// Fewer lines than this are not worth a second thread.
const MIN_PARALLEL: usize = 32;

/// Whether there is a thread for each core to parse with. Where processes are few the thread that reads does that too.
static WORKERS: LazyLock<bool> =
    LazyLock::new(|| rayon::ThreadPoolBuilder::new().build_global().is_ok());

/// One line of the jobs files: an episode to run, or the result that says why it is none.
#[derive(Debug)]
pub struct Item {
    /// 0-based over all jobs files and shards; blank lines are not counted.
    pub position: u64,
    pub work: Result<Box<Episode>, Box<Outcome>>,
}

/// Up to [`BATCH`] items in order, or what ended the source early.
pub type Batch = Result<Vec<Item>, SourceError>;

/// What ends the source before the end of its files. Everything before it was delivered.
#[derive(Debug, Error)]
pub enum SourceError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(
        "{file} cannot be read beyond line {line} ({cause}); the lines before are unaffected: \
         repair or fetch the file again, then go on with --resume"
    )]
    Read {
        file: Arc<str>,
        line: u64,
        cause: io::Error,
    },
    #[error("cannot start the thread that reads jobs files: {0}; raise the limit on processes")]
    Thread(io::Error),
}

/// What one line came to, before its id is known to be unique.
enum Parsed {
    /// With what it asks for, where it is an object at all; where it is not valid, only with `--resume`.
    Mine(Result<Box<Episode>, Box<Invalid>>, Option<Digest>),
    /// Of another shard: only its id counts.
    Others(Option<String>),
}

/// Reads everything and hands on batches in order, empty ones included, until told to stop. Returns the ids of what it read,
/// also those of other shards.
pub(super) fn run(
    config: &SourceConfig,
    mut deliver: impl FnMut(Vec<Item>) -> ControlFlow<()>,
) -> Result<Identities, SourceError> {
    let mut ids = Identities::new();
    let mut position = 0;
    let mut before = 0;
    for jobs in &config.jobs {
        let mut lines = Lines::new(jobs.open()?);
        let file = FileContext::new(jobs.name.clone(), &jobs.base_dir, config.defaults.clone());
        ids.begin_file(jobs.name.clone(), before);
        loop {
            let read = lines.count();
            let block = match lines.next_block() {
                Ok(Some(block)) => block,
                Ok(None) => break,
                Err(cause) => {
                    return Err(SourceError::Read {
                        file: jobs.name.clone(),
                        line: read,
                        cause,
                    });
                }
            };
            for group in block.lines.chunks(BATCH) {
                let parsed = parse_all(group, position, before, config, &file);
                let mut items = Vec::with_capacity(group.len());
                for (line, parsed) in group.iter().zip(parsed) {
                    let asked = match parsed {
                        Parsed::Mine(_, asked) => asked,
                        Parsed::Others(_) => None,
                    };
                    let work = settle(parsed, line.number, before, &file, &mut ids);
                    let origin = || file.origin(line.number);
                    items.extend(
                        work.filter(|work| !skip(config, work, asked, origin))
                            .map(|work| Item { position, work }),
                    );
                    position += 1;
                }
                config.counters.lines.fetch_add(group.len() as u64, Relaxed);
                if deliver(items).is_break() {
                    return Ok(ids);
                }
            }
        }
        before += lines.count();
    }
    Ok(ids)
}

fn parse_all(
    group: &[Line<'_>],
    first: u64,
    before: u64,
    config: &SourceConfig,
    file: &FileContext,
) -> Vec<Parsed> {
    let resumes = config.done.is_some();
    let parse_one = |(i, line): (usize, &Line<'_>)| {
        let mine = config.shard.is_none_or(|shard| shard.has(first + i as u64));
        match (line.bytes, mine) {
            (Some(bytes), true) => {
                let parsed = parse(bytes, line.number, before + line.number, file);
                with_digest(parsed, bytes, resumes)
            }
            (Some(bytes), false) => Parsed::Others(id_of(bytes)),
            (None, true) => with_digest(Err(too_long()), b"", resumes),
            (None, false) => Parsed::Others(None),
        }
    };
    if group.len() <= MIN_PARALLEL || !*WORKERS {
        return group.iter().enumerate().map(parse_one).collect();
    }
    group
        .par_iter()
        .enumerate()
        .with_min_len(MIN_PARALLEL)
        .map(parse_one)
        .collect()
}

/// The digest of a valid line is that of what it asks for. One that is not valid may be mended where that does not
/// count, so it goes by its bytes; what it asks for is of interest only where it may have been valid before.
fn with_digest(parsed: Result<Episode, Invalid>, bytes: &[u8], resumes: bool) -> Parsed {
    match parsed {
        Ok(mut episode) => {
            let asked = Digest::of_request(bytes);
            episode.echo.spec_digest = asked.or_else(|| Some(Digest::of_bytes(bytes)));
            Parsed::Mine(Ok(Box::new(episode)), asked)
        }
        Err(mut invalid) => {
            invalid.echo.spec_digest = Some(Digest::of_bytes(bytes));
            let asked = resumes.then(|| Digest::of_request(bytes)).flatten();
            Parsed::Mine(Err(Box::new(invalid)), asked)
        }
    }
}

fn too_long() -> Invalid {
    Invalid {
        id: None,
        echo: Echo::default(),
        message: format!(
            "the line is longer than {} MB; put large content into a file and name it with `host_path` in `files`",
            MAX_LINE >> 20
        ),
    }
}

/// Gives the line its id. `None` for a line of another shard.
fn settle(
    parsed: Parsed,
    line: u64,
    before: u64,
    file: &FileContext,
    ids: &mut Identities,
) -> Option<Result<Box<Episode>, Box<Outcome>>> {
    let n = before + line;
    match parsed {
        Parsed::Mine(Ok(episode), _) => Some(match ids.claim(&episode.id, n) {
            Ok(()) => Ok(episode),
            Err(place) => {
                let Episode { id, echo, .. } = *episode;
                let message =
                    format!("id {id:?} is already used on {place}; give each episode its own id");
                let other = ids.claim_other(&id, n);
                Err(Box::new(invalid(other, echo, message, line, file)))
            }
        }),
        Parsed::Mine(Err(flawed), _) => {
            let Invalid { id, echo, message } = *flawed;
            let id = claim_any(id, n, ids);
            Some(Err(Box::new(invalid(id, echo, message, line, file))))
        }
        Parsed::Others(id) => {
            claim_any(id, n, ids);
            None
        }
    }
}

fn claim_any(id: Option<String>, n: u64, ids: &mut Identities) -> String {
    let id = id.unwrap_or_else(|| default_id(n));
    match ids.claim(&id, n) {
        Ok(()) => id,
        Err(_) => ids.claim_other(&id, n),
    }
}

fn invalid(id: String, echo: Echo, message: String, line: u64, file: &FileContext) -> Outcome {
    Outcome::invalid(id, echo, format!("{}: {message}", file.origin(line)))
}

/// Whether this has a verdict on what it asks for.
fn skip(
    config: &SourceConfig,
    work: &Result<Box<Episode>, Box<Outcome>>,
    asked: Option<Digest>,
    origin: impl Fn() -> Origin,
) -> bool {
    let Some(done) = &config.done else {
        return false;
    };
    let (id, digest) = match work {
        Ok(episode) => (&episode.id, episode.echo.spec_digest),
        Err(outcome) => (&outcome.id, outcome.spec_digest),
    };
    match (done(id), digest) {
        (None, _) => return false,
        // What is not valid now may have been before, with the same text: a host_path was there.
        (Some(Asked::For(earlier)), Some(now)) if earlier != now && Some(earlier) != asked => {
            config.counters.changed.note(id, now, &origin());
            return false;
        }
        _ => {}
    }
    config.counters.skipped.fetch_add(1, Relaxed);
    true
}
