//! `runner doctor`: what this machine can enforce, found out by doing it.
//!
//! ```text
//! facts (what /proc and /sys say) ─┐
//! trial (a slot built, episodes run, in each tier) ─┴→ checks → report → text | json
//!                                                        ↑
//!                                            remedy: what failed → why → what to type
//! ```
//!
//! A trial is the code of a run: its pool, its slots, its episodes. Facts only explain a trial that failed; no
//! verdict rests on them. Exit status: 0 when a run with the same `--isolation` can be had, 3 when not.

mod checks;
mod facts;
mod json;
mod remedy;
mod report;
mod rlimits;
mod text;
mod trial;

use crate::config::DoctorConfig;
use crate::pool::{self, BuildError};
use crate::spec::policy::Tier;
use crate::sys::procfs;
use checks::Findings;
use facts::Facts;
use report::Report;

use crate::exit_status::ExitStatus;
pub(crate) use remedy::{Obstacle, of_scarce};
use std::io::{self, Write};
use std::process::ExitCode;
use tokio::task::LocalSet;
use trial::{TrialError, Working};

/// Examines the machine and prints what was found on stdout.
pub(crate) fn run(config: DoctorConfig) -> ExitCode {
    let report = match examine(&config) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("runner: nothing can be tried on this machine: {error}");
            return ExitStatus::CantEnforce.into();
        }
    };
    let shown = if config.json {
        json::render(&report) + "\n"
    } else {
        text::render(&report)
    };
    // A reader that has gone (`| head`) still gets the status.
    let _ = io::stdout().write_all(shown.as_bytes());
    report.exit_status.into()
}

fn examine(config: &DoctorConfig) -> io::Result<Report> {
    pool::adopt_orphans()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let facts = Facts::read();
    let (namespaces, landlock) = LocalSet::new().block_on(&runtime, async {
        let namespaces = trial::attempt(Tier::Namespaces).await;
        (namespaces, trial::attempt(Tier::Landlock).await)
    });
    let tier = tier_of_a_run(config.tier, &namespaces, &landlock);
    let findings = Findings {
        facts: &facts,
        namespaces: &namespaces,
        landlock: &landlock,
        tier,
        slots: config.concurrency,
        processes: config.processes,
    };
    Ok(Report {
        isolation: config.tier,
        tier,
        exit_status: tier.map_or(ExitStatus::CantEnforce, |_| ExitStatus::Done),
        checks: findings.checks(),
    })
}

/// What a run would do.
fn tier_of_a_run(
    asked: Option<Tier>,
    namespaces: &Result<Working, TrialError>,
    landlock: &Result<Working, TrialError>,
) -> Option<Tier> {
    let tried = |tier| match tier {
        Tier::Namespaces => namespaces,
        Tier::Landlock => landlock,
    };
    let first = Tier::first(asked);
    match tried(first) {
        Ok(_) => Some(first),
        Err(fault) if fault.is_refusal() => Tier::next(asked).filter(|next| tried(*next).is_ok()),
        Err(_) => None,
    }
}

/// Why no pool can be built here whose first slot failed like this, and what to do about it, where that is known and no matter
/// of the tier.
pub(crate) fn obstacle(tier: Tier, error: &BuildError) -> Option<Obstacle> {
    remedy::of_build(tier, error, &Facts::read())
}

/// /proc is not mounted, without which no slot can be started.
pub(crate) fn no_proc() -> Option<Obstacle> {
    (!procfs::is_mounted()).then(remedy::no_proc)
}

/// What to do about a tier that a run was refused.
pub(crate) fn remedy(tier: Tier, refused: BuildError) -> String {
    remedy::explain(tier, &TrialError::Build(refused), &Facts::read()).remedy
}
