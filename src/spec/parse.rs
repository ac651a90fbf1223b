//! One line of a jobs file to one validated [`Episode`], or to a sentence that says what to change.
//!
//! The hot path is one serde pass (`raw`, `request`) and one pass of checks (`check`). Only a line that
//! failed is read again: by `diagnose`, to name the field that is wrong, and by `salvage`, to keep
//! the id, group and meta that its result should carry. Checks that need the host's file tree
//! (does a granted path exist, is it allowed) are all in `host_paths`.

mod check;
mod collect;
mod diagnose;
mod host_paths;
mod location;
mod no_number;
mod program;
mod raw;
mod request;
mod salvage;
#[cfg(test)]
mod tests;

use super::episode::{Echo, Episode, Origin, SessionStart};
use super::fields::{EPISODE, EXEC, START};
use super::limits::Limits;
use super::policy::Grants;
use super::step::{Step, StepDefaults};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

pub use host_paths::{PathNotGranted, check_own_files, grantable};
pub use salvage::id_of;

/// What flags decide for every episode that does not say otherwise.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// Wall clock per execution.
    pub timeout: Duration,
    /// As [`crate::spec::sandbox::Sandbox::stretch`].
    pub stretch: f64,
    pub limits: Limits,
    /// `--fs-readable` and `--fs-writable`: canonical, sorted, without duplicates (see [`grantable`]).
    pub grants: Arc<Grants>,
    /// `--allow-path`, canonical; `None` for the jobs file's own directory.
    pub allow_paths: Option<Vec<PathBuf>>,
    pub allow_host_network: bool,
    /// The most that `stack_mb` may ask for, in bytes: the runner's own hard limit, which no program's can exceed.
    pub most_stack_bytes: u64,
    /// What the run itself reads and writes, and links that lead there: absolute. No program may write to it.
    pub own_files: Vec<PathBuf>,
}

impl Default for Defaults {
    fn default() -> Self {
        Defaults {
            timeout: Duration::from_secs(60),
            stretch: 2.0,
            limits: Limits::default(),
            grants: Arc::new(Grants::default()),
            allow_paths: None,
            allow_host_network: false,
            most_stack_bytes: u64::MAX,
            own_files: Vec::new(),
        }
    }
}

/// What all lines of one jobs file share.
#[derive(Clone, Debug)]
pub struct FileContext {
    name: Arc<str>,
    base_dir: PathBuf,
    allowed: Vec<PathBuf>,
    defaults: Arc<Defaults>,
}

impl FileContext {
    /// `name` is for messages; `base_dir` is where a relative `host_path` starts: the directory of
    /// the jobs file, or the current one for stdin.
    pub fn new(name: Arc<str>, base_dir: &Path, defaults: Arc<Defaults>) -> FileContext {
        let base_dir = base_dir
            .canonicalize()
            .unwrap_or_else(|_| base_dir.to_owned());
        let allowed = defaults
            .allow_paths
            .clone()
            .unwrap_or_else(|| vec![base_dir.clone()]);
        FileContext {
            name,
            base_dir,
            allowed,
            defaults,
        }
    }

    /// Where line `line` (1-based) is, for messages.
    pub fn origin(&self, line: u64) -> Origin {
        Origin {
            file: Arc::clone(&self.name),
            line,
        }
    }
}

/// A line that is not a valid episode, with what could be read of it.
#[derive(Clone, Debug, Error)]
#[error("{message}")]
pub struct Invalid {
    /// The line's own id, when it has a usable one.
    pub id: Option<String>,
    pub echo: Echo,
    /// One sentence that names the field and what to do; file and line are for the caller to add.
    pub message: String,
}

/// What is wrong with one field: becomes the message of an [`Invalid`].
#[derive(Debug, Error)]
#[error("{0}")]
struct Flaw(String);

impl Flaw {
    /// `problem` reads on after the name of `field`.
    fn new(field: &str, problem: impl std::fmt::Display) -> Flaw {
        Flaw(format!("`{field}` {problem}"))
    }
}

/// The id of an episode that names none. `n` is its 1-based line, counted on over all jobs files.
pub fn default_id(n: u64) -> String {
    format!("line-{n}")
}

/// Parses the bytes of one line, without its line end or a byte order mark. `line` is its 1-based
/// number in the file, `n` the same counted on over all jobs files.
pub fn parse(bytes: &[u8], line: u64, n: u64, file: &FileContext) -> Result<Episode, Invalid> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let message = format!(
            "the line is not valid UTF-8 at byte {}; save the file as UTF-8, and put binary data in {{\"base64\": …}}",
            e.valid_up_to() + 1
        );
        salvage::invalid_utf8(bytes, message)
    })?;
    raw::read(text)
        .map_err(|e| diagnose::explain(text, &e, EPISODE))
        .and_then(|raw| check::episode(raw, file, line, n))
        .map_err(|Flaw(message)| salvage::invalid(text, one_line(message)))
}

/// Parses the request that starts a session, or says what is wrong with it.
pub fn parse_start(line: &str, file: &FileContext) -> Result<SessionStart, String> {
    request::read(line, START)
        .map_err(|e| diagnose::explain(line, &e, START))
        .and_then(|raw| check::session(raw, file))
        .map_err(|Flaw(message)| one_line(message))
}

/// Parses the request for one execution of a session, which has these defaults, or says what is wrong with it.
pub fn parse_exec(line: &str, defaults: &StepDefaults, file: &FileContext) -> Result<Step, String> {
    request::read(line, EXEC)
        .map_err(|e| diagnose::explain(line, &e, EXEC))
        .and_then(|raw| check::exec(raw, defaults, file))
        .map_err(|Flaw(message)| one_line(message))
}

/// A program that a command line names.
#[derive(Clone, Debug, Default)]
pub struct ProgramSpec {
    pub argv: Vec<String>,
    pub env: Vec<(String, String)>,
    pub workdir: Option<String>,
    pub network: Option<String>,
}

/// The episode that runs it, with its output captured apart; or says what is wrong with it.
pub fn parse_program(program: ProgramSpec, file: &FileContext) -> Result<Episode, String> {
    let raw = raw::RawEpisode {
        argv: Some(program.argv),
        env: Some(raw::Pairs(program.env)),
        workdir: program.workdir,
        network: program.network,
        capture: Some("split".into()),
        ..raw::RawEpisode::default()
    };
    check::episode(raw, file, 0, 1).map_err(|Flaw(message)| one_line(message))
}

/// Paths may hold line ends; a message stays one line.
fn one_line(message: String) -> String {
    if !message.contains(char::is_control) {
        return message;
    }
    let escaped = |c: char| {
        if c.is_control() {
            c.escape_default().collect::<String>()
        } else {
            c.into()
        }
    };
    message.chars().map(escaped).collect()
}

/// `text` as JSON would quote it, cut short where a message would drown in it.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    serde_json::to_string(&shown).unwrap_or(shown)
}
