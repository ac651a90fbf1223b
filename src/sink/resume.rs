//! Opens `--output` before anything runs: who may write it, and what it already holds.
//!
//! It is never overwritten: without `--resume` it must be empty. With it, a torn end is cut off, and what does not count is
//! dropped: `infra_error` lines, because their episodes run again; earlier lines of an id that has several; and verdicts
//! that don't hold any more, as the caller says. So every id has one verdict at most.

use super::counts::Counts;
use super::decoded::Decoded;
use super::destination::Destination;
use super::done::DoneIds;
use super::open_error::OpenError;
use super::results_file::Output;
use super::scan::{IsOutdated, Scan, ScanError, find_stale, scan};
use crate::compression::Compression;
use crate::spec::outcome::Status;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

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
    /// Verdicts that were removed because another one counts, or none does any more.
    pub dropped_stale: Counts,
    /// Bytes of a torn last line that were cut off.
    pub repaired_bytes: u64,
    /// Whether the end of a compressed file was torn.
    pub repaired_frame: bool,
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
            dropped_stale: Counts::default(),
            repaired_bytes: 0,
            repaired_frame: false,
            locked: true,
        }
    }
}

/// An output that is this runner's alone and was read, and in which nothing was changed yet.
pub struct Held {
    path: PathBuf,
    kind: Kind,
}

enum Kind {
    File {
        output: Output,
        /// Its path without symbolic links.
        real: PathBuf,
        compression: Compression,
        found: Box<Scan>,
    },
    /// A device or a FIFO.
    Stream(File),
}

/// Opens, locks and, with `resume`, reads the file that results go to.
///
/// Devices and FIFOs are opened for writing without a lock (a FIFO: once it has a reader).
pub fn hold_output(path: &Path, resume: bool) -> Result<Held, OpenError> {
    let held = |kind| Held {
        path: path.to_owned(),
        kind,
    };
    match fs::metadata(path) {
        Ok(m) if m.is_dir() => Err(OpenError::Directory(path.to_owned())),
        Ok(m) if !m.is_file() && resume => Err(OpenError::NotResumable(path.to_owned())),
        Ok(m) if !m.is_file() => {
            let opened = OpenOptions::new().write(true).open(path);
            let file = opened.map_err(|error| not_opened(path, error))?;
            Ok(held(Kind::Stream(file)))
        }
        _ => {
            let (output, real) = Output::acquire(path)?;
            let length = output.file().metadata();
            let length = length.map_err(|error| not_read(path, error))?.len();
            if length > 0 && !resume {
                return Err(OpenError::HoldsResults(path.to_owned()));
            }
            let compression = compression(path, output.file())?;
            let found = Box::new(match length {
                0 => Scan::default(),
                _ => read(path, output.file(), compression)?,
            });
            Ok(held(Kind::File {
                output,
                real,
                compression,
                found,
            }))
        }
    }
}

impl Held {
    /// Ids that have a verdict, and what on. They are left out of what [`Held::open`] returns.
    pub fn take_done(&mut self) -> DoneIds {
        match &mut self.kind {
            Kind::File { found, .. } => std::mem::take(&mut found.done),
            Kind::Stream(_) => DoneIds::default(),
        }
    }

    /// Whether lines are among them that were no valid episodes.
    pub fn has_invalid(&self) -> bool {
        match &self.kind {
            Kind::File { found, .. } => found.kept.get(Status::Invalid) > 0,
            Kind::Stream(_) => false,
        }
    }

    /// Drops no more than the verdicts that `is_outdated` names and those that another one supersedes; counts them.
    pub fn drop_outdated(mut self, is_outdated: &IsOutdated<'_>) -> Result<Counts, OpenError> {
        if let Kind::File { found, .. } = &mut self.kind {
            found.infra.clear();
        }
        let opened = self.open(Some(is_outdated))?;
        Ok(opened.dropped_stale)
    }

