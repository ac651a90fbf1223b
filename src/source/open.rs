//! Jobs files as streams of decoded bytes: plain, gzip or Zstandard, on disk or on stdin.
//!
//! The first bytes decide what a file is, so that a name without an extension works too; an
//! extension that promises compression must be kept.

use super::format::{Format, head};
use crate::compression::Compression;
use crate::sys::stdio::stdin_was_closed;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// Why a jobs file cannot be read, in one sentence.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error("jobs file {file} does not exist; check the path given to --jobs")]
    Missing { file: Arc<str> },
    #[error("jobs file {file} is a directory; name the .jsonl files in it, each with --jobs")]
    Directory { file: Arc<str> },
    #[error(
        "jobs file {file} may not be read by this user; change its permissions or run as its owner"
    )]
    Denied { file: Arc<str> },
    #[error("jobs file {file} cannot be read: {cause}")]
    Other { file: Arc<str>, cause: io::Error },
    #[error("jobs file {file} is {found}; unpack or convert it to .jsonl, .jsonl.gz or .jsonl.zst")]
    Unsupported { file: Arc<str>, found: &'static str },
    #[error(
        "jobs file {file} is named as {named} but does not hold {named} data; rename it, or fetch it again"
    )]
    Misnamed { file: Arc<str>, named: &'static str },
    #[error(
        "{file} cannot be kept in {} for checking ({cause}); free space there, set TMPDIR, or leave --strict out",
        std::env::temp_dir().display()
    )]
    Spool { file: Arc<str>, cause: io::Error },
    #[error("stdin (-) is given to --jobs more than once; it can be read only once")]
    StdinTwice,
    #[error(
        "stdin is closed, so there are no episodes to read; open it, or name a file with --jobs FILE"
    )]
    StdinClosed,
}

/// A jobs file that can be opened, or stdin.
#[derive(Clone, Debug)]
pub struct Jobs {
    /// As the user wrote it; `stdin` for `-`.
    pub name: Arc<str>,
    /// Where a relative `host_path` starts: the file's directory, or the current one.
    pub base_dir: PathBuf,
    input: Input,
}

#[derive(Clone, Debug)]
enum Input {
    Stdin,
    /// A pipe or the like: readable once.
    Stream(PathBuf),
    File(PathBuf),
    /// A stream that was copied to an unnamed file.
    Spooled(Arc<File>),
}

/// The files given to `--jobs`, once it is clear that each of them can be read.
pub fn open_all(paths: &[PathBuf]) -> Result<Vec<Jobs>, OpenError> {
    if paths.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(OpenError::StdinTwice);
    }
    paths.iter().map(|path| Jobs::new(path)).collect()
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

impl Jobs {
    /// Checks that `path` (`-` for stdin) can be read. A stream is not touched.
    pub fn new(path: &Path) -> Result<Jobs, OpenError> {
        let here = PathBuf::from(".");
        if is_stdin(path) {
            if stdin_was_closed() {
                return Err(OpenError::StdinClosed);
            }
            return Ok(Jobs {
                name: "stdin".into(),
                base_dir: here,
                input: Input::Stdin,
            });
        }
        let name: Arc<str> = path.to_string_lossy().into();
        let kind = path.metadata().map_err(|e| refused(&name, e))?.file_type();
        if kind.is_dir() {
            return Err(OpenError::Directory { file: name });
        }
        if !kind.is_file() {
            return Ok(Jobs {
                name,
                base_dir: here,
                input: Input::Stream(path.to_owned()),
            });
        }
        let base_dir = match path.parent() {
            Some(dir) if dir != Path::new("") => dir.to_owned(),
            _ => here,
        };
        let jobs = Jobs {
            name,
            base_dir,
            input: Input::File(path.to_owned()),
        };
        jobs.open()?;
        Ok(jobs)
    }

    /// Whether it can be read only once.
    pub fn is_stream(&self) -> bool {
        matches!(self.input, Input::Stdin | Input::Stream(_))
    }

    /// Decoded bytes from the start. Blocks until a stream has its first bytes.
    pub(super) fn open(&self) -> Result<Box<dyn Read + Send>, OpenError> {
        let mut input = self.open_raw()?;
        let head = head(&mut *input).map_err(|e| refused(&self.name, e))?;
        let format = Format::of(&head);
        if let Some(promised) = Compression::promised_by(&self.name)
            && Format::Known(promised) != format
            && !head.is_empty()
        {
            return Err(OpenError::Misnamed {
                file: self.name.clone(),
                named: promised.name(),
            });
        }
        let input = Cursor::new(head).chain(input);
        match format {
            Format::Known(compression) => {
                let reader = compression.reader(input);
                reader.map_err(|e| refused(&self.name, e))
            }
            Format::Unsupported(found) => Err(OpenError::Unsupported {
                file: self.name.clone(),
                found,
            }),
        }
    }

