//! The report as one screen: at most 24 lines of at most 100 columns.

use super::report::{Report, State};
use crate::spec::policy::Tier;

const COLUMNS: usize = 100;
const LINES: usize = 24;

/// The report for people, with a line end after every line.
pub(super) fn render(report: &Report) -> String {
    let mut lines = Vec::new();
    let mut told = Vec::new();
    // Whatever is found, the verdict and every check have their line; what is left is for remedies.
    let mut room = LINES - 1 - report.checks.len();
    for check in &report.checks {
        let state = match check.state {
            State::Ok => "ok",
            State::Missing => "MISSING",
            State::Limited => "limited",
        };
        let name = check.name.replace('_', " ");
        lines.push(format!("{state:8} {name:19} {}", check.value));
        if let Some(remedy) = &check.remedy
            && !told.contains(&remedy)
            && room > 0
        {
            lines.push(format!("      -> {remedy}"));
            told.push(remedy);
            room -= 1;
        }
    }
    let asked = report.isolation.map_or("auto", Tier::name);
    lines.push(match report.tier {
        Some(tier) => format!(
            "A run with --isolation {asked} would use the {} tier.",
            tier.name()
        ),
        None => format!("A run with --isolation {asked} can't be had on this machine."),
    });
    lines.iter().map(|line| clip(line) + "\n").collect()
}

fn clip(line: &str) -> String {
    // A path of the machine may hold anything; nothing of it may move the cursor.
    let plain = |c: char| if c.is_control() { '?' } else { c };
    if line.chars().count() <= COLUMNS {
        return line.chars().map(plain).collect();
    }
    let kept = line.chars().take(COLUMNS - 1).map(plain);
    kept.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::super::report::Check;
    use super::*;
    use crate::exit_status::ExitStatus;

    #[test]
    fn the_worst_machine_still_fits_on_one_screen() {
        let check = |i| Check::missing("user_namespaces", "v\u{1b}é".repeat(99), format!("r{i}"));
        let report = Report {
            isolation: None,
            tier: None,
            exit_status: ExitStatus::CantEnforce,
            checks: (0..13).map(check).collect(),
        };
        let text = render(&report);
        assert_eq!(text.lines().count(), LINES);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS));
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
        assert!(text.lines().last().unwrap().contains("can't be had"));
    }
}
