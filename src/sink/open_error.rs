//! Why the file for results can't be used, each with its remedy.

use std::io;
use std::path::{Path, PathBuf};

/// Why `--output` can't be used. Nothing in the file was changed, unless the message says so.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("--output {} is a directory; name a file in it, such as {}", .0.display(), .0.join("results.jsonl").display())]
    Directory(PathBuf),
    #[error("cannot create {}: the directory {} does not exist; create it (mkdir -p) or choose another --output", path.display(), parent.display())]
    NoParent { path: PathBuf, parent: PathBuf },
    #[error("cannot write {}: {error}; correct its permissions or choose another --output", path.display())]
    Open { path: PathBuf, error: io::Error },
    #[error("another runner is writing {}; wait until it has ended, or choose another --output", .0.display())]
    Busy(PathBuf),
    #[error("{} already holds results; add --resume to continue it, or choose another --output", .0.display())]
    HoldsResults(PathBuf),
    #[error("{} line {line} is not a result, so this is not a results file and was left as it is; choose another --output, or remove that line", path.display())]
    NotResults { path: PathBuf, line: u64 },
    #[error("{} is named as {named} but holds {holds}; rename it as what it is, or choose another --output", path.display())]
    Misnamed {
        path: PathBuf,
        named: &'static str,
        holds: &'static str,
    },
    #[error("{} is not a regular file, so there is nothing to resume; leave out --resume, or choose another --output", .0.display())]
    NotResumable(PathBuf),
    #[error("cannot read {}: {error}; correct that, or choose another --output", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("cannot prepare {} for --resume: {error}; its results are untouched; make its directory writable and free some space", path.display())]
    Compact { path: PathBuf, error: io::Error },
}

impl OpenError {
    /// What opening `path` with this error comes to.
    pub(super) fn of(path: &Path, error: io::Error) -> OpenError {
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        if error.kind() == io::ErrorKind::NotFound && !parent.exists() {
            return OpenError::NoParent {
                path: path.to_owned(),
                parent: parent.to_owned(),
            };
        }
        OpenError::Open {
            path: path.to_owned(),
            error,
        }
    }
}
