//! A results file: its lock, and its repair for `--resume`.
//!
//! It is locked (flock) for as long as this runner may write to it, so two runners never mix their lines. A torn end is
//! cut off in place. Lines that have to go are dropped by writing the others to `<file>.compacting` and renaming that over
//! it, so that a crash leaves either the old file or the new one.

use super::decoded::{Decoded, Without};
use super::open_error::OpenError;
use super::scan::Scan;
use crate::compression::Compression;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the lock of a runner that is gone may be held.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// What is read and written at one time.
const BUFFER: usize = 1 << 18;

/// The file that results go to, open for reading and appending.
pub(super) enum Output {
    Locked(Flock<File>),
    /// On a file system without locks.
    Unlocked(File),
}

impl Output {
    pub(super) fn file(&self) -> &File {
        match self {
            Output::Locked(lock) => lock,
            Output::Unlocked(file) => file,
        }
    }

    /// Opens and locks `path`; also returns its path without symbolic links.
    pub(super) fn acquire(path: &Path) -> Result<(Self, PathBuf), OpenError> {
        loop {
            let file = OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .open(path);
            let file = file.map_err(|error| OpenError::of(path, error))?;
            let real = fs::canonicalize(path).map_err(|error| OpenError::of(path, error))?;
            let output = match lock(file) {
                Ok(output) => output,
                Err(Errno::EWOULDBLOCK) => return Err(OpenError::Busy(path.to_owned())),
                Err(errno) => return Err(OpenError::of(path, errno.into())),
            };
            // Between open and lock another runner may have renamed a new file over this one.
            let same =
                |a: &fs::Metadata, b: &fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
            match (output.file().metadata(), fs::metadata(&real)) {
                (Ok(mine), Ok(there)) if same(&mine, &there) => return Ok((output, real)),
                (Err(error), _) => return Err(OpenError::of(path, error)),
                _ => {}
            }
        }
    }

    /// Removes what `found` says must go.
    pub(super) fn repair(
        &mut self,
        real: &Path,
        compression: Compression,
        found: &Scan,
    ) -> io::Result<()> {
        let gaps = found.gaps();
        if !gaps.is_empty() || found.torn_frame {
            *self = self.compacted(real, compression, found.whole_bytes, &gaps)?;
        } else if found.torn_bytes > 0 {
            self.file().set_len(found.whole_bytes)?;
            self.file().sync_all()?;
        }
        Ok(())
    }

    /// The kept lines in a new file that has taken this one's place, and its lock.
    fn compacted(
        &self,
        real: &Path,
        compression: Compression,
        whole_bytes: u64,
        gaps: &[Range<u64>],
    ) -> io::Result<Self> {
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
        let copied = Decoded::open(self.file(), compression).and_then(|old| {
            let kept = Without::new(BufReader::with_capacity(BUFFER, old), whole_bytes, gaps);
            self.copy_kept(kept, &new, compression)
        });
        let result = copied.and_then(|()| {
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

    fn copy_kept(
        &self,
        mut kept: impl Read,
        new: &File,
        compression: Compression,
    ) -> io::Result<()> {
        let metadata = self.file().metadata()?;
        new.set_permissions(metadata.permissions())?;
        // Root keeps the owner; anybody else can only have a file of their own here.
        let _ = fchown(new, Some(metadata.uid()), Some(metadata.gid()));
        let mut buffered = BufWriter::with_capacity(BUFFER, new);
        compression.copy(&mut kept, &mut buffered)?;
        buffered.flush()?;
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
            Err((same, Errno::EAGAIN)) if begin.elapsed() < LOCK_TIMEOUT => file = same,
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
