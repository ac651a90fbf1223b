//! What a slot is sent of steps: the host files that they name are read before.

use super::host_files::{Budget, HostFileError, copy};
use crate::spec::paths;
use crate::spec::sandbox::Sandbox;
use crate::spec::step::{Content, InputFile, Step};
use std::borrow::Cow;
use std::path::Path;

/// Whether they name a working directory or a file outside of the places that their slot has for writing anyway.
pub(super) fn name_unusual_places(sandbox: &Sandbox, steps: &[Step]) -> bool {
    let writable = &sandbox.grants.writable;
    let is_unusual = |step: &Step| {
        let files = step.files.iter().map(|file| file.path.as_str());
        files.chain([step.workdir.as_str()]).any(|path| {
            !paths::is_usual(path) && !writable.iter().any(|p| Path::new(path).starts_with(p))
        })
    };
    steps.iter().any(is_unusual)
}

/// The steps with the content of the host files that they name, which are read beside the other work.
pub(super) async fn with_host_files<'a>(
    steps: &'a [Step],
    sandbox: &Sandbox,
) -> Result<Cow<'a, [Step]>, HostFileError> {
    if !steps.iter().any(|step| reads_host(&step.files)) {
        return Ok(Cow::Borrowed(steps));
    }
    let mut steps = steps.to_vec();
    let mut budget = Budget::new(sandbox.limits.disk_bytes);
    let read = on_a_thread(move || {
        for step in &mut steps {
            step.files = read(std::mem::take(&mut step.files), &mut budget)?;
        }
        Ok(steps)
    });
    Ok(Cow::Owned(read.await?))
}

/// The same for files that belong to no step.
pub(super) async fn files_of_host(
    files: Vec<InputFile>,
    sandbox: &Sandbox,
) -> Result<Vec<InputFile>, HostFileError> {
    if !reads_host(&files) {
        return Ok(files);
    }
    let mut budget = Budget::new(sandbox.limits.disk_bytes);
    on_a_thread(move || read(files, &mut budget)).await
}

fn reads_host(files: &[InputFile]) -> bool {
    let is_host = |file: &InputFile| matches!(file.content, Content::HostPath(_));
    files.iter().any(is_host)
}

/// Does what may wait for a disk where nobody waits for it.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HostFileError> + Send + 'static,
) -> Result<T, HostFileError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

fn read(files: Vec<InputFile>, budget: &mut Budget) -> Result<Vec<InputFile>, HostFileError> {
    let mut all = Vec::with_capacity(files.len());
    for file in files {
        match &file.content {
            Content::HostPath(host) => copy(host, &file.path, file.mode, budget, &mut all)?,
            _ => all.push(file),
        }
    }
    Ok(all)
}
