//! Figures of a run, kept by the scheduler: one call per outcome, without allocation.
//!
//! Latencies are recorded in nanoseconds with three significant digits. Cold starts (`exec`) and warm
//! ones are kept apart, because they differ by an order of magnitude and a mixture explains neither.

use super::audit::AuditReport;
use super::counts::Counts;
use super::usage;
use crate::spec::outcome::{ExecOutcome, Outcome, Phases, Verdict};
use crate::spec::warm::Start;
use hdrhistogram::Histogram;
use std::time::{Duration, Instant, SystemTime};

/// The phases, in the order in which they happen. All but the last make up startup.
pub(super) const PHASES: [&str; 5] = ["dispatch", "prepare", "handoff", "launch", "clean"];

/// Everything that is known about a run so far.
#[derive(Debug)]
pub struct Statistics {
    started: Instant,
    started_at: SystemTime,
    ended: Option<Instant>,
    /// CPU time of this process when the clock was started, and when it was stopped, in seconds.
    cpu_s: (f64, Option<f64>),
    target_ns: u64,
    counts: Counts,
    retried: u64,
    extra_attempts: u64,
    startup: Histogram<u64>,
    within_target: u64,
    queue: Histogram<u64>,
    by_start: [Option<Box<StartStatistics>>; Start::ALL.len()],
    audit: Option<AuditReport>,
}

/// Startup of the episodes that were started in one way.
#[derive(Debug)]
pub(super) struct StartStatistics {
    pub startup: Histogram<u64>,
    pub within_target: u64,
    /// As in `PHASES`.
    pub phases: [Histogram<u64>; PHASES.len()],
}

/// 1 ns to 60 s with three digits in about 200 KB, of which only touched pages are resident.
fn histogram() -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("constant bounds");
    histogram.auto(true);
    histogram
}

fn record(histogram: &mut Histogram<u64>, ns: u64) {
    // Can only fail for what not even a resized histogram holds.
    let _ = histogram.record(ns);
}

impl StartStatistics {
    fn new() -> Box<Self> {
        Box::new(StartStatistics {
            startup: histogram(),
            within_target: 0,
            phases: std::array::from_fn(|_| histogram()),
        })
    }
}

impl Statistics {
    /// Starts the clock. `target` is what startup is held against (`--startup-target-ms`).
    pub fn new(target: Duration) -> Self {
        Statistics {
            started: Instant::now(),
            started_at: SystemTime::now(),
            ended: None,
            cpu_s: (usage::cpu_s(), None),
            target_ns: target.as_nanos() as u64,
            counts: Counts::default(),
            retried: 0,
            extra_attempts: 0,
            startup: histogram(),
            within_target: 0,
            queue: histogram(),
            by_start: Default::default(),
            audit: None,
        }
    }

    /// From now on second runs count too, of episodes that this seed has chosen.
    pub fn expect_audit(&mut self, seed: u64) {
        self.audit = Some(AuditReport::new(seed));
    }

    /// Takes in one result. Allocates only at the first of a kind of start.
    pub fn record(&mut self, outcome: &Outcome) {
        self.count_verdict(&outcome.verdict, outcome.queue_ms, outcome.phases);
        self.retried += u64::from(outcome.attempts > 1);
        self.extra_attempts += u64::from(outcome.attempts.saturating_sub(1));
        if let Some(audit) = &mut self.audit {
            audit.record(outcome);
        }
    }

    /// Takes in the result of one execution of a session.
    pub fn record_exec(&mut self, outcome: &ExecOutcome) {
        self.count_verdict(&outcome.verdict, outcome.queue_ms, outcome.phases);
    }

    fn count_verdict(&mut self, verdict: &Verdict, queue_ms: f64, phases: Option<Phases>) {
        self.counts.add(verdict.status);
        let (Some(phases), Some(start)) = (phases, verdict.start) else {
            return;
        };
        record(&mut self.queue, (queue_ms * 1e6) as u64);
        self.record_startup(start, phases);
    }

    fn record_startup(&mut self, start: Start, phases: Phases) {
        let within = u64::from(phases.total <= self.target_ns);
        record(&mut self.startup, phases.total);
        self.within_target += within;
        let index = Start::ALL.iter().position(|other| *other == start);
        let own =
            self.by_start[index.expect("all are there")].get_or_insert_with(StartStatistics::new);
        record(&mut own.startup, phases.total);
        own.within_target += within;
        let Phases {
            dispatch,
            prepare,
            handoff,
            launch,
            clean,
            total: _,
        } = phases;
        for (histogram, ns) in own
            .phases
            .iter_mut()
            .zip([dispatch, prepare, handoff, launch, clean])
        {
            record(histogram, ns);
        }
    }

