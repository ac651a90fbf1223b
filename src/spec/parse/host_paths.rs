//! What an episode asks for of the host: paths must exist and lie where the user allows it, and the network takes
//! a flag of its own.
//!
//! The one part of parsing that asks the host's file tree (it resolves links; it opens nothing).

use super::check::choice;
use super::location::Location;
use super::{FileContext, Flaw, quoted};
use crate::spec::fields::NETWORK;
use crate::spec::policy::{Grants, Network};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// Why a host path cannot be seen inside a sandbox; reads on after the name of the field or flag.
#[derive(Debug, Error)]
pub enum PathNotGranted {
    #[error("names {0}, which is not absolute; write the full host path")]
    NotAbsolute(String),
    #[error("names {path}, which cannot be used ({cause}); correct the path or create it")]
    Missing { path: String, cause: String },
    #[error("names {0}, which is not UTF-8; rename it, or grant the directory that it is in")]
    NotUtf8(String),
    #[error(
        "names {path}, which is or leads to {place}: that would show the host's own system to an episode; name a narrower path"
    )]
    System { path: String, place: &'static str },
    #[error(
        "names {0}, which is a socket: whoever serves it would take orders from an episode; name files or directories"
    )]
    Socket(String),
    #[error(
        "names {path}, which holds {file:?} of this run: programs could rewrite it; grant a narrower path, or keep that file elsewhere"
    )]
    OwnFile { path: String, file: PathBuf },
}

/// Whether programs may write to this canonical path, where the run itself reads and writes these files.
pub fn check_own_files(path: &Path, own_files: &[PathBuf]) -> Result<(), PathNotGranted> {
    match own_files.iter().find(|file| file.starts_with(path)) {
        None => Ok(()),
        Some(file) => Err(PathNotGranted::OwnFile {
            path: quoted(&path.to_string_lossy()),
            file: file.clone(),
        }),
    }
}

/// The canonical form of a host path that is to be seen inside sandboxes, for `fs_readable` and
/// `fs_writable` and the flags of these names.
pub fn grantable(path: &Path) -> Result<PathBuf, PathNotGranted> {
    let shown = || quoted(&path.to_string_lossy());
    if !path.is_absolute() {
        return Err(PathNotGranted::NotAbsolute(shown()));
    }
    let canonical = canonical(path).map_err(|cause| PathNotGranted::Missing {
        path: shown(),
        cause,
    })?;
    if canonical.to_str().is_none() {
        return Err(PathNotGranted::NotUtf8(shown()));
    }
    if canonical == Path::new("/") {
        return Err(PathNotGranted::System {
            path: shown(),
            place: "/",
        });
    }
    let shared_memory = canonical.starts_with("/dev/shm") && canonical != Path::new("/dev/shm");
    for place in ["/proc", "/sys", "/dev"] {
        if canonical.starts_with(place) && !shared_memory {
            return Err(PathNotGranted::System {
                path: shown(),
                place,
            });
        }
    }
    if canonical
        .metadata()
        .is_ok_and(|m| m.file_type().is_socket())
    {
        return Err(PathNotGranted::Socket(shown()));
    }
    Ok(canonical)
}

fn canonical(path: &Path) -> Result<PathBuf, String> {
    path.canonicalize().map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => e.to_string(),
    })
}

/// The grants of one episode: those of the flags and its own.
pub(super) fn grants(
    readable: Option<Vec<String>>,
    writable: Option<Vec<String>>,
    network: Option<&str>,
    file: &FileContext,
) -> Result<Arc<Grants>, Flaw> {
    let network = self::network(network, file)?;
    let readable = readable.unwrap_or_default();
    let writable = writable.unwrap_or_default();
    if readable.is_empty() && writable.is_empty() && network == file.defaults.grants.network {
        return Ok(Arc::clone(&file.defaults.grants));
    }
    let mut grants = Grants::clone(&file.defaults.grants);
    add("fs_readable", &readable, &mut grants.readable, &[], file)?;
    let own_files = &file.defaults.own_files;
    add(
        "fs_writable",
        &writable,
        &mut grants.writable,
        own_files,
        file,
    )?;
    grants.network = network;
    Ok(Arc::new(grants))
}

fn network(value: Option<&str>, file: &FileContext) -> Result<Network, Flaw> {
    let network = choice(Location::Episode, &NETWORK, value)?;
    if network == Network::Host && !file.defaults.allow_host_network {
        return Err(Flaw::new(
            "network",
            "asks for the host's network; start the runner with --allow-host-network if the episodes may have it",
        ));
    }
    Ok(network)
}

fn add(
    field: &str,
    paths: &[String],
    to: &mut Vec<PathBuf>,
    own_files: &[PathBuf],
    file: &FileContext,
) -> Result<(), Flaw> {
    for (i, path) in paths.iter().enumerate() {
        let field = format!("{field}[{i}]");
        let granted = grantable(Path::new(path)).map_err(|e| Flaw::new(&field, e))?;
        check_allowed(&field, path, &granted, file)?;
        check_own_files(&granted, own_files).map_err(|e| Flaw::new(&field, e))?;
        to.push(granted);
    }
    to.sort_unstable();
    to.dedup();
    Ok(())
}

/// The canonical form of a `host_path`, and whether it is a directory.
pub(super) fn input(field: &str, path: &str, file: &FileContext) -> Result<(PathBuf, bool), Flaw> {
    let missing = |cause| {
        Flaw::new(
            field,
            PathNotGranted::Missing {
                path: quoted(path),
                cause,
            },
        )
    };
    if path.is_empty() || path.contains('\0') {
        return Err(missing("it is empty or holds a NUL character".to_owned()));
    }
    let found = canonical(&file.base_dir.join(path)).map_err(missing)?;
    check_allowed(field, path, &found, file)?;
    let kind = found
        .metadata()
        .map_err(|e| missing(e.to_string()))?
        .file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Err(missing("it is neither a file nor a directory".to_owned()));
    }
    Ok((found, kind.is_dir()))
}

fn check_allowed(field: &str, named: &str, found: &Path, file: &FileContext) -> Result<(), Flaw> {
    if file
        .allowed
        .iter()
        .any(|allowed| found.starts_with(allowed))
    {
        return Ok(());
    }
    let named = quoted(named);
    let (dir, what) = match &file.defaults.allow_paths {
        None => (
            file.base_dir.display().to_string(),
            "the jobs file's directory",
        ),
        Some(_) => ("every --allow-path".to_owned(), "what this run allows"),
    };
    let found = found.display();
    Err(Flaw::new(
        field,
        format_args!(
            "names {named} ({found}), which is outside {dir}, {what}; \
             start the runner with --allow-path {found} if the episodes may have it"
        ),
    ))
}
