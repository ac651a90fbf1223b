//! From a line's raw fields to a valid episode: defaults, ranges, which fields go together.

use super::location::Location;
use super::program::{env, files, no_duplicate, no_nul, program, stdin};
use super::raw::{Few, Object, Pairs, RawEpisode, RawExec, RawResources, RawStart, RawStep, Whole};
use super::{Defaults, FileContext, Flaw, default_id, host, quoted};
use crate::spec::episode::{Echo, Episode, SessionStart};
use crate::spec::limits::{KB, Limits, MAX_PROCESSES, MB, stack_allowed};
use crate::spec::paths;
use crate::spec::sandbox::{Capture, DEFAULT_WORKDIR, OutputKeep, Sandbox};
use crate::spec::step::{InputFile, OnFailure, Step, StepDefaults, env_bytes};
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
    let sandbox = sandbox(
        RawSandbox {
            workdir: raw.workdir,
            stretch: raw.stretch,
            resources: raw.resources,
            fs_readable: raw.fs_readable,
            fs_writable: raw.fs_writable,
            network: raw.network,
            capture: raw.capture,
            output_keep: raw.output_keep,
        },
        file,
    )?;
    let defaults = step_defaults(&sandbox, raw.env, raw.timeout_s, file)?;
    let at = Location::of_episode();
    let files = files(&at, raw.files, &sandbox.workdir, file)?;
    let multi_step = raw.steps.is_some();
    let steps = match (program(&at, raw.command, raw.argv)?, raw.steps) {
        (Some(program), _) => vec![Step {
            name: None,
            program,
            stdin: stdin(&at, raw.stdin)?,
            env: defaults.env,
            workdir: defaults.workdir,
            timeout: defaults.timeout,
            files,
            on_failure: OnFailure::default(),
        }],
        (None, Some(_)) if raw.stdin.is_some() => {
            return Err(Flaw::new(
                "stdin",
                "does not go with `steps`; move it into the step that reads it",
            ));
        }
        (None, Some(Few(raw))) => steps(raw, &defaults, files, file)?,
        (None, None) => return Err(at.nothing_to_run("`command`, `argv` or `steps`")),
    };
    let deadline = raw.deadline_s.map(|s| duration("deadline_s", s, TIMEOUT_S));
    Ok(Episode {
        id: raw.id.unwrap_or_else(|| default_id(n)),
        origin: file.origin(line),
        sandbox,
        steps,
        multi_step,
        deadline: deadline.transpose()?,
        collect: collect(raw.collect.unwrap_or_default())?,
        echo: Echo {
            group: raw.group,
            meta: raw.meta,
            spec_digest: None,
        },
    })
}

/// The same for what a session is started with.
pub fn session(raw: RawStart, file: &FileContext) -> Result<SessionStart, Flaw> {
    let sandbox = sandbox(
        RawSandbox {
            workdir: raw.workdir,
            stretch: None,
            resources: raw.resources,
            fs_readable: raw.fs_readable,
            fs_writable: raw.fs_writable,
            network: raw.network,
            capture: raw.capture,
            output_keep: raw.output_keep,
        },
        file,
    )?;
    Ok(SessionStart {
        defaults: step_defaults(&sandbox, raw.env, raw.timeout_s, file)?,
        files: files(&Location::of_episode(), raw.files, &sandbox.workdir, file)?,
        sandbox,
    })
}

/// The same for one execution of a session, which has these defaults.
pub fn exec(raw: RawExec, defaults: &StepDefaults, file: &FileContext) -> Result<Step, Flaw> {
    let raw = RawStep {
        name: None,
        command: raw.command,
        argv: raw.argv,
        stdin: raw.stdin,
        env: raw.env,
        workdir: raw.workdir,
        timeout_s: raw.timeout_s,
        files: raw.files,
        on_failure: None,
    };
    step(raw, &Location::of_execution(), defaults, Vec::new(), file)
}

/// The fields that say what programs run in, wherever they stand.
struct RawSandbox {
    workdir: Option<String>,
    stretch: Option<f64>,
    resources: Option<Object<RawResources>>,
    fs_readable: Option<Vec<String>>,
    fs_writable: Option<Vec<String>>,
    network: Option<String>,
    capture: Option<String>,
    output_keep: Option<String>,
}

fn sandbox(raw: RawSandbox, file: &FileContext) -> Result<Sandbox, Flaw> {
    Ok(Sandbox {
        workdir: workdir("workdir", DEFAULT_WORKDIR, raw.workdir.as_deref())?,
        stretch: stretch(raw.stretch, file.defaults.stretch)?,
        limits: limits(raw.resources, &file.defaults)?,
        grants: host::grants(
            raw.fs_readable,
            raw.fs_writable,
            raw.network.as_deref(),
            file,
        )?,
        capture: capture(raw.capture.as_deref())?,
        output_keep: output_keep(raw.output_keep.as_deref())?,
    })
}

fn step_defaults(
    sandbox: &Sandbox,
    variables: Option<Pairs<String>>,
    timeout_s: Option<f64>,
    file: &FileContext,
) -> Result<StepDefaults, Flaw> {
    let mut all = BTreeMap::new();
    env(&Location::of_episode(), variables, &mut all)?;
    Ok(StepDefaults {
        env: all,
        workdir: sandbox.workdir.clone(),
        timeout: timeout("timeout_s", timeout_s, file.defaults.timeout)?,
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
    if env_bytes(env).saturating_mul(steps) <= MAX_SHARED_ENV {
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

/// The files of the episode are there from the first step on.
fn steps(
    raw: Vec<Object<RawStep>>,
    defaults: &StepDefaults,
    files: Vec<InputFile>,
    file: &FileContext,
) -> Result<Vec<Step>, Flaw> {
    if raw.is_empty() {
        return Err(Flaw::new("steps", "is empty; add at least one step"));
    }
    shared_env(&defaults.env, raw.len())?;
    let mut files = Some(files);
    let step = |(i, Object(raw))| {
        let files = files.take().unwrap_or_default();
        step(raw, &Location::of_step(i), defaults, files, file)
    };
    raw.into_iter().enumerate().map(step).collect()
}

/// One step, whose files come after those that are given.
fn step(
    raw: RawStep,
    at: &Location,
    defaults: &StepDefaults,
    mut inputs: Vec<InputFile>,
    file: &FileContext,
) -> Result<Step, Flaw> {
    let Some(program) = program(at, raw.command, raw.argv)? else {
        return Err(at.nothing_to_run("`command` or `argv`"));
    };
    let workdir = workdir(
        &at.field("workdir"),
        &defaults.workdir,
        raw.workdir.as_deref(),
    )?;
    let mut variables = defaults.env.clone();
    env(at, raw.env, &mut variables)?;
    inputs.extend(files(at, raw.files, &workdir, file)?);
    no_duplicate(at, &inputs)?;
    Ok(Step {
        name: raw.name,
        program,
        stdin: stdin(at, raw.stdin)?,
        env: variables,
        timeout: timeout(&at.field("timeout_s"), raw.timeout_s, defaults.timeout)?,
        files: inputs,
        on_failure: on_failure(at, raw.on_failure.as_deref())?,
        workdir,
    })
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

fn on_failure(at: &Location, value: Option<&str>) -> Result<OnFailure, Flaw> {
    match value {
        None | Some("stop") => Ok(OnFailure::Stop),
        Some("continue") => Ok(OnFailure::Continue),
        Some(value) => Err(one_of(
            &at.field("on_failure"),
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
