//! From a validated episode to the request a slot understands; reads the host files it names.

use crate::spec::episode::{Content, Episode, InputFile, Program, Step};
use crate::spec::limits::MB;
use crate::spec::paths;
use crate::sys::{clock::monotonic_ns, plain::open_plain};
use crate::wire::message::{EpisodeRequest, FileRequest, StepRequest};
use nix::dir::{Dir, Type};
use nix::fcntl::OFlag;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Files travel to the slot in one message, which is held in memory.
const MOST_COPIED_MB: u64 = 512;

/// A `host_path` that was there when the line was checked and can't be read now.
#[derive(Debug, thiserror::Error)]
pub enum HostFileError {
    #[error("host_path {path:?} can't be read: {error}")]
    Read { path: PathBuf, error: io::Error },
    #[error(
        "host_path {0:?} is not what it was when the line was read: it is gone, closed, or a link or a pipe by now; keep it \
         out of what programs may write to (fs_writable), and as it is while the run lasts"
    )]
    Changed(PathBuf),
    #[error(
        "host_path {path:?} brings the files to more than {limit_mb} MB; raise resources.disk_mb up to \
         {MOST_COPIED_MB}, or grant what is larger with fs_readable"
    )]
    TooLarge { path: PathBuf, limit_mb: u64 },
}

/// Builds the request. Blocks while it reads host files.
pub fn build(episode: &Episode) -> Result<EpisodeRequest, HostFileError> {
    let limit_mb = (episode.limits.disk_bytes / MB).min(MOST_COPIED_MB);
    let mut budget = Budget {
        left: limit_mb * MB,
        limit_mb,
    };
    let steps = episode
        .steps
        .iter()
        .map(|s| step(s, &mut budget))
        .collect::<Result<_, _>>()?;
    Ok(EpisodeRequest {
        handed_ns: monotonic_ns(),
        limits: episode.limits.clone(),
        capture: episode.capture,
        output_keep: episode.output_keep,
        collect: episode.collect.clone(),
        workdir: episode.workdir.clone(),
        stretch: episode.stretch,
        deadline_ns: None,
        steps,
    })
}

/// Whether it asks for a working directory or a file outside of the places that its slot has for writing anyway.
pub fn names_unusual_places(episode: &Episode) -> bool {
    let writable = &episode.grants.writable;
    let is_unusual = |step: &Step| {
        let files = step.files.iter().map(|file| file.path.as_str());
        files.chain([step.workdir.as_str()]).any(|path| {
            !paths::is_usual(path) && !writable.iter().any(|p| Path::new(path).starts_with(p))
        })
    };
    episode.steps.iter().any(is_unusual)
}

/// Whether building the request reads files of the host.
pub fn reads_host_files(episode: &Episode) -> bool {
    let is_host = |file: &InputFile| matches!(file.content, Content::HostPath(_));
    episode.steps.iter().flat_map(|s| &s.files).any(is_host)
}

/// Files are held in memory on their way, so no more is read than the episode could store.
struct Budget {
    left: u64,
    limit_mb: u64,
}

fn step(step: &Step, budget: &mut Budget) -> Result<StepRequest, HostFileError> {
    let argv = match &step.program {
        Program::Command(line) => vec!["bash".into(), "-lc".into(), line.clone()],
        Program::Argv(argv) => argv.clone(),
    };
    let mut files = Vec::with_capacity(step.files.len());
    for file in &step.files {
        match &file.content {
            Content::Bytes(bytes) => files.push(FileRequest {
                path: file.path.clone(),
                mode: file.mode.unwrap_or(0o644),
                content: Some(bytes.clone()),
            }),
            Content::HostPath(host) => {
                let before = files.len();
                copy(host, &file.path, file.mode, budget, &mut files)
                    .map_err(|e| changed(e, host))?;
                // A pipe, or the like.
                if files.len() == before {
                    return Err(HostFileError::Changed(host.clone()));
                }
            }
        }
    }
    Ok(StepRequest {
        argv,
        env: step
            .env
            .iter()
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect(),
        workdir: step.workdir.clone(),
        stdin: step.stdin.clone(),
        files,
        timeout: step.timeout,
        on_failure: step.on_failure,
    })
}

/// What the line names was a file or a directory when the line was read.
fn changed(error: HostFileError, named: &Path) -> HostFileError {
    match error {
        HostFileError::Read { path, error }
            if path == named
                && matches!(
                    error.raw_os_error(),
                    Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP | libc::EACCES | libc::ENXIO)
                ) =>
        {
            HostFileError::Changed(path)
        }
        other => other,
    }
}

/// A file, or a directory with everything below it. Links are not followed: they could lead out of what was
/// allowed, and are left out; so are sockets, pipes and devices.
fn copy(
    host: &Path,
    inside: &str,
    mode: Option<u32>,
    budget: &mut Budget,
    files: &mut Vec<FileRequest>,
) -> Result<(), HostFileError> {
    let failed = |error: io::Error| HostFileError::Read {
        path: host.to_owned(),
        error,
    };
    // Not blocking: a pipe has no end to wait for. What is not a file or directory is left out below.
    let opened = open_plain(host, OFlag::O_RDONLY | OFlag::O_NONBLOCK);
    let file = File::from(opened.map_err(|e| failed(e.into()))?);
    let meta = file.metadata().map_err(failed)?;
    let own_mode = meta.permissions().mode() & 0o777;
    if meta.is_dir() {
        files.push(FileRequest {
            path: inside.into(),
            mode: own_mode | 0o700,
            content: None,
        });
        let entries = Dir::from_fd(file.into()).map_err(|e| failed(e.into()))?;
        for entry in entries {
            let entry = entry.map_err(|e| failed(e.into()))?;
            let known = matches!(entry.file_type(), Some(Type::File | Type::Directory) | None);
            match entry.file_name().to_str() {
                Ok(name) if known && name != "." && name != ".." => {
                    copy(
                        &host.join(name),
                        &format!("{inside}/{name}"),
                        None,
                        budget,
                        files,
                    )?;
                }
                _ => {}
            }
        }
    } else if meta.is_file() {
        let mut content = Vec::new();
        let mut limited = file.take(budget.left + 1);
        let length = limited.read_to_end(&mut content).map_err(failed)? as u64;
        budget.left = budget
            .left
            .checked_sub(length)
            .ok_or_else(|| HostFileError::TooLarge {
                path: host.to_owned(),
                limit_mb: budget.limit_mb,
            })?;
        files.push(FileRequest {
            path: inside.into(),
            mode: mode.unwrap_or(own_mode),
            content: Some(content),
        });
    }
    Ok(())
}
