//! From a line's raw fields to a valid episode: defaults, ranges, which fields go together.

use super::collect::collect;
use super::location::Location;
use super::program::{env, files, program, stdin};
use super::raw::{Few, Object, Pairs, RawEpisode, RawResources, RawStep};
use super::{Defaults, FileContext, Flaw, default_id, host_paths, quoted};
use crate::spec::episode::{Echo, Episode, SessionStart};
use crate::spec::field::{Field, Shape};
use crate::spec::fields;
use crate::spec::limits::{Limits, MB};
use crate::spec::paths;
use crate::spec::sandbox::{DEFAULT_WORKDIR, Sandbox};
use crate::spec::step::{InputFile, OnFailure, Step, StepDefaults, env_bytes};
use serde::de::DeserializeOwned;
use serde::de::value::StrDeserializer;
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest id, in bytes.
const MAX_ID: usize = 512;
/// What an `env` may come to when every step of the episode has its own copy, in bytes.
const MAX_SHARED_ENV: usize = 64 << 20;
/// What the `env` of a session may come to, which the server holds until its end, in bytes. The kernel gives no program more
/// than 6 MB (execve(2)).
const MAX_SESSION_ENV: usize = 8 << 20;

/// Applies every check and default to a line that serde could read.
pub(super) fn episode(
    mut raw: RawEpisode,
    file: &FileContext,
    line: u64,
    n: u64,
) -> Result<Episode, Flaw> {
    if let Some(id) = &raw.id {
        check_id(id)?;
    }
    one_program(&raw)?;
    let sandbox = sandbox(&mut raw, file)?;
    let defaults = step_defaults(&sandbox, raw.env, raw.timeout_s, file)?;
    let at = Location::Episode;
    let files = files(at, raw.files, &sandbox.workdir, file, Vec::new())?;
    let multi_step = raw.steps.is_some();
    let steps = match (program(at, raw.command, raw.argv)?, raw.steps) {
        (Some(program), _) => vec![Step {
            name: None,
            program,
            stdin: stdin(at, raw.stdin)?,
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
    let deadline = raw.deadline_s.map(|s| duration(at, &fields::DEADLINE_S, s));
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

/// The same for what a session is started with, which has fields of an episode.
pub(super) fn session(mut raw: RawEpisode, file: &FileContext) -> Result<SessionStart, Flaw> {
    let sandbox = sandbox(&mut raw, file)?;
    let defaults = step_defaults(&sandbox, raw.env, raw.timeout_s, file)?;
    if env_bytes(&defaults.env) > MAX_SESSION_ENV {
        let most = MAX_SESSION_ENV as u64 / MB;
        return Err(Flaw::new(
            "env",
            format_args!(
                "takes more than {most} MB, which no program could be given; put large values into `files`"
            ),
        ));
    }
    Ok(SessionStart {
        defaults,
        files: files(
            Location::Episode,
            raw.files,
            &sandbox.workdir,
            file,
            Vec::new(),
        )?,
        sandbox,
    })
}

/// The same for one execution of a session, which has fields of a step, and these defaults.
pub(super) fn exec(
    raw: RawStep,
    defaults: &StepDefaults,
    file: &FileContext,
) -> Result<Step, Flaw> {
    step(raw, Location::Execution, defaults, Vec::new(), file)
}

/// What programs run in; takes the fields that say so.
fn sandbox(raw: &mut RawEpisode, file: &FileContext) -> Result<Sandbox, Flaw> {
    let at = Location::Episode;
    Ok(Sandbox {
        workdir: workdir(at, DEFAULT_WORKDIR, raw.workdir.as_deref())?,
        stretch: raw.stretch.map_or(Ok(file.defaults.stretch), |times| {
            in_range(at, &fields::STRETCH, times)
        })?,
        limits: limits(raw.resources.take(), &file.defaults)?,
        grants: host_paths::grants(
            raw.fs_readable.take(),
            raw.fs_writable.take(),
            raw.network.as_deref(),
            file,
        )?,
        capture: choice(at, &fields::CAPTURE, raw.capture.as_deref())?,
        output_keep: choice(at, &fields::OUTPUT_KEEP, raw.output_keep.as_deref())?,
    })
}

fn step_defaults(
    sandbox: &Sandbox,
    variables: Option<Pairs<String>>,
    timeout_s: Option<f64>,
    file: &FileContext,
) -> Result<StepDefaults, Flaw> {
    let at = Location::Episode;
    let mut all = BTreeMap::new();
    env(at, variables, &mut all)?;
    Ok(StepDefaults {
        env: all,
        workdir: sandbox.workdir.clone(),
        timeout: timeout(at, timeout_s, file.defaults.timeout)?,
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
        step(raw, Location::Step(i), defaults, files, file)
    };
    raw.into_iter().enumerate().map(step).collect()
}

/// One step, whose files come after those that are there before.
fn step(
    raw: RawStep,
    at: Location,
    defaults: &StepDefaults,
    before: Vec<InputFile>,
    file: &FileContext,
) -> Result<Step, Flaw> {
    let Some(program) = program(at, raw.command, raw.argv)? else {
        return Err(at.nothing_to_run("`command` or `argv`"));
    };
    let workdir = workdir(at, &defaults.workdir, raw.workdir.as_deref())?;
    let mut variables = defaults.env.clone();
    env(at, raw.env, &mut variables)?;
    Ok(Step {
        name: raw.name,
        program,
        stdin: stdin(at, raw.stdin)?,
        env: variables,
        timeout: timeout(at, raw.timeout_s, defaults.timeout)?,
        files: files(at, raw.files, &workdir, file, before)?,
        on_failure: choice(at, &fields::ON_FAILURE, raw.on_failure.as_deref())?,
        workdir,
    })
}

/// Whether results can carry this id.
pub(super) fn check_id(id: &str) -> Result<(), Flaw> {
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

fn workdir(at: Location, base: &str, path: Option<&str>) -> Result<String, Flaw> {
    match path {
        None => Ok(base.to_owned()),
        Some(path) => {
            paths::resolve(base, path).map_err(|flaw| Flaw::new(&at.field("workdir"), flaw))
        }
    }
}

fn timeout(at: Location, seconds: Option<f64>, default: Duration) -> Result<Duration, Flaw> {
    seconds.map_or(Ok(default), |seconds| {
        duration(at, &fields::TIMEOUT_S, seconds)
    })
}

/// A number of seconds that is in the field's range.
fn duration(at: Location, field: &Field, seconds: f64) -> Result<Duration, Flaw> {
    Ok(Duration::from_secs_f64(in_range(at, field, seconds)?))
}

fn in_range(at: Location, field: &Field, value: f64) -> Result<f64, Flaw> {
    let checked = field.check(value);
    checked.map_err(|why| Flaw::new(&at.field(field.name), why))
}

fn limits(raw: Option<RawResources>, defaults: &Defaults) -> Result<Limits, Flaw> {
    let mut limits = defaults.limits.clone();
    let at = Location::Resources;
    for (limit, value) in raw.into_iter().flat_map(|raw| raw.0) {
        (limit.set)(&mut limits, in_range(at, &limit.field, value)?);
    }
    limits
        .check_stack(defaults.most_stack_bytes)
        .map_err(|refused| Flaw::new("resources.stack_mb", refused))?;
    Ok(limits)
}

/// What a field that has few values stands for.
pub(super) fn choice<T: DeserializeOwned + Default>(
    at: Location,
    field: &Field,
    value: Option<&str>,
) -> Result<T, Flaw> {
    let Some(value) = value else {
        return Ok(T::default());
    };
    let read = T::deserialize(StrDeserializer::<serde::de::value::Error>::new(value));
    read.map_err(|_| not_among(at, field, value))
}

/// The sentence for a value that a field does not have.
fn not_among(at: Location, field: &Field, value: &str) -> Flaw {
    let Shape::Choice(words) = field.shape else {
        return Flaw::new(&at.field(field.name), "has another value");
    };
    let quoted_words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let (last, others) = quoted_words.split_last().expect("a choice has words");
    Flaw::new(
        &at.field(field.name),
        format_args!(
            "must be {} or {last}, not {}",
            others.join(", "),
            quoted(value)
        ),
    )
}
