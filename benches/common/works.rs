//! The rows of the table of warm interpreters.

use super::{argument, bare, humaneval, is_wanted};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// What is compared: the runner's jobs and options, and the rate of the same work without it.
pub struct Work {
    pub name: &'static str,
    pub jobs: PathBuf,
    pub options: Vec<String>,
    pub contestant: Box<dyn Fn() -> f64>,
}

/// The name of a row that can't be measured here, and why.
pub type Skipped = (&'static str, String);

/// One command: how often the runner runs it in a round, and how often the bare loop.
fn one(
    name: &'static str,
    argv: &[&str],
    counts: (usize, usize),
    scratch: &Path,
    concurrency: usize,
) -> Work {
    let episode = match argv {
        ["bash", "-lc", command] => json!({"command": command}),
        argv => json!({"argv": argv}),
    };
    let jobs = scratch.join(format!("{name}.jsonl").replace('/', "_"));
    fs::write(&jobs, format!("{episode}\n").repeat(counts.0)).expect("jobs are written");
    let argv: Vec<String> = argv.iter().map(|arg| (*arg).to_owned()).collect();
    let contestant = move || {
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        bare(&argv, counts.1, concurrency).rate
    };
    Work {
        name,
        jobs,
        options: Vec::new(),
        contestant: Box::new(contestant),
    }
}

/// `import numpy, pandas`, in an interpreter that episodes must be granted.
fn packages(name: &'static str, scratch: &Path, concurrency: usize) -> Result<Work, Skipped> {
    let python = humaneval::python().map_err(|why| (name, why))?;
    let root = python.parent().and_then(Path::parent).expect("bin/python3");
    let (path, root) = (python.display().to_string(), root.display().to_string());
    // Enough episodes for those that come before the parent is ready to weigh little.
    let argv = [path.as_str(), "-c", "import numpy, pandas"];
    let mut work = one(name, &argv, (2000, 16), scratch, concurrency);
    let warm = format!("bash,python={path}:numpy,pandas");
    work.options = ["--warm", &warm, "--fs-readable", &root]
        .map(String::from)
        .to_vec();
    Ok(work)
}

/// HumanEval against one of the ways of `humaneval.py`, which runs a `share`-th of the repetitions.
fn programs(
    name: &'static str,
    way: &'static str,
    python: Result<PathBuf, String>,
    share: usize,
    scratch: &Path,
    concurrency: usize,
) -> Result<Work, Skipped> {
    let repeat = argument("--repeat", 20);
    let python = python.map_err(|why| (name, why))?;
    let (jobs, fewer) = (scratch.join("humaneval.jsonl"), scratch.join(way));
    humaneval::write_jobs(repeat, &jobs).map_err(|why| (name, why))?;
    humaneval::write_jobs(repeat.div_ceil(share), &fewer).map_err(|why| (name, why))?;
    Ok(Work {
        name,
        jobs,
        options: Vec::new(),
        contestant: Box::new(move || humaneval::contestant(&python, way, &fewer, concurrency)),
    })
}

/// All rows, or those that `--only` names.
pub fn works(scratch: &Path, concurrency: usize) -> Vec<Result<Work, Skipped>> {
    let mut works = Vec::new();
    let typing = "import json, re, typing, dataclasses";
    // Python's parent takes some 0.1 s to be ready: enough episodes for that to weigh little.
    for (name, argv, ours, bare) in [
        ("bash -lc true", ["bash", "-lc", "true"], 4000, 2000),
        (
            "bash -lc 'ls / | wc -l'",
            ["bash", "-lc", "ls / | wc -l"],
            1000,
            1000,
        ),
        (
            "python3 -c 'print(1)'",
            ["python3", "-c", "print(1)"],
            4000,
            400,
        ),
        (
            "python3 -c 'import json, re, typing'",
            ["python3", "-c", typing],
            3000,
            200,
        ),
    ] {
        if is_wanted(name) {
            works.push(Ok(one(name, &argv, (ours, bare), scratch, concurrency)));
        }
    }
    let name = "python3 -c 'import numpy, pandas'";
    if is_wanted(name) {
        works.push(packages(name, scratch, concurrency));
    }
    let name = "humaneval: subprocess.run";
    if is_wanted(name) {
        let python = Ok(PathBuf::from("python3"));
        works.push(programs(
            name,
            "subprocess",
            python,
            5,
            scratch,
            concurrency,
        ));
    }
    let name = "humaneval: check_correctness";
    if is_wanted(name) {
        let python = humaneval::python();
        works.push(programs(
            name,
            "check_correctness",
            python,
            5,
            scratch,
            concurrency,
        ));
    }
    works
}
