//! The runner's own cost: from a line to its result with everything between but the sandbox.

use crate::common::answer::execution;
use runner::schedule::executor::{Executor, NotRun};
use runner::schedule::stop::StopSignals;
use runner::schedule::{Settings, Sweep};
use runner::sink::{Progress, ProgressMode, Sink, Statistics, open_output};
use runner::source::{self, Counters, SourceConfig};
use runner::spec::episode::Episode;
use runner::spec::execution::Execution;
use runner::spec::parse::Defaults;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::task::LocalSet;

const COUNTS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const OWN: &str = "--own-cost-of";

/// The count to measure in this process, if it was started for that.
pub fn asked() -> Option<usize> {
    let mut args = std::env::args().skip_while(|arg| arg != OWN);
    args.nth(1).and_then(|count| count.parse().ok())
}

pub fn report() {
    println!("episodes: the runner's own cost, with an executor that does nothing\n");
    println!("| episodes | per s | us of CPU each | peak memory MB |\n|---:|---:|---:|---:|");
    for count in COUNTS {
        let this = std::env::current_exe().expect("this program");
        let status = Command::new(this).args([OWN, &count.to_string()]).status();
        assert!(status.expect("it starts").success());
    }
    println!();
}

/// Answers at once what a slot would.
struct Nothing;

impl Executor for Nothing {
    async fn execute(&self, _: &Episode, _: Option<u64>) -> Result<Execution, NotRun> {
        // A slot's answer comes through the event loop.
        tokio::task::yield_now().await;
        Ok(execution(100))
    }
}

/// Runs so many and prints one row.
pub fn measure(count: usize) {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let jobs = scratch.path().join("jobs.jsonl");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&jobs).expect("create"));
    for i in 0..count {
        writeln!(file, "{{\"id\":\"e{i}\",\"argv\":[\"/bin/true\"]}}").expect("write");
    }
    drop(file);
    let begin = Instant::now();
    let before = cpu();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    LocalSet::new().block_on(
        &runtime,
        sweep(&jobs, &scratch.path().join("results.jsonl")),
    );
    let (wall, used) = (begin.elapsed(), cpu() - before);
    println!(
        "| {count} | {:.0} | {:.1} | {:.0} |",
        count as f64 / wall.as_secs_f64(),
        used.as_secs_f64() * 1e6 / count as f64,
        peak_mb()
    );
}

async fn sweep(jobs: &Path, results: &Path) {
    let input = SourceConfig {
        jobs: source::open_all(&[jobs.to_owned()]).expect("jobs"),
        defaults: Arc::new(Defaults::default()),
        shard: None,
        done: None,
        counters: Arc::new(Counters::default()),
    };
    let sink =
        Sink::start(open_output(results, false).expect("a file").destination).expect("a sink");
    let (mut stop, progress) = (
        StopSignals::listen().expect("signals"),
        Progress::new(ProgressMode::Never),
    );
    let mut statistics = Statistics::new(Duration::from_millis(5));
    let work = Sweep {
        executor: Rc::new(Nothing),
        settings: Settings {
            concurrency: 64,
            retries: 0,
            window: None,
            grace: Duration::ZERO,
            audit: None,
        },
        counters: input.counters.clone(),
        source: source::start(input),
        expected: Arc::new(OnceLock::new()),
        sink: &sink,
        statistics: &mut statistics,
        progress: &progress,
        stop: &mut stop,
    };
    let end = work.run().await;
    assert!(!end.interrupted && end.source_error.is_none());
    sink.finish().await.expect("written");
}

fn cpu() -> Duration {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF);
    let usage = usage.expect("getrusage");
    let micros = |t: nix::sys::time::TimeVal| t.tv_sec() as u64 * 1_000_000 + t.tv_usec() as u64;
    Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time()))
}

fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb: f64 = peak
        .expect("VmHWM")
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("kB");
    kb / 1024.0
}
