//! Opens `--output` before anything runs: who may write it, and what it already holds.
//!
//! A results file is locked (flock) for as long as this runner may write to it, so two runners never
//! mix their lines. It is never overwritten: without `--resume` it must be empty. With it, a torn end
//! is cut off and `infra_error` lines are dropped by writing the kept lines to `<file>.compacting`
//! and renaming that over it, so that a crash leaves either the old file or the new one.

use super::counts::Counts;
use super::destination::Destination;
use super::done::DoneIds;
use super::scan::{Scan, ScanError, scan};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const READ_BUFFER: usize = 1 << 18;
/// How long the lock of a runner that is gone may be held.
const PATIENCE: Duration = Duration::from_secs(1);

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
    #[error("{} is not a regular file, so there is nothing to resume; leave out --resume, or choose another --output", .0.display())]
    NotResumable(PathBuf),
    #[error("cannot read {}: {error}; correct that, or choose another --output", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("cannot prepare {} for --resume: {error}; its results are untouched; make its directory writable and free some space", path.display())]
    Compact { path: PathBuf, error: io::Error },
}

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

enum Output {
    Locked(Flock<File>),
    /// On a file system without locks.
    Unlocked(File),
}

impl Output {
    fn file(&self) -> &File {
        match self {
            Output::Locked(lock) => lock,
            Output::Unlocked(file) => file,
        }
    }

    /// Opens and locks `path`; also returns its path without symbolic links.
    fn acquire(path: &Path) -> Result<(Self, PathBuf), OpenError> {
        loop {
            let file = OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .open(path);
            let file = file.map_err(|error| open_error(path, error))?;
            let real = fs::canonicalize(path).map_err(|error| open_error(path, error))?;
            let output = match lock(file) {
                Ok(output) => output,
                Err(Errno::EWOULDBLOCK) => return Err(OpenError::Busy(path.to_owned())),
                Err(errno) => return Err(open_error(path, errno.into())),
            };
            // Between open and lock another runner may have renamed a new file over this one.
            let same =
                |a: &fs::Metadata, b: &fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
            match (output.file().metadata(), fs::metadata(&real)) {
                (Ok(mine), Ok(there)) if same(&mine, &there) => return Ok((output, real)),
                (Err(error), _) => return Err(open_error(path, error)),
                _ => {}
            }
        }
    }

    /// Removes what `found` says must go.
    fn repair(&mut self, real: &Path, found: &Scan) -> io::Result<()> {
        if !found.infra.is_empty() {
            *self = self.compacted(real, found)?;
        } else if found.torn_bytes > 0 {
            self.file().set_len(found.whole_bytes)?;
            self.file().sync_all()?;
        }
        Ok(())
    }

    /// The kept lines in a new file that has taken this one's place, and its lock.
    fn compacted(&self, real: &Path, found: &Scan) -> io::Result<Self> {
        let mut temporary = real.as_os_str().to_owned();
        temporary.push(".compacting");
        let temporary = PathBuf::from(temporary);
        // Only the holder of the lock on `real` comes here: what lies there is a dead runner's.
        let _ = fs::remove_file(&temporary);
        let new = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .open(&temporary)?;
        let result = self.copy_kept(&new, found).and_then(|()| {
            let output = lock(new)?;
            fs::rename(&temporary, real)?;
            Ok(output)
        });
        match result {
            Ok(output) => {
                let directory = real.parent().unwrap_or(Path::new("/"));
                File::open(directory)
                    .and_then(|d| d.sync_all())
                    .or_else(ignore_unsupported)?;
                Ok(output)
            }
            Err(e) => {
                let _ = fs::remove_file(&temporary);
                Err(e)
            }
        }
    }

    fn copy_kept(&self, new: &File, found: &Scan) -> io::Result<()> {
        let old = self.file();
        let metadata = old.metadata()?;
        new.set_permissions(metadata.permissions())?;
        // Root keeps the owner; anybody else can only have a file of their own here.
        let _ = fchown(new, Some(metadata.uid()), Some(metadata.gid()));
        let end = found.whole_bytes..found.whole_bytes;
        let mut from = 0;
        for gap in found.infra.iter().cloned().chain(std::iter::once(end)) {
            (&*old).seek(SeekFrom::Start(from))?;
            let length = gap.start - from;
            if io::copy(&mut old.take(length), &mut &*new)? != length {
                return Err(io::Error::other("the file shrank while it was read"));
            }
            from = gap.end;
        }
        new.sync_all()
    }
}

/// Locks, and waits a moment for it: of a runner that was killed, a slot process that had not execed yet may hold the
/// lock a little longer. A file system that knows no locks yields an unlocked file.
fn lock(mut file: File) -> Result<Output, Errno> {
    let begin = Instant::now();
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(Output::Locked(lock)),
            Err((file, Errno::ENOSYS | Errno::EOPNOTSUPP | Errno::ENOLCK)) => {
                return Ok(Output::Unlocked(file));
            }
            Err((same, Errno::EAGAIN)) if begin.elapsed() < PATIENCE => file = same,
            Err((_, errno)) => return Err(errno),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn ignore_unsupported(e: io::Error) -> io::Result<()> {
    match e.raw_os_error() {
        Some(nix::libc::EINVAL | nix::libc::EOPNOTSUPP | nix::libc::EACCES) => Ok(()),
        _ => Err(e),
    }
}

fn open_error(path: &Path, error: io::Error) -> OpenError {
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

#[cfg(test)]
mod tests {
    use super::super::testing::outcome;
    use super::super::writer::Sink;
    use super::*;
    use crate::spec::outcome::Status;
    use std::os::unix::fs::PermissionsExt;

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
