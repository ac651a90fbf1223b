//! Opens `--output` before anything runs: who may write it, and what it already holds.
//!
//! It is never overwritten: without `--resume` it must be empty. With it, a torn end is cut off and `infra_error` lines
//! are dropped, because their episodes run again.

use super::counts::Counts;
use super::destination::Destination;
use super::done::DoneIds;
use super::open_error::OpenError;
use super::results_file::Output;
use super::scan::{ScanError, scan};
use std::fs::{self, OpenOptions};
use std::io::BufReader;
use std::path::Path;

const READ_BUFFER: usize = 1 << 18;
/// An output that is ready to be written.
#[derive(Debug)]
pub struct Opened {
    pub destination: Destination,
    /// Ids that need not run again.
    pub done: DoneIds,
    /// The result lines that stay in the file.
    pub kept: Counts,
    /// `infra_error` lines that were removed because their episodes run again.
    pub dropped_infra: u64,
    /// Bytes of a torn last line that were cut off.
    pub repaired_bytes: u64,
    /// False when the file system has no locks: two runners must be kept apart by other means.
    pub locked: bool,
}

impl Opened {
    /// An output that holds nothing yet.
    pub fn fresh(destination: Destination) -> Self {
        Opened {
            destination,
            done: DoneIds::default(),
            kept: Counts::default(),
            dropped_infra: 0,
            repaired_bytes: 0,
            locked: true,
        }
    }
}

/// Opens, locks and, with `resume`, reads and repairs the file that results go to.
///
/// Devices and FIFOs are opened for writing without a lock (a FIFO: once it has a reader).
pub fn open_output(path: &Path, resume: bool) -> Result<Opened, OpenError> {
    let owned = || path.to_owned();
    let name = path.display().to_string();
    match fs::metadata(path) {
        Ok(m) if m.is_dir() => return Err(OpenError::Directory(owned())),
        Ok(m) if !m.is_file() => {
            if resume {
                return Err(OpenError::NotResumable(owned()));
            }
            let opened = OpenOptions::new().write(true).open(path);
            let destination = opened.and_then(|file| Destination::new(file, name));
            return destination
                .map(Opened::fresh)
                .map_err(|error| OpenError::Open {
                    path: owned(),
                    error,
                });
        }
        _ => {}
    }
    let (mut output, real) = Output::acquire(path)?;
    let length = output
        .file()
        .metadata()
        .map_err(|error| OpenError::Read {
            path: owned(),
            error,
        })?
        .len();
    if length > 0 && !resume {
        return Err(OpenError::HoldsResults(owned()));
    }
    let found =
        scan(BufReader::with_capacity(READ_BUFFER, output.file())).map_err(|e| match e {
            ScanError::Io(error) => OpenError::Read {
                path: owned(),
                error,
            },
            ScanError::NotAResult { line } => OpenError::NotResults {
                path: owned(),
                line,
            },
        })?;
    output
        .repair(&real, &found)
        .map_err(|error| OpenError::Compact {
            path: owned(),
            error,
        })?;
    let locked = matches!(output, Output::Locked(_));
    let destination = match output {
        Output::Locked(lock) => Destination::locked(lock, name),
        Output::Unlocked(file) => Destination::new(file, name),
    };
    Ok(Opened {
        destination: destination.map_err(|error| OpenError::Open {
            path: owned(),
            error,
        })?,
        done: found.done,
        kept: found.kept,
        dropped_infra: found.infra.len() as u64,
        repaired_bytes: found.torn_bytes,
        locked,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::outcome;
    use super::super::writer::Sink;
    use super::*;
    use crate::spec::outcome::Status;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::PathBuf;

    fn line(id: &str, status: Status) -> String {
        serde_json::to_string(&outcome(id, status)).unwrap() + "\n"
    }

    fn scratch() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("results.jsonl");
        (directory, path)
    }

    #[test]
    fn results_are_never_overwritten() {
        let (_directory, path) = scratch();
        fs::write(&path, line("a", Status::Ok)).unwrap();
        let message = open_output(&path, false).unwrap_err().to_string();
        assert!(
            message.contains("already holds results; add --resume"),
            "{message}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), line("a", Status::Ok));
    }

    #[test]
    fn a_second_runner_is_refused_until_the_first_has_ended() {
        let (_directory, path) = scratch();
        let first = open_output(&path, false).unwrap();
        let message = open_output(&path, true).unwrap_err().to_string();
        assert!(
            message.starts_with("another runner is writing"),
            "{message}"
        );
        drop(first);
        open_output(&path, true).unwrap();
    }

    #[tokio::test]
    async fn resuming_cuts_the_torn_line_drops_infra_errors_and_appends() {
        let (_directory, path) = scratch();
        let keep = line("a", Status::Ok) + &line("c", Status::Timeout);
        let before = line("x", Status::InfraError)
            + &line("a", Status::Ok)
            + &line("b", Status::InfraError)
            + &line("c", Status::Timeout)
            + "{\"id\":\"d\",\"sta";
        fs::write(&path, before).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let opened = open_output(&path, true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), keep);
        assert_eq!(
            (
                opened.kept.total(),
                opened.dropped_infra,
                opened.repaired_bytes
            ),
            (2, 2, 14)
        );
        assert!(
            opened.done.contains("a") && opened.done.contains("c") && !opened.done.contains("b")
        );
        assert!(opened.locked && matches!(open_output(&path, true), Err(OpenError::Busy(_))));
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o640
        );
        let sink = Sink::start(opened.destination).unwrap();
        sink.send(outcome("d", Status::Ok), None).await;
        sink.finish().await.unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            keep + &line("d", Status::Ok)
        );
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_torn_end_alone_is_cut_in_place() {
        let (_directory, path) = scratch();
        fs::write(&path, line("a", Status::Ok) + "{\"id\"").unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        assert_eq!(open_output(&path, true).unwrap().repaired_bytes, 5);
        assert_eq!(fs::read_to_string(&path).unwrap(), line("a", Status::Ok));
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
    }

    #[test]
    fn a_link_to_a_results_file_stays_a_link() {
        let (directory, path) = scratch();
        let link = directory.path().join("latest");
        fs::write(&path, line("a", Status::InfraError)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        open_output(&link, true).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn a_file_of_something_else_is_left_as_it_is() {
        let (_directory, path) = scratch();
        fs::write(&path, "name,score\nada,10\n").unwrap();
        let message = open_output(&path, true).unwrap_err().to_string();
        assert!(
            message.contains("results.jsonl line 1 is not a result"),
            "{message}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "name,score\nada,10\n");
    }

    #[test]
    fn outputs_that_cannot_be_written_are_refused_with_the_remedy() {
        let (directory, _) = scratch();
        let message = |path: &Path, resume| open_output(path, resume).unwrap_err().to_string();
        assert!(message(directory.path(), false).contains("is a directory; name a file in it"));
        assert!(
            message(&directory.path().join("no/r.jsonl"), false)
                .contains("does not exist; create it")
        );
        assert!(
            message(Path::new("/proc/r.jsonl"), false).starts_with("cannot write /proc/r.jsonl")
        );
        assert!(message(Path::new("/dev/null"), true).contains("nothing to resume"));
        assert!(
            open_output(Path::new("/dev/null"), false)
                .unwrap()
                .destination
                .is_null()
        );
    }
}
