//! The figures of a run in the form in which they are reported: what `--stats` writes as JSON and the
//! summary prints. Units are in the names; 1 MB = 1,048,576 bytes.

use super::audit::AuditReport;
use super::counts::Counts;
use super::stats::{StartStatistics, Statistics};
use super::usage::Usage;
use crate::spec::outcome::Fault;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

/// What the statistics alone can't know of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ending {
    /// Results that were in the output file before (`--resume`).
    pub already_done: Counts,
    /// Whether episodes were left to do.
    pub interrupted: bool,
}

/// The report of a run.
#[derive(Debug, Serialize)]
pub struct RunReport {
    /// Seconds since 1970-01-01 UTC.
    pub started_unix_s: f64,
    pub wall_s: f64,
    /// True when the run was stopped before every episode had a result.
    pub interrupted: bool,
    /// Results of this run.
    pub episodes: u64,
    pub episodes_per_s: f64,
    /// By status.
    pub status: Counts,
    /// By whose doing it was; `none` is `ok`.
    pub fault: BTreeMap<&'static str, u64>,
    /// Results found in the output file by `--resume`, by status; not part of `episodes`.
    pub already_done: Counts,
    /// Episodes that took more than one attempt.
    pub retried_episodes: u64,
    /// Attempts beyond each episode's first.
    pub extra_attempts: u64,
    /// What second runs came to; null without `--audit`.
    pub audit: Option<AuditReport>,
    pub startup_target_ms: f64,
    /// Startup of all episodes that ran; null when none did.
    pub startup_ms: Option<Startup>,
    /// Waits for a slot, which startup does not include; null when nothing ran.
    pub queue_ms: Option<Percentiles>,
    /// By how the program was started: `exec` (cold), `warm-bash`, `warm-python`.
    pub by_start: BTreeMap<&'static str, StartReport>,
    /// The runner's own process, without its slots.
    pub runner: Usage,
    /// CPU time of the runner's own process per result, in microseconds, from the first episode to the last: what starting and
    /// ending the pool cost is in `runner` alone. Null without results.
    pub runner_cpu_us_per_episode: Option<f64>,
}

/// A distribution, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    pub count: u64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// Startup, and how much of it was within the target.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Startup {
    #[serde(flatten)]
    pub percentiles: Percentiles,
    /// From 0 to 1.
    pub within_target_share: f64,
}

/// One way of starting.
#[derive(Clone, Debug, Serialize)]
pub struct StartReport {
    pub startup_ms: Startup,
    pub phases: PhaseReport,
}

/// Where the time of a startup goes; `clean` comes after the program has ended.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseReport {
    pub dispatch_ms: Percentiles,
    pub prepare_ms: Percentiles,
    pub handoff_ms: Percentiles,
    pub launch_ms: Percentiles,
    pub clean_ms: Percentiles,
}

impl RunReport {
    /// The report of a run that has ended (or of the part until now).
    pub fn new(statistics: &Statistics, ending: &Ending) -> Self {
        let counts = *statistics.counts();
        let wall_s = statistics.wall().as_secs_f64();
        let episodes = counts.total();
        let runner = Usage::now();
        let faults = [
            ("none", None),
            ("program", Some(Fault::Program)),
            ("limit", Some(Fault::Limit)),
            ("spec", Some(Fault::Spec)),
            ("infra", Some(Fault::Infra)),
        ];
        RunReport {
            started_unix_s: statistics
                .started_at()
                .duration_since(UNIX_EPOCH)
                .map_or(0.0, |d| d.as_secs_f64()),
            wall_s,
            interrupted: ending.interrupted,
            episodes,
            episodes_per_s: episodes as f64 / wall_s.max(1e-9),
            status: counts,
            fault: faults
                .into_iter()
                .map(|(name, fault)| (name, counts.of_fault(fault)))
                .collect(),
            already_done: ending.already_done,
            retried_episodes: statistics.retried(),
            extra_attempts: statistics.extra_attempts(),
            audit: statistics.audit().cloned(),
            startup_target_ms: statistics.target().as_secs_f64() * 1e3,
            startup_ms: startup(statistics.startup(), statistics.within_target()),
            queue_ms: percentiles(statistics.queue()),
            by_start: statistics
                .by_start()
                .filter_map(|(name, own)| Some((name, of_start(own)?)))
                .collect(),
            runner,
            runner_cpu_us_per_episode: (episodes > 0)
                .then(|| statistics.cpu_s() * 1e6 / episodes as f64),
        }
    }
}

