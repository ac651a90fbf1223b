//! The main job, from a configuration to an exit status: input, output, pool, sweep, summary.

mod earlier;

use self::earlier::Before;
use crate::config::Config;
use crate::exit_status::ExitStatus;
use crate::pool::{self, Pool, Trace, TraceError, WARM_UP_TIMEOUT};
use crate::provision::{self, ProvisionError, Wanted};
use crate::schedule::stop::StopSignals;
use crate::schedule::{Sample, Settings, Sweep, SweepEnd};
use crate::sink::{
    Counts, Destination, Ending, OpenError, Opened, Progress, RunReport, Sink, SinkError,
    Statistics, StatsFile, StatsFileError,
};
use crate::source::{self, Counters, Jobs, SourceConfig, StrictError};
use crate::spec::outcome::Status;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::task::LocalSet;

/// How long running episodes may go on after the first Ctrl-C.
const GRACE: Duration = Duration::from_secs(5);
/// With --ordered, how many episodes per slot may be ahead of the slowest.
const WINDOW_PER_SLOT: usize = 64;

/// What keeps a run from starting, with its exit status.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Jobs(#[from] source::OpenError),
    #[error(transparent)]
    Output(#[from] OpenError),
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error(transparent)]
    Stats(#[from] StatsFileError),
    #[error(transparent)]
    Trace(#[from] TraceError),
    #[error("{}", strict(.0))]
    Strict(#[from] StrictError),
    #[error(transparent)]
    Pool(#[from] ProvisionError),
    #[error("signals can't be handled: {0}")]
    System(#[from] std::io::Error),
}

impl StartError {
    fn exit_status(&self) -> ExitStatus {
        match self {
            StartError::Pool(error) => error.exit_status(),
            StartError::System(_) => ExitStatus::CantEnforce,
            StartError::Strict(StrictError::Invalid { .. }) => ExitStatus::Incomplete,
            _ => ExitStatus::Usage,
        }
    }
}

fn strict(error: &StrictError) -> String {
    match error {
        StrictError::Invalid { first, .. } => {
            let lines = first.iter().map(|line| format!("{line}\nrunner: "));
            lines.collect::<String>() + &error.to_string()
        }
        other => other.to_string(),
    }
}

/// Runs the job to its end.
pub(crate) fn run(config: Config) -> ExitCode {
    match start(config) {
        Ok(status) => status.into(),
        Err(error) => {
            eprintln!("runner: {error}");
            error.exit_status().into()
        }
    }
}

fn start(config: Config) -> Result<ExitStatus, StartError> {
    let jobs = source::open_all(&config.jobs)?;
    let mut input = SourceConfig {
        jobs,
        defaults: config.defaults.clone(),
        shard: config.shard,
        done: None,
        counters: Arc::new(Counters::default()),
    };
    if config.strict {
        source::check_all(&mut input)?;
    }
    let stats = config.stats.as_deref().map(StatsFile::create).transpose()?;
    let output = match &config.output {
        Some(path) => Output::File(earlier::hold(path, config.resume, &mut input)?),
        None => Output::Stdout(Destination::stdout()?),
    };
    // Not before: the output of another run, and its trace, are left alone.
    let trace = config.trace.as_deref();
    let trace = trace.map(|path| Trace::create(path, &config.files));
    let trace = trace.transpose()?;
    // The scheduler, the pool and the signals are one thread: nothing of theirs is ever contended.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, sweep(config, input, output, stats, trace))
}

async fn sweep(
    config: Config,
    input: SourceConfig,
    output: Output,
    stats: Option<StatsFile>,
    trace: Option<Trace>,
) -> Result<ExitStatus, StartError> {
    let mut stop = StopSignals::listen()?;
    pool::adopt_orphans().map_err(std::io::Error::from)?;
    provision::raise_open_files();
    let progress = Progress::new(config.progress);
    let pool = pool(&config, &input, &progress).await?;
    if let Some(trace) = trace {
        pool.trace_to(trace);
    }
    if config.warm_wait && !warmed(&pool, &mut stop, &progress).await {
        pool.shut_down().await;
        return Ok(ExitStatus::Interrupted);
    }
    let counters = input.counters.clone();
    let opened = open(output, &config, &counters, &progress)?;
    let mut kept = opened.kept;
    let is_stream = input.jobs.iter().any(Jobs::is_stream);
    let sink = Sink::start(opened.destination)?;
    let mut statistics = Statistics::new(config.startup_target);
    let settings = settings(&config);
    if let Some(sample) = settings.audit {
        statistics.expect_audit(sample.seed);
    }
    let expected = count_ahead(&input, &progress);
    let work = Sweep {
        executor: Rc::new(pool.clone()),
        settings,
        source: source::start(input),
        counters: counters.clone(),
        expected,
        sink: &sink,
        statistics: &mut statistics,
        progress: &progress,
        stop: &mut stop,
    };
    let end = work.run().await;
    statistics.end();
    if let Some(error) = pool.trace_failure() {
        progress.println(format!("runner: {error}"));
    }
    pool.shut_down().await;
    let written = finish(sink, &mut stop).await;
    progress.finish();
    if is_stream {
        kept.remove(&changed_meanwhile(&config, &counters));
    }

    let ending = Ending {
        already_done: kept,
        interrupted: end.interrupted,
    };
    report(&statistics, &ending, stats);
    if counters.lines.load(Relaxed) == 0 && end.source_error.is_none() && !end.interrupted {
        eprintln!(
            "runner: the jobs files hold no episodes; write one JSON object per line into them"
        );
    }
    let counts = statistics.counts();
    let bad =
        counts.get(Status::Invalid) + counts.get(Status::InfraError) + kept.get(Status::Invalid);
    Ok(status(&end, written, bad))
}

/// The pool, in the tier that was asked for or the best there is.
async fn pool(
    config: &Config,
    input: &SourceConfig,
    progress: &Progress,
) -> Result<Pool, ProvisionError> {
    let slots = slots(input, config.concurrency);
    let wanted = Wanted {
        tier: config.tier,
        warm: &config.warm,
        warm_episodes: config.warm_episodes,
        slots,
        spare: slots,
        open_root: false,
        defaults: &config.defaults,
    };
    let (pool, _) = provision::build(&wanted, |note| progress.println(note)).await?;
    Ok(pool)
}

/// Waits until the pool is warm; whether the run is to go on.
async fn warmed(pool: &Pool, stop: &mut StopSignals, progress: &Progress) -> bool {
    let warm = tokio::select! {
        warm = pool.warm_up() => warm,
        () = stop.next() => return false,
    };
    if !warm {
        progress.println(format!(
            "runner: not everything is warm after {} s; the run begins without",
            WARM_UP_TIMEOUT.as_secs()
        ));
    }
    true
}

/// Where results go, before it is known that the run can start.
enum Output {
    File(Before),
    Stdout(Destination),
}

/// Makes the output ready, and tells people what that removes from it: of changed lines before, of the rest when it is known.
fn open(
    output: Output,
    config: &Config,
    counters: &Counters,
    progress: &Progress,
) -> Result<Opened, OpenError> {
    let tell = |note: String| progress.println(format!("runner: {note}"));
    let before = match output {
        Output::File(before) => before,
        Output::Stdout(destination) => return Ok(Opened::fresh(destination)),
    };
    earlier::note(&counters.changed).into_iter().for_each(tell);
    let (opened, gone) = before.open(&counters.changed)?;
    let rest = notes(&opened, config).into_iter();
    rest.chain(earlier::note_gone(gone)).for_each(tell);
    Ok(opened)
}

/// The verdicts that a stream has made outdated; they are removed now that the new ones are written.
fn changed_meanwhile(config: &Config, counters: &Counters) -> Counts {
    let (Some(path), Some(note)) = (&config.output, earlier::note(&counters.changed)) else {
        return Counts::default();
    };
    eprintln!("runner: {note}");
    earlier::drop_outdated(path, &counters.changed).unwrap_or_else(|error| {
        eprintln!("runner: of each of their ids, the last verdict counts; the others were not removed: {error}");
        Counts::default()
    })
}

fn settings(config: &Config) -> Settings {
    Settings {
        concurrency: config.concurrency,
        retries: config.retries,
        window: config
            .ordered
            .then_some(WINDOW_PER_SLOT * config.concurrency),
        grace: GRACE,
        audit: config.audit.map(|share| Sample {
            share,
            seed: fastrand::u64(..),
        }),
    }
}

/// The summary for people, and the figures for `--stats`.
fn report(statistics: &Statistics, ending: &Ending, stats: Option<StatsFile>) {
    let report = RunReport::new(statistics, ending);
    eprint!("{report}");
    if let Some(stats) = stats
        && let Err(error) = stats.write(&report, statistics)
    {
        eprintln!("runner: {error}");
    }
}

/// Reports what went wrong, the gravest last, and turns it into the exit status.
fn status(
    end: &SweepEnd,
    written: Result<crate::sink::Written, SinkError>,
    bad: u64,
) -> ExitStatus {
    if end.given_up > 0 {
        eprintln!(
            "runner: running episodes ({}) were given up without a result",
            end.given_up
        );
    }
    if let Some(error) = &end.source_error {
        eprintln!("runner: {error}");
    }
    if let Err(error) = &written {
        eprintln!("runner: {error}");
    }
    match () {
        () if end.interrupted || written.is_err() => ExitStatus::Interrupted,
        () if end.source_error.is_some() => ExitStatus::Usage,
        () if bad > 0 => ExitStatus::Incomplete,
        () => ExitStatus::Done,
    }
}

fn notes(opened: &Opened, config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    let shown = config
        .output
        .as_deref()
        .map(|p| p.display().to_string())
        .unwrap_or_default();
    if opened.repaired_bytes > 0 && !opened.repaired_frame {
        notes.push(format!(
            "{shown}: cut off a torn last line of {} bytes",
            opened.repaired_bytes
        ));
    }
    if opened.repaired_frame {
        notes.push(format!("{shown}: cut off a torn end"));
    }
    if opened.dropped_infra > 0 {
        notes.push(format!(
            "{shown}: {} infra_error results are run again",
            opened.dropped_infra
        ));
    }
    if !opened.locked {
        notes.push(format!(
            "{shown} is on a file system without locks; let no second runner write to it"
        ));
    }
    notes
}

/// As many as may run at once, and no more than there are episodes: each takes some 30 ms to build.
fn slots(input: &SourceConfig, concurrency: usize) -> usize {
    let episodes = source::count_until(&input.jobs, concurrency as u64);
    episodes.map_or(concurrency, |episodes| (episodes as usize).max(1))
}

/// Counts the episodes beside the work, when somebody is watching.
fn count_ahead(input: &SourceConfig, progress: &Progress) -> Arc<OnceLock<u64>> {
    let expected = Arc::new(OnceLock::new());
    if progress.is_shown() {
        let (jobs, shard, result) = (input.jobs.clone(), input.shard, expected.clone());
        let count = move || {
            if let Some(total) = source::count_lines(&jobs) {
                let _ = result.set(shard.map_or(total, |shard| shard.share_of(total)));
            }
        };
        // Without the thread the bar has no end, and that is all.
        let _ = std::thread::Builder::new()
            .name("count".into())
            .spawn(count);
    }
    expected
}

/// Waits until everything is written. A reader that does not read is given up at the next signal.
async fn finish(sink: Sink, stop: &mut StopSignals) -> Result<crate::sink::Written, SinkError> {
    let abandoner = sink.abandoner();
    let finishing = sink.finish();
    tokio::pin!(finishing);
    loop {
        tokio::select! {
            written = &mut finishing => return written,
            () = stop.next() => abandoner.abandon(),
        }
    }
}
