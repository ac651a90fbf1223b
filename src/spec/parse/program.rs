//! Checks of what one execution is made of: program, stdin, environment, files.

use super::host_paths;
use super::location::Location;
use super::raw::{Pairs, RawBase64, RawFile, TextOr};
use super::{FileContext, Flaw, quoted};
use crate::spec::paths::{self, PathFlaw};
use crate::spec::step::{Content, InputFile, Program};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// The longest argument or `NAME=value` that execve takes, in bytes (MAX_ARG_STRLEN without its NUL).
const MAX_ARGUMENT: usize = 131_071;

/// `command` or `argv`.
pub(super) fn program(
    at: Location,
    command: Option<String>,
    argv: Option<Vec<String>>,
) -> Result<Option<Program>, Flaw> {
    match (command, argv) {
        (Some(command), None) => {
            check_argument(|| at.field("command"), &command)?;
            Ok(Some(Program::Command(command)))
        }
        (None, Some(argv)) => {
            match argv.first() {
                None => {
                    return Err(Flaw::new(
                        &at.field("argv"),
                        "is empty; name at least the program",
                    ));
                }
                Some(program) if program.is_empty() => {
                    return Err(Flaw::new(
                        &at.field("argv[0]"),
                        "is empty; name the program to run",
                    ));
                }
                Some(_) => {}
            }
            for (i, argument) in argv.iter().enumerate() {
                check_argument(|| at.field(&format!("argv[{i}]")), argument)?;
            }
            Ok(Some(Program::Argv(argv)))
        }
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(at.flaw("has both `command` and `argv`; keep one of them")),
    }
}

fn check_argument(field: impl Fn() -> String, text: &str) -> Result<(), Flaw> {
    no_nul(&field, text)?;
    if text.len() > MAX_ARGUMENT {
        return Err(Flaw::new(
            &field(),
            format_args!(
                "is {} bytes long, but the kernel takes at most {MAX_ARGUMENT} in one argument; \
                 put it into `files` or `stdin` and have the program read it there",
                text.len()
            ),
        ));
    }
    Ok(())
}

/// Refuses what the kernel would cut off.
pub(super) fn no_nul(field: impl Fn() -> String, text: &str) -> Result<(), Flaw> {
    match memchr::memchr(0, text.as_bytes()) {
        Some(_) => Err(Flaw::new(
            &field(),
            "holds a NUL character, which the kernel does not take; remove it",
        )),
        None => Ok(()),
    }
}

/// The bytes of `stdin`; nothing when it is not set.
pub(super) fn stdin(at: Location, stdin: Option<TextOr<RawBase64>>) -> Result<Bytes, Flaw> {
    match stdin {
        None => Ok(Bytes::new()),
        Some(TextOr::Text(text)) => Ok(text.into()),
        Some(TextOr::Object(raw)) => decode(|| at.field("stdin.base64"), &raw.base64),
    }
}

fn decode(field: impl Fn() -> String, base64: &str) -> Result<Bytes, Flaw> {
    STANDARD.decode(base64).map(Bytes::from).map_err(|e| {
        Flaw::new(
            &field(),
            format_args!("is not standard base64 with padding ({e}); encode it again"),
        )
    })
}

/// Adds the variables of `env` to `to`; a later one of the same name wins over those before `env`.
pub(super) fn env(
    at: Location,
    env: Option<Pairs<String>>,
    to: &mut BTreeMap<String, String>,
) -> Result<(), Flaw> {
    let Some(Pairs(pairs)) = env else {
        return Ok(());
    };
    let mut names = BTreeSet::new();
    for (name, value) in &pairs {
        let field = || at.field(&format!("env[{}]", quoted(name)));
        if name.is_empty() || name.contains('=') {
            return Err(Flaw::new(
                &field(),
                "is not a name the kernel takes; use one that is not empty and without `=`",
            ));
        }
        no_nul(field, name)?;
        no_nul(field, value)?;
        if name.len() + 1 + value.len() > MAX_ARGUMENT {
            return Err(Flaw::new(
                &field(),
                format_args!(
                    "is longer than the {MAX_ARGUMENT} bytes the kernel takes; put the value into `files`"
                ),
            ));
        }
        if !names.insert(name.as_str()) {
            return Err(Flaw::new(&field(), "is given twice; keep one of them"));
        }
    }
    to.extend(pairs);
    Ok(())
}

/// The `files`, whose relative paths start at `workdir`, after those that are there `before`; none twice.
pub(super) fn files(
    at: Location,
    files: Option<Pairs<TextOr<RawFile>>>,
    workdir: &str,
    file: &FileContext,
    before: Vec<InputFile>,
) -> Result<Vec<InputFile>, Flaw> {
    let Some(Pairs(pairs)) = files else {
        return Ok(before);
    };
    let mut to = before;
    to.reserve(pairs.len());
    for (name, raw) in pairs {
        let field = || at.field(&format!("files[{}]", quoted(&name)));
        let (content, mode, directory) = content(field, raw, file)?;
        let resolve = if directory {
            paths::resolve_directory
        } else {
            paths::resolve_file
        };
        let path = resolve(workdir, &name).map_err(|flaw: PathFlaw| Flaw::new(&field(), flaw))?;
        to.push(InputFile {
            path,
            content,
            mode,
        });
    }
    no_duplicate(at, &to)?;
    Ok(to)
}

fn content(
    field: impl Fn() -> String,
    raw: TextOr<RawFile>,
    file: &FileContext,
) -> Result<(Content, Option<u32>, bool), Flaw> {
    let raw = match raw {
        TextOr::Text(text) => return Ok((Content::Bytes(text.into()), None, false)),
        TextOr::Object(raw) => raw,
    };
    let mode = raw
        .mode
        .map(|mode| self::mode(&format!("{}.mode", field()), &mode))
        .transpose()?;
    match (raw.base64, raw.host_path) {
        (Some(base64), None) => Ok((
            Content::Bytes(decode(|| format!("{}.base64", field()), &base64)?),
            mode,
            false,
        )),
        (None, Some(path)) => {
            let (path, directory) =
                host_paths::input(&format!("{}.host_path", field()), &path, file)?;
            Ok((Content::HostPath(path), mode, directory))
        }
        (Some(_), Some(_)) => Err(Flaw::new(
            &field(),
            "has both `base64` and `host_path`; keep one of them",
        )),
        (None, None) => Err(Flaw::new(
            &field(),
            "has no content; add `base64` or `host_path`",
        )),
    }
}

fn mode(field: &str, text: &str) -> Result<u32, Flaw> {
    let octal = (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    match u32::from_str_radix(text, 8) {
        Ok(mode) if octal && mode <= 0o777 => Ok(mode),
        Ok(_) if octal => Err(Flaw::new(
            field,
            format_args!(
                "is {}, with setuid, setgid or sticky bits, which no sandbox honours; use at most \"0777\"",
                quoted(text)
            ),
        )),
        _ => Err(Flaw::new(
            field,
            format_args!(
                "must be three or four octal digits such as \"0755\", not {}",
                quoted(text)
            ),
        )),
    }
}

/// Refuses two files of one path.
fn no_duplicate(at: Location, files: &[InputFile]) -> Result<(), Flaw> {
    let mut paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    paths.sort_unstable();
    match paths.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Flaw::new(
            &at.field("files"),
            format_args!("names {} twice; keep one of them", quoted(pair[0])),
        )),
        None => Ok(()),
    }
}
