//! From a line's raw fields to a valid episode: defaults, ranges, which fields go together.

use super::program::{env, files, no_nul, program, stdin};
use super::raw::{Few, Object, RawEpisode, RawResources, RawStep, Whole};
use super::{Defaults, FileContext, Flaw, default_id, host, quoted};
use crate::spec::episode::{
    Capture, DEFAULT_WORKDIR, Echo, Episode, InputFile, OnFailure, OutputKeep, Program, Step,
};
use crate::spec::limits::{KB, Limits, MAX_PROCESSES, MB, stack_allowed};
use crate::spec::paths;
use globset::GlobBuilder;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The longest id, in bytes.
const MAX_ID: usize = 512;
/// The longest pattern of `collect`, in bytes: no path is longer.
const MAX_PATTERN: usize = paths::MAX_PATH;
/// The most `{` of a pattern: `{a,{b,c}}` nests, and globset compiles it with one call per level.
const MAX_BRACES: usize = 64;
/// What an `env` may come to when every step of the episode has its own copy, in bytes.
const MAX_SHARED_ENV: usize = 64 << 20;
/// What a variable takes beside its text.
const ENV_OVERHEAD: usize = 64;
/// The range of `timeout_s`: a millisecond to a week.
const TIMEOUT_S: RangeInclusive<f64> = 0.001..=604_800.0;
/// The range of `stretch`, of the flag too.
pub const STRETCH: RangeInclusive<f64> = 1.0..=100.0;
/// The range of `cpu_time_s`; the kernel accounts no finer.
const CPU_TIME_S: RangeInclusive<f64> = 0.01..=604_800.0;

/// Applies every check and default to a line that serde could read.
pub fn episode(raw: RawEpisode, file: &FileContext, line: u64, n: u64) -> Result<Episode, Flaw> {
    if let Some(id) = &raw.id {
        check_id(id)?;
    }
    one_program(&raw)?;
    let workdir = workdir("workdir", DEFAULT_WORKDIR, raw.workdir.as_deref())?;
    let timeout = timeout("timeout_s", raw.timeout_s, file.defaults.timeout)?;
    let mut variables = BTreeMap::new();
    env("", raw.env, &mut variables)?;
    let mut inputs = Vec::new();
    files("", raw.files, &workdir, file, &mut inputs)?;

    let multi_step = raw.steps.is_some();
    let shared = StepDefaults {
        env: variables,
        workdir: &workdir,
        timeout,
        file,
    };
    let steps = match (program("", raw.command, raw.argv)?, raw.steps) {
        (Some(program), _) => vec![shared.only_step(program, stdin("", raw.stdin)?, inputs)],
        (None, Some(_)) if raw.stdin.is_some() => {
            return Err(Flaw::new(
                "stdin",
                "does not go with `steps`; move it into the step that reads it",
            ));
        }
        (None, Some(Few(steps))) => shared.steps(steps, inputs)?,
        (None, None) => {
            return Err(Flaw(
                "the episode has nothing to run; add `command`, `argv` or `steps`".into(),
            ));
        }
    };

    let deadline = raw.deadline_s.map(|s| duration("deadline_s", s, TIMEOUT_S));
    Ok(Episode {
        id: raw.id.unwrap_or_else(|| default_id(n)),
        origin: file.origin(line),
        steps,
        multi_step,
        goes_on: false,
        stretch: stretch(raw.stretch, file.defaults.stretch)?,
        deadline: deadline.transpose()?,
        limits: limits(raw.resources, &file.defaults)?,
        grants: host::grants(
            raw.fs_readable,
            raw.fs_writable,
            raw.network.as_deref(),
            file,
        )?,
        capture: capture(raw.capture.as_deref())?,
        output_keep: output_keep(raw.output_keep.as_deref())?,
        collect: collect(raw.collect.unwrap_or_default())?,
        workdir,
        echo: Echo {
            group: raw.group,
            meta: raw.meta,
            spec_digest: None,
        },
    })
}

/// `steps` go with neither of the others; those two are told apart where they are read.
fn one_program(raw: &RawEpisode) -> Result<(), Flaw> {
    let other = match (&raw.command, &raw.argv) {
        _ if raw.steps.is_none() => return Ok(()),
        (Some(_), _) => "command",
        (None, Some(_)) => "argv",
        (None, None) => return Ok(()),
    };
    Err(Flaw(format!(
        "the episode has both `{other}` and `steps`; keep one of them"
    )))
}