    /// Stops the clock; later calls change nothing.
    pub fn end(&mut self) {
        self.ended.get_or_insert_with(Instant::now);
        self.cpu_s.1.get_or_insert_with(usage::cpu_s);
    }

    /// Time since the start, up to the end when there was one.
    pub fn wall(&self) -> Duration {
        self.ended.unwrap_or_else(Instant::now) - self.started
    }

    /// CPU time of this process since the start, up to the end when there was one, in seconds.
    pub fn cpu_s(&self) -> f64 {
        let (begin, end) = self.cpu_s;
        end.unwrap_or_else(usage::cpu_s) - begin
    }

    pub fn started_at(&self) -> SystemTime {
        self.started_at
    }

    pub fn target(&self) -> Duration {
        Duration::from_nanos(self.target_ns)
    }

    pub fn audit(&self) -> Option<&AuditReport> {
        self.audit.as_ref()
    }

    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Episodes that took more than one attempt.
    pub fn retried(&self) -> u64 {
        self.retried
    }

    /// Attempts beyond each episode's first.
    pub fn extra_attempts(&self) -> u64 {
        self.extra_attempts
    }

    /// Startup of every episode that ran, in nanoseconds.
    pub fn startup(&self) -> &Histogram<u64> {
        &self.startup
    }

    /// Waits for a slot, in nanoseconds.
    pub fn queue(&self) -> &Histogram<u64> {
        &self.queue
    }

    /// Episodes whose startup took no longer than the target.
    pub fn within_target(&self) -> u64 {
        self.within_target
    }

    /// The ways of starting that occurred, by the name they have in results.
    pub(super) fn by_start(&self) -> impl Iterator<Item = (&'static str, &StartStatistics)> {
        let all = Start::ALL.iter().zip(&self.by_start);
        all.filter_map(|(start, own)| Some((start.name(), own.as_deref()?)))
    }

    /// Every histogram with the tag it has in a log: `startup`, `queue`, `exec.startup`,
    /// `exec.launch`, …
    pub(super) fn tagged(&self) -> Vec<(String, &Histogram<u64>)> {
        let mut all = vec![
            ("startup".to_owned(), &self.startup),
            ("queue".to_owned(), &self.queue),
        ];
        for (name, own) in self.by_start() {
            all.push((format!("{name}.startup"), &own.startup));
            all.extend(
                PHASES
                    .iter()
                    .zip(&own.phases)
                    .map(|(phase, h)| (format!("{name}.{phase}"), h)),
            );
        }
        all.retain(|(_, histogram)| !histogram.is_empty());
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::outcome;
    use super::*;
    use crate::spec::outcome::Status;

    #[test]
    fn only_what_ran_has_a_startup() {
        let mut statistics = Statistics::new(Duration::from_millis(5));
        statistics.record(&outcome("a", Status::Ok));
        statistics.record(&outcome("b", Status::Invalid));
        assert_eq!(statistics.counts().total(), 2);
        assert_eq!(
            (statistics.startup().len(), statistics.queue().len()),
            (1, 1)
        );
        assert_eq!(statistics.startup().value_at_quantile(0.5) / 1000, 300);
    }

    #[test]
    fn cold_and_warm_starts_are_kept_apart() {
        let mut statistics = Statistics::new(Duration::from_micros(100));
        statistics.record(&outcome("cold", Status::Ok));
        let mut warm = outcome("warm", Status::Ok);
        warm.verdict.start = Some(Start::WarmPython);
        warm.phases.as_mut().unwrap().total = 50_000;
        statistics.record(&warm);
        let within: Vec<_> = statistics
            .by_start()
            .map(|(name, own)| (name, own.within_target))
            .collect();
        assert_eq!(within, [("exec", 0), ("warm-python", 1)]);
        assert_eq!(
            (statistics.startup().len(), statistics.within_target()),
            (2, 1)
        );
        assert_eq!(statistics.tagged().len(), 2 + 2 * 6);
    }

    #[test]
    fn attempts_beyond_the_first_are_counted() {
        let mut statistics = Statistics::new(Duration::ZERO);
        for attempts in [0, 1, 2, 3] {
            let mut outcome = outcome("a", Status::Ok);
            outcome.attempts = attempts;
            statistics.record(&outcome);
        }
        assert_eq!((statistics.retried(), statistics.extra_attempts()), (2, 3));
    }

    #[test]
    fn an_extreme_startup_is_recorded_too() {
        let mut statistics = Statistics::new(Duration::ZERO);
        let mut slow = outcome("slow", Status::Ok);
        slow.phases.as_mut().unwrap().total = 3_600_000_000_000;
        statistics.record(&slow);
        assert!(statistics.startup().max() >= 3_600_000_000_000);
    }
}