fn of_start(own: &StartStatistics) -> Option<StartReport> {
    let [dispatch, prepare, handoff, launch, clean] = &own.phases;
    Some(StartReport {
        startup_ms: startup(&own.startup, own.within_target)?,
        phases: PhaseReport {
            dispatch_ms: percentiles(dispatch)?,
            prepare_ms: percentiles(prepare)?,
            handoff_ms: percentiles(handoff)?,
            launch_ms: percentiles(launch)?,
            clean_ms: percentiles(clean)?,
        },
    })
}

fn startup(histogram: &Histogram<u64>, within: u64) -> Option<Startup> {
    let percentiles = percentiles(histogram)?;
    Some(Startup {
        percentiles,
        within_target_share: within as f64 / percentiles.count as f64,
    })
}

/// `None` for an empty histogram: 0 would be a claim.
pub(super) fn percentiles(histogram: &Histogram<u64>) -> Option<Percentiles> {
    let at = |quantile| milliseconds(histogram.value_at_quantile(quantile));
    (!histogram.is_empty()).then(|| Percentiles {
        count: histogram.len(),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: milliseconds(histogram.max()),
    })
}

fn milliseconds(ns: u64) -> f64 {
    ns as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::super::testing::outcome;
    use super::*;
    use crate::spec::outcome::Status;
    use std::time::Duration;

    #[test]
    fn the_report_adds_up() {
        let mut statistics = Statistics::new(Duration::from_millis(5));
        for status in [Status::Ok, Status::Ok, Status::Timeout, Status::Invalid] {
            statistics.record(&outcome("a", status));
        }
        statistics.end();
        let report = serde_json::to_value(RunReport::new(&statistics, &Ending::default())).unwrap();
        assert_eq!(report["episodes"], 4);
        assert_eq!(report["status"]["ok"], 2);
        assert_eq!(
            report["fault"],
            serde_json::json!({"none": 2, "program": 0, "limit": 1, "spec": 1, "infra": 0})
        );
        assert_eq!(report["startup_ms"]["count"], 3);
        assert_eq!(report["startup_ms"]["within_target_share"], 1.0);
        let launch = report["by_start"]["exec"]["phases"]["launch_ms"]["p99"]
            .as_f64()
            .unwrap();
        assert!((launch - 0.21).abs() < 0.001, "{launch}");
    }

    #[test]
    fn what_was_used_before_the_first_episode_and_after_the_last_is_no_cost_of_an_episode() {
        let use_some = || {
            let begin_s = Usage::now().cpu_s;
            while Usage::now().cpu_s < begin_s + 0.02 {}
        };
        use_some();
        let mut statistics = Statistics::new(Duration::from_millis(5));
        statistics.record(&outcome("a", Status::Ok));
        statistics.end();
        use_some();
        let report = RunReport::new(&statistics, &Ending::default());
        let of_episode_s = report.runner_cpu_us_per_episode.unwrap() / 1e6;
        assert!(of_episode_s <= report.runner.cpu_s - 0.039, "{report:?}");
    }

    #[test]
    fn a_run_without_episodes_has_no_percentiles() {
        let report = RunReport::new(&Statistics::new(Duration::ZERO), &Ending::default());
        assert!(
            report.startup_ms.is_none() && report.queue_ms.is_none() && report.by_start.is_empty()
        );
        assert!(serde_json::to_value(&report).unwrap()["startup_ms"].is_null());
    }
}