/// Every step carries the episode's `env`: refuses one that many steps would multiply beyond reason.
fn shared_env(env: &BTreeMap<String, String>, steps: usize) -> Result<(), Flaw> {
    let bytes: usize = env
        .iter()
        .map(|(name, value)| name.len() + value.len() + ENV_OVERHEAD)
        .sum();
    if bytes.saturating_mul(steps) <= MAX_SHARED_ENV {
        return Ok(());
    }
    Err(Flaw::new(
        "env",
        format_args!(
            "goes to each of {steps} steps, which is more than {} MB in all; put large values into `files`",
            MAX_SHARED_ENV as u64 / MB
        ),
    ))
}

/// What the steps of one episode inherit.
struct StepDefaults<'a> {
    env: BTreeMap<String, String>,
    workdir: &'a str,
    timeout: Duration,
    file: &'a FileContext,
}

impl StepDefaults<'_> {
    /// Of an episode that has its program itself.
    fn only_step(self, program: Program, stdin: Vec<u8>, files: Vec<InputFile>) -> Step {
        Step {
            name: None,
            program,
            stdin,
            env: self.env,
            workdir: self.workdir.to_owned(),
            timeout: self.timeout,
            files,
            on_failure: OnFailure::default(),
        }
    }

    /// The files of the episode are there from the first step on.
    fn steps(&self, raw: Vec<Object<RawStep>>, files: Vec<InputFile>) -> Result<Vec<Step>, Flaw> {
        if raw.is_empty() {
            return Err(Flaw::new("steps", "is empty; add at least one step"));
        }
        shared_env(&self.env, raw.len())?;
        let mut files = Some(files);
        let step = |(i, Object(step))| self.step(i, step, files.take().unwrap_or_default());
        raw.into_iter().enumerate().map(step).collect()
    }

    fn step(&self, i: usize, raw: RawStep, mut inputs: Vec<InputFile>) -> Result<Step, Flaw> {
        let at = format!("steps[{i}].");
        let Some(program) = program(&at, raw.command, raw.argv)? else {
            return Err(Flaw(format!(
                "`steps[{i}]` has nothing to run; add `command` or `argv`"
            )));
        };
        let workdir = workdir(
            &format!("{at}workdir"),
            self.workdir,
            raw.workdir.as_deref(),
        )?;
        let mut variables = self.env.clone();
        env(&at, raw.env, &mut variables)?;
        files(&at, raw.files, &workdir, self.file, &mut inputs)?;
        Ok(Step {
            name: raw.name,
            program,
            stdin: stdin(&at, raw.stdin)?,
            env: variables,
            timeout: timeout(&format!("{at}timeout_s"), raw.timeout_s, self.timeout)?,
            files: inputs,
            on_failure: on_failure(&at, raw.on_failure.as_deref())?,
            workdir,
        })
    }
}

/// Whether results can carry this id.
pub fn check_id(id: &str) -> Result<(), Flaw> {
    if id.is_empty() {
        return Err(Flaw::new(
            "id",
            "is empty; name the episode, or leave `id` out",
        ));
    }
    if id.len() > MAX_ID {
        return Err(Flaw::new(
            "id",
            format_args!(
                "is {} bytes long; shorten it to at most {MAX_ID} and keep the rest in `meta`",
                id.len()
            ),
        ));
    }
    if id.chars().any(char::is_control) {
        return Err(Flaw::new(
            "id",
            format_args!("holds a control character ({}); remove it", quoted(id)),
        ));
    }
    Ok(())
}

fn workdir(field: &str, base: &str, path: Option<&str>) -> Result<String, Flaw> {
    match path {
        None => Ok(base.to_owned()),
        Some(path) => paths::resolve(base, path).map_err(|flaw| Flaw::new(field, flaw)),
    }
}

fn timeout(field: &str, seconds: Option<f64>, default: Duration) -> Result<Duration, Flaw> {
    seconds.map_or(Ok(default), |seconds| duration(field, seconds, TIMEOUT_S))
}

fn stretch(times: Option<f64>, default: f64) -> Result<f64, Flaw> {
    match times {
        None => Ok(default),
        Some(times) if STRETCH.contains(&times) => Ok(times),
        Some(times) => Err(Flaw::new(
            "stretch",
            format_args!(
                "must be from {} to {}, not {times}",
                STRETCH.start(),
                STRETCH.end()
            ),
        )),
    }
}

fn duration(field: &str, seconds: f64, range: RangeInclusive<f64>) -> Result<Duration, Flaw> {
    if range.contains(&seconds) {
        return Ok(Duration::from_secs_f64(seconds));
    }
    let (from, to) = (range.start(), range.end());
    Err(Flaw::new(
        field,
        format_args!("must be from {from} to {to} seconds, not {seconds}"),
    ))
}