    /// Drops what does not count, and the verdicts that `is_outdated` names, and is ready to be written. The file is
    /// replaced as a whole or not at all.
    pub fn open(self, is_outdated: Option<&IsOutdated<'_>>) -> Result<Opened, OpenError> {
        let Held { path, kind } = self;
        let name = path.display().to_string();
        let (mut output, real, compression, mut found) = match kind {
            Kind::File {
                output,
                real,
                compression,
                found,
            } => (output, real, compression, found),
            Kind::Stream(file) => {
                let destination = Destination::new(file, name.clone());
                let destination = destination.map_err(|error| not_opened(&path, error))?;
                let compression = Compression::promised_by(&name).unwrap_or(Compression::None);
                return Ok(Opened::fresh(destination.compressed(compression)));
            }
        };
        let mut dropped_stale = Counts::default();
        if is_outdated.is_some() || !found.superseded.is_empty() {
            let is_outdated = is_outdated.unwrap_or(&|_| false);
            let stale = Decoded::open(output.file(), compression).and_then(|decoded| {
                let lines = BufReader::with_capacity(READ_BUFFER, decoded);
                find_stale(lines, &mut found, is_outdated)
            });
            dropped_stale = stale.map_err(|error| not_read(&path, error))?;
        }
        let repaired = output.repair(&real, compression, &found);
        repaired.map_err(|error| OpenError::Compact {
            path: path.clone(),
            error,
        })?;
        let locked = matches!(output, Output::Locked(_));
        let destination = match output {
            Output::Locked(lock) => Destination::locked(lock, name),
            Output::Unlocked(file) => Destination::new(file, name),
        };
        let destination = destination.map_err(|error| not_opened(&path, error))?;
        Ok(Opened {
            destination: destination.compressed(compression),
            done: found.done,
            kept: found.kept,
            dropped_infra: found.infra.len() as u64,
            dropped_stale,
            repaired_bytes: found.torn_bytes,
            repaired_frame: found.torn_frame,
            locked,
        })
    }
}

/// Opens an output whose verdicts all hold.
pub fn open_output(path: &Path, resume: bool) -> Result<Opened, OpenError> {
    hold_output(path, resume)?.open(None)
}

/// How it is compressed: as its content says, and where it has none, its name.
fn compression(path: &Path, file: &File) -> Result<Compression, OpenError> {
    let mut head = [0; 4];
    let length = file.read_at(&mut head, 0);
    let head = &head[..length.map_err(|error| not_read(path, error))?];
    let content = Compression::of_content(head);
    match Compression::promised_by(&path.to_string_lossy()) {
        // Maybe nothing, or the first bytes of the first one that was written, or one whose blocks were never filled.
        Some(promised) if promised.may_begin(head) || head.iter().all(|byte| *byte == 0) => {
            Ok(promised)
        }
        Some(promised) if promised != content => Err(OpenError::Misnamed {
            path: path.to_owned(),
            named: promised.name(),
            holds: content.name(),
        }),
        _ => Ok(content),
    }
}

fn read(path: &Path, file: &File, compression: Compression) -> Result<Scan, OpenError> {
    let decoded = Decoded::open(file, compression).map_err(|error| not_read(path, error))?;
    let mut lines = BufReader::with_capacity(READ_BUFFER, decoded);
    let found = scan(&mut lines);
    let mut found = found.map_err(|error| match error {
        ScanError::Io(error) => not_read(path, error),
        ScanError::NotAResult { line } => OpenError::NotResults {
            path: path.to_owned(),
            line,
        },
    })?;
    found.torn_frame =
        lines.get_ref().is_torn || compression != Compression::None && found.torn_bytes > 0;
    Ok(found)
}

fn not_opened(path: &Path, error: io::Error) -> OpenError {
    OpenError::Open {
        path: path.to_owned(),
        error,
    }
}

fn not_read(path: &Path, error: io::Error) -> OpenError {
    OpenError::Read {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests;
