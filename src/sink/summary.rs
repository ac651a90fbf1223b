//! The report as people read it, on stderr at the end of a run.

use super::report::{Percentiles, RunReport, Startup};
use indicatif::HumanCount;
use std::fmt::{self, Display};

impl Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.headline(f)?;
        self.verdicts(f)?;
        self.audit(f)?;
        self.latencies(f)?;
        write!(
            f,
            "\nrunner       peak memory {:.1} MB",
            self.runner.peak_memory_mb
        )?;
        if let Some(us) = self.runner_cpu_us_per_episode {
            write!(f, " · {us:.0} µs CPU per episode (start not counted)")?;
        }
        writeln!(f)
    }
}

impl RunReport {
    fn headline(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} in {} · {} per second",
            episodes(self.episodes),
            duration(self.wall_s),
            rate(self.episodes_per_s)
        )?;
        let before = self.already_done.total();
        if before > 0 {
            write!(f, " · {} already done before", HumanCount(before))?;
        }
        if self.interrupted {
            write!(f, " · interrupted, continue with --resume")?;
        }
        writeln!(f)
    }

    fn verdicts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.episodes == 0 {
            return Ok(());
        }
        writeln!(
            f,
            "\n{:<12} {:>10} {:>8}   fault",
            "status", "episodes", "share"
        )?;
        for (status, n) in self.status.iter().filter(|&(_, n)| n > 0) {
            let fault = status.fault().map_or(String::new(), |fault| {
                format!("   {fault:?}").to_lowercase()
            });
            let share = percent(n as f64 / self.episodes as f64);
            writeln!(
                f,
                "{:<12} {:>10} {share:>8}{fault}",
                status.name(),
                HumanCount(n).to_string()
            )?;
        }
        let faults: Vec<String> = ["program", "limit", "spec", "infra"]
            .iter()
            .filter_map(|name| Some((name, *self.fault.get(name)?)).filter(|&(_, n)| n > 0))
            .map(|(name, n)| format!("{name} {}", HumanCount(n)))
            .collect();
        if !faults.is_empty() {
            writeln!(f, "by fault     {}", faults.join(" · "))?;
        }
        if self.retried_episodes > 0 {
            writeln!(
                f,
                "retried      {} ({} extra attempts)",
                episodes(self.retried_episodes),
                HumanCount(self.extra_attempts)
            )?;
        }
        Ok(())
    }

    fn audit(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(audit) = &self.audit else {
            return Ok(());
        };
        writeln!(
            f,
            "audit        {} again (seed {}), {} with the same status",
            episodes(audit.episodes),
            audit.seed,
            HumanCount(audit.agree)
        )?;
        for flip in &audit.flips {
            let (first, second) = (flip.first.name(), flip.second.name());
            let share = percent(flip.episodes as f64 / audit.episodes as f64);
            let ids = flip.ids.join(", ");
            writeln!(
                f,
                "  {first}, then {second}: {} ({share}): {ids}",
                HumanCount(flip.episodes)
            )?;
        }
        Ok(())
    }

    fn latencies(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(all) = self.startup_ms else {
            return Ok(());
        };
        let target = format!("≤ {} ms", self.startup_target_ms);
        writeln!(
            f,
            "\n{:<12} {:>8} {:>8} {:>8} {:>8} {:>8}  {target:>8} {:>10}",
            "startup, ms", "p50", "p90", "p99", "p99.9", "max", "episodes"
        )?;
        if self.by_start.len() > 1 {
            startup(f, "all", &all)?;
        }
        for (name, start) in &self.by_start {
            startup(f, name, &start.startup_ms)?;
            let phases = &start.phases;
            row(f, "  dispatch", &phases.dispatch_ms)?;
            row(f, "  prepare", &phases.prepare_ms)?;
            row(f, "  handoff", &phases.handoff_ms)?;
            row(f, "  launch", &phases.launch_ms)?;
            row(f, "  clean", &phases.clean_ms)?;
        }
        self.queue_ms
            .map_or(Ok(()), |queue| row(f, "queue", &queue))
    }
}

fn startup(f: &mut fmt::Formatter<'_>, name: &str, startup: &Startup) -> fmt::Result {
    let share = percent(startup.within_target_share);
    let count = HumanCount(startup.percentiles.count).to_string();
    writeln!(
        f,
        "{}  {share:>8} {count:>10}",
        cells(name, &startup.percentiles)
    )
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, percentiles: &Percentiles) -> fmt::Result {
    writeln!(f, "{}", cells(name, percentiles))
}