fn limits(raw: Option<Object<RawResources>>, defaults: &Defaults) -> Result<Limits, Flaw> {
    let mut limits = defaults.limits.clone();
    let Some(Object(raw)) = raw else {
        return Ok(limits);
    };
    if let Some(Whole(mb)) = raw.memory_mb {
        limits.memory_bytes = in_range("resources.memory_mb", mb, 1..=1_048_576)? * MB;
    }
    if let Some(seconds) = raw.cpu_time_s {
        limits.cpu_time = Some(duration("resources.cpu_time_s", seconds, CPU_TIME_S)?);
    }
    if let Some(Whole(count)) = raw.processes {
        limits.processes = in_range("resources.processes", count, 1..=MAX_PROCESSES.into())? as u32;
    }
    if let Some(Whole(mb)) = raw.disk_mb {
        limits.disk_bytes = in_range("resources.disk_mb", mb, 1..=1_048_576)? * MB;
    }
    if let Some(Whole(count)) = raw.open_files {
        limits.open_files = in_range("resources.open_files", count, 8..=1_048_576)? as u32;
    }
    if let Some(Whole(kb)) = raw.output_kb {
        limits.output_bytes = in_range("resources.output_kb", kb, 0..=262_144)? * KB;
    }
    if let Some(Whole(mb)) = raw.stack_mb {
        limits.stack_bytes = Some(stack(mb, defaults.most_stack_bytes)?);
    }
    Ok(limits)
}

fn stack(mb: u64, most_bytes: u64) -> Result<u64, Flaw> {
    const FIELD: &str = "resources.stack_mb";
    let bytes = in_range(FIELD, mb, 1..=1_048_576)? * MB;
    stack_allowed(bytes, most_bytes).map_err(|refused| Flaw::new(FIELD, refused))?;
    Ok(bytes)
}

fn in_range(field: &str, value: u64, range: RangeInclusive<u64>) -> Result<u64, Flaw> {
    if range.contains(&value) {
        return Ok(value);
    }
    let (from, to) = (range.start(), range.end());
    Err(Flaw::new(
        field,
        format_args!("must be a whole number from {from} to {to}, not {value}"),
    ))
}

fn capture(value: Option<&str>) -> Result<Capture, Flaw> {
    match value {
        None | Some("merged") => Ok(Capture::Merged),
        Some("split") => Ok(Capture::Split),
        Some(value) => Err(one_of("capture", "\"merged\" or \"split\"", value)),
    }
}

fn output_keep(value: Option<&str>) -> Result<OutputKeep, Flaw> {
    match value {
        None | Some("ends") => Ok(OutputKeep::Ends),
        Some("head") => Ok(OutputKeep::Head),
        Some("tail") => Ok(OutputKeep::Tail),
        Some(value) => {
            let choices = "\"ends\", \"head\" or \"tail\"";
            Err(one_of("output_keep", choices, value))
        }
    }
}

fn on_failure(at: &str, value: Option<&str>) -> Result<OnFailure, Flaw> {
    match value {
        None | Some("stop") => Ok(OnFailure::Stop),
        Some("continue") => Ok(OnFailure::Continue),
        Some(value) => Err(one_of(
            &format!("{at}on_failure"),
            "\"stop\" or \"continue\"",
            value,
        )),
    }
}

pub(super) fn one_of(field: &str, choices: &str, value: &str) -> Flaw {
    Flaw::new(
        field,
        format_args!("must be {choices}, not {}", quoted(value)),
    )
}

fn collect(patterns: Vec<String>) -> Result<Vec<String>, Flaw> {
    for (i, pattern) in patterns.iter().enumerate() {
        let field = || format!("collect[{i}]");
        if pattern.is_empty() {
            return Err(Flaw::new(
                &field(),
                "is empty; write a pattern such as \"*.txt\"",
            ));
        }
        no_nul(field, pattern)?;
        if pattern.len() > MAX_PATTERN {
            return Err(Flaw::new(
                &field(),
                format_args!(
                    "is {} bytes long; no path is longer than {MAX_PATTERN}",
                    pattern.len()
                ),
            ));
        }
        if pattern.bytes().filter(|byte| *byte == b'{').count() > MAX_BRACES {
            return Err(Flaw::new(
                &field(),
                format_args!("holds more than {MAX_BRACES} `{{`; write it as several patterns"),
            ));
        }
        if pattern.split('/').any(|name| name == "..") {
            return Err(Flaw::new(
                &field(),
                format_args!(
                    "holds `..` ({}); write an absolute pattern inside the sandbox",
                    quoted(pattern)
                ),
            ));
        }
        GlobBuilder::new(pattern)
            .literal_separator(true)
            .build()
            .map_err(|e| {
                Flaw::new(
                    &field(),
                    format_args!(
                        "is not a valid pattern ({}); correct {}",
                        e.kind(),
                        quoted(pattern)
                    ),
                )
            })?;
    }
    Ok(patterns)
}
