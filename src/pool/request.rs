//! From a validated episode to the request a slot understands; reads the host files it names.

use super::host_files::{Budget, HostFileError, copy};
use crate::spec::episode::{Content, Episode, InputFile, Program, Step};
use crate::spec::paths;
use crate::sys::clock::monotonic_ns;
use crate::wire::message::{EpisodeRequest, FileContent, FileRequest, StepRequest};
use std::path::Path;

/// Builds the request. Blocks while it reads host files.
pub fn build(episode: &Episode) -> Result<EpisodeRequest, HostFileError> {
    let mut budget = Budget::new(episode.limits.disk_bytes);
    let steps = episode
        .steps
        .iter()
        .map(|s| step(s, episode.stretch, &mut budget))
        .collect::<Result<_, _>>()?;
    Ok(EpisodeRequest {
        handed_ns: monotonic_ns(),
        limits: episode.limits.clone(),
        capture: episode.capture,
        output_keep: episode.output_keep,
        collect: episode.collect.clone(),
        workdir: episode.workdir.clone(),
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

fn step(step: &Step, stretch: f64, budget: &mut Budget) -> Result<StepRequest, HostFileError> {
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
                content: FileContent::Bytes(bytes.clone()),
            }),
            Content::HostPath(host) => copy(host, &file.path, file.mode, budget, &mut files)?,
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
        longest: step.longest(stretch),
        on_failure: step.on_failure,
    })
}