fn cells(name: &str, p: &Percentiles) -> String {
    let [p50, p90, p99, p999, max] = [p.p50, p.p90, p.p99, p.p999, p.max].map(figure);
    format!("{name:<12} {p50:>8} {p90:>8} {p99:>8} {p999:>8} {max:>8}")
}

fn episodes(n: u64) -> String {
    format!("{} episode{}", HumanCount(n), if n == 1 { "" } else { "s" })
}

/// Milliseconds with about three digits: `0.043`, `1.25`, `18.3`, `2,431`.
pub(super) fn figure(ms: f64) -> String {
    match ms {
        ..0.9995 => format!("{ms:.3}"),
        ..9.995 => format!("{ms:.2}"),
        ..99.95 => format!("{ms:.1}"),
        _ => HumanCount(ms.round() as u64).to_string(),
    }
}

/// Episodes per second.
pub(super) fn rate(per_s: f64) -> String {
    if per_s < 99.95 {
        format!("{per_s:.1}")
    } else {
        HumanCount(per_s.round() as u64).to_string()
    }
}

/// `100 %` and `0 %` only when it is exactly that.
fn percent(share: f64) -> String {
    match share {
        1.0.. => "100 %".into(),
        ..=0.0 => "0 %".into(),
        _ => format!("{:.2} %", (share * 100.0).clamp(0.01, 99.99)),
    }
}

fn duration(s: f64) -> String {
    let whole = s.round() as u64;
    match whole {
        0..60 => format!("{s:.2} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Ending;
    use super::super::stats::Statistics;
    use super::super::testing::outcome;
    use super::*;
    use crate::spec::outcome::Status;
    use crate::spec::warm::Start;
    use std::time::Duration;

    fn report(warm: bool) -> RunReport {
        let mut statistics = Statistics::new(Duration::from_millis(5));
        for n in 0..2000 {
            let status = if n % 100 == 7 {
                Status::Timeout
            } else {
                Status::Ok
            };
            let mut outcome = outcome("a", status);
            if warm && n % 2 == 0 {
                outcome.verdict.start = Some(Start::WarmBash);
            }
            statistics.record(&outcome);
        }
        statistics.end();
        let mut report = RunReport::new(&statistics, &Ending::default());
        (report.wall_s, report.episodes_per_s) = (1.234, 1620.7);
        report
    }

    #[test]
    fn the_summary_shows_verdicts_and_startup() {
        let text = report(false).to_string();
        println!("{text}");
        assert!(
            text.starts_with("2,000 episodes in 1.23 s · 1,621 per second\n"),
            "{text}"
        );
        assert!(
            text.contains("\ntimeout              20   1.00 %   limit\n"),
            "{text}"
        );
        assert!(text.contains("\nby fault     limit 20\n"), "{text}");
        assert!(text.contains("≤ 5 ms"), "{text}");
        assert!(text.contains("\n  launch        0.210"), "{text}");
        assert!(
            text.lines()
                .all(|line| line.chars().count() <= 80 && line.trim_end() == line),
            "{text}"
        );
    }

    #[test]
    fn warm_and_cold_starts_have_their_own_rows_below_all() {
        let text = report(true).to_string();
        println!("{text}");
        let at = |name: &str| {
            text.find(&format!("\n{name} "))
                .unwrap_or_else(|| panic!("{name}: {text}"))
        };
        assert!(
            at("all") < at("exec") && at("exec") < at("warm-bash") && at("warm-bash") < at("queue")
        );
    }

    #[test]
    fn an_empty_run_has_a_summary_too() {
        let ending = Ending {
            interrupted: true,
            ..Ending::default()
        };
        let text = RunReport::new(&Statistics::new(Duration::ZERO), &ending).to_string();
        assert!(text.starts_with("0 episodes in 0.00 s"), "{text}");
        assert!(
            text.contains("interrupted, continue with --resume"),
            "{text}"
        );
    }

    #[test]
    fn figures_keep_three_digits_and_shares_do_not_round_to_all() {
        assert_eq!(
            [0.0431, 1.25, 18.34, 2431.0].map(figure),
            ["0.043", "1.25", "18.3", "2,431"]
        );
        assert_eq!(
            [1.0, 0.999999, 0.5, 0.0].map(percent),
            ["100 %", "99.99 %", "50.00 %", "0 %"]
        );
        assert_eq!(
            [5.0, 61.0, 7384.0].map(duration),
            ["5.00 s", "1 min 01 s", "2 h 03 min"]
        );
    }
}