    /// Copies a stream to an unnamed temporary file, as it is, so that it can be read again.
    pub(super) fn spool(&mut self) -> Result<(), OpenError> {
        let spool = |cause| OpenError::Spool {
            file: self.name.clone(),
            cause,
        };
        let mut copy = tempfile::tempfile().map_err(spool)?;
        let mut input = self.open_raw()?;
        io::copy(&mut input, &mut copy).map_err(spool)?;
        self.input = Input::Spooled(Arc::new(copy));
        Ok(())
    }

    fn open_raw(&self) -> Result<Box<dyn Read + Send>, OpenError> {
        let open = || -> io::Result<Box<dyn Read + Send>> {
            Ok(match &self.input {
                // Past std's own buffer: a read returns what is there.
                Input::Stdin => Box::new(File::from(io::stdin().as_fd().try_clone_to_owned()?)),
                Input::Stream(path) | Input::File(path) => Box::new(File::open(path)?),
                Input::Spooled(file) => Box::new(FromStart {
                    file: Arc::clone(file),
                    offset: 0,
                }),
            })
        };
        open().map_err(|e| refused(&self.name, e))
    }
}

fn refused(file: &Arc<str>, cause: io::Error) -> OpenError {
    let file = Arc::clone(file);
    match cause.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => OpenError::Missing { file },
        io::ErrorKind::PermissionDenied => OpenError::Denied { file },
        io::ErrorKind::IsADirectory => OpenError::Directory { file },
        _ => OpenError::Other { file, cause },
    }
}

/// Reads a shared file from its start, whatever others do with its offset.
struct FromStart {
    file: Arc<File>,
    offset: u64,
}

impl Read for FromStart {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        (dir, path)
    }

    fn read(path: &Path) -> io::Result<String> {
        let mut text = String::new();
        Jobs::new(path)
            .unwrap()
            .open()
            .unwrap()
            .read_to_string(&mut text)?;
        Ok(text)
    }

    fn refusal(path: &Path) -> String {
        Jobs::new(path).unwrap_err().to_string()
    }

    fn gz(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn plain_gzip_and_zstandard_files_read_the_same_whatever_their_name() {
        let zst = zstd::encode_all(&b"one\n"[..], 1).unwrap();
        for (name, content) in [
            ("a.jsonl", b"one\n".to_vec()),
            ("a.jsonl.gz", gz(b"one\n")),
            ("a.jsonl.zst", zst.clone()),
            ("a", gz(b"one\n")),
            ("b", zst.clone()),
            // As pzstd begins its files.
            (
                "c.jsonl.zst",
                [&b"\x50\x2A\x4D\x18\x04\0\0\0\x11\0\0\0"[..], &zst].concat(),
            ),
        ] {
            let (_dir, path) = file(name, &content);
            assert_eq!(read(&path).unwrap(), "one\n", "{name}");
        }
    }

    #[test]
    fn an_empty_file_is_empty_whatever_its_name() {
        for name in ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"] {
            let (_dir, path) = file(name, b"");
            assert_eq!(read(&path).unwrap(), "");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_refused_with_its_name_and_a_remedy() {
        let (dir, path) = file("a.jsonl.gz", b"{}\n");
        assert!(refusal(&path).contains("a.jsonl.gz is named as gzip but"));
        assert!(refusal(dir.path()).contains("is a directory; name the .jsonl files"));
        assert!(refusal(&dir.path().join("none")).contains("none does not exist; check the path"));
        let (_dir, path) = file("a.xz", b"\xFD7zXZ\0...");
        assert!(refusal(&path).contains("is xz-compressed; unpack"));
    }

    #[test]
    fn stdin_can_be_named_once() {
        let stdin = || PathBuf::from("-");
        assert!(open_all(&[stdin()]).unwrap()[0].is_stream());
        assert!(matches!(
            open_all(&[stdin(), stdin()]),
            Err(OpenError::StdinTwice)
        ));
    }

    #[test]
    fn a_spooled_stream_reads_the_same_twice() {
        let (_dir, path) = file("a.jsonl", &gz(b"one\n"));
        let mut jobs = Jobs::new(&path).unwrap();
        jobs.spool().unwrap();
        std::fs::remove_file(&path).unwrap();
        for _ in 0..2 {
            let mut text = String::new();
            jobs.open().unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "one\n");
        }
    }
}
