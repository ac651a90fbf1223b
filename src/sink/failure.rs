//! Why results could not be written, and what to do about it.

use std::io;

/// The name of stdout in messages.
pub(super) const STDOUT: &str = "stdout";

/// Why results could not be written. `unwritten` counts finished results that are lost.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    #[error(
        "stdout is closed, so results have nowhere to go; open it, or name a file with --output FILE"
    )]
    StdoutClosed,
    #[error(
        "cannot start the thread that writes results: {0}; raise the limit on processes (ulimit -u)"
    )]
    Thread(io::Error),
    #[error("{}", write_failed(name, error, *unwritten))]
    Write {
        name: String,
        error: io::Error,
        unwritten: u64,
    },
    #[error(
        "the reader of {name} stopped reading: {unwritten} finished results were not written; {}",
        again(name)
    )]
    Abandoned { name: String, unwritten: u64 },
}

fn write_failed(name: &str, error: &io::Error, unwritten: u64) -> String {
    let (what, first) = match error.raw_os_error() {
        Some(nix::libc::EPIPE) => (format!("the reader of {name} went away"), ""),
        Some(nix::libc::ENOSPC) => (format!("no space left for {name}"), "free space and "),
        Some(nix::libc::EDQUOT) => (
            format!("the disk quota left no space for {name}"),
            "free space and ",
        ),
        Some(nix::libc::EFBIG) => (
            format!("{name} reached the file size limit"),
            "raise the limit (ulimit -f) and ",
        ),
        _ => (
            format!("cannot write {name}: {error}"),
            "when it works again, ",
        ),
    };
    format!(
        "{what}: {unwritten} finished results were not written; {first}{}",
        again(name)
    )
}

fn again(name: &str) -> String {
    if name == STDOUT {
        "run again with --output FILE, which --resume can continue".into()
    } else {
        "run again with --resume".into()
    }
}
