//! The socket that clients connect to: a file that only its user may use, made at once or not at all.

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, Flock, FlockArg, OFlag, RenameFlags, open, renameat2};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat, lstat, umask};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::net::UnixListener;

/// Why a socket can't be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListenError {
    #[error("--socket {0:?}: another server listens there; stop it, or give this one another path")]
    Taken(PathBuf),
    #[error("--socket {0:?} exists and is no socket; remove it, or give another path")]
    NoSocket(PathBuf),
    #[error(
        "--socket {0:?} is longer than the 107 bytes that the kernel takes (unix(7)); give a shorter path"
    )]
    TooLong(PathBuf),
    #[error(
        "--socket {0:?}: somebody keeps its directory locked (flock(2)), as a server does while it starts; try again, or \
         give a path in a directory that nobody else can open"
    )]
    Locked(PathBuf),
    #[error(
        "--socket {path:?}: {error}; give a path in a directory that exists and can be written to"
    )]
    System { path: PathBuf, error: io::Error },
}

/// A socket that clients can connect to. The file goes with it.
pub(super) struct Socket {
    pub listener: UnixListener,
    path: PathBuf,
    identity: (u64, u64),
}

/// sun_path without its NUL, unix(7).
const MAX_PATH_BYTES: usize = 107;

/// How long another server may take to start. Whoever can open the directory can lock it, and for ever.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
const LOCK_INTERVAL: Duration = Duration::from_millis(10);

impl Socket {
    /// Makes it. What a server that is gone has left is replaced.
    pub(super) fn listen(path: &Path) -> Result<Socket, ListenError> {
        let failed = |error: io::Error| ListenError::System {
            path: path.to_owned(),
            error,
        };
        let os = |errno: Errno| failed(errno.into());
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // Under another name first, so that it is never there without being served.
        let made = directory.join(format!(".runner-{}", std::process::id()));
        if path.as_os_str().len().max(made.as_os_str().len()) > MAX_PATH_BYTES {
            return Err(ListenError::TooLong(path.to_owned()));
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = open(directory, flags, Mode::empty()).map_err(os)?;
        // Two servers that start at once must not take what the other has just made for left over.
        let _lock = lock(directory).map_err(|errno| match errno {
            Errno::EWOULDBLOCK => ListenError::Locked(path.to_owned()),
            other => os(other),
        })?;
        make_way(path)?;
        let _ = fs::remove_file(&made);
        let before = umask(Mode::from_bits_truncate(0o177));
        let bound = UnixListener::bind(&made);
        umask(before);
        let listener = bound.map_err(failed)?;
        let moved = renameat2(
            AT_FDCWD,
            &made,
            AT_FDCWD,
            path,
            RenameFlags::RENAME_NOREPLACE,
        );
        let stat = moved.and_then(|()| lstat(path)).inspect_err(|_| {
            let _ = fs::remove_file(&made);
        });
        Ok(Socket {
            listener,
            path: path.to_owned(),
            identity: identity(&stat.map_err(os)?),
        })
    }
}

/// Locks a directory; EWOULDBLOCK when somebody else keeps it locked.
fn lock(mut directory: OwnedFd) -> Result<Flock<OwnedFd>, Errno> {
    let end = Instant::now() + LOCK_TIMEOUT;
    loop {
        match Flock::lock(directory, FlockArg::LockExclusiveNonblock) {
            Err((unlocked, Errno::EWOULDBLOCK | Errno::EINTR)) if Instant::now() < end => {
                directory = unlocked;
                std::thread::sleep(LOCK_INTERVAL);
            }
            locked => return locked.map_err(|(_, errno)| errno),
        }
    }
}

fn make_way(path: &Path) -> Result<(), ListenError> {
    let Ok(there) = fstatat(AT_FDCWD, path, AtFlags::AT_SYMLINK_NOFOLLOW) else {
        return Ok(());
    };
    let kind = SFlag::from_bits_truncate(there.st_mode) & SFlag::S_IFMT;
    if kind != SFlag::S_IFSOCK {
        return Err(ListenError::NoSocket(path.to_owned()));
    }
    match connect_now(path) {
        Err(Errno::ECONNREFUSED) => fs::remove_file(path).map_err(|error| ListenError::System {
            path: path.to_owned(),
            error,
        }),
        _ => Err(ListenError::Taken(path.to_owned())),
    }
}

/// Connects without waiting for a server that has as many waiting as it takes (EAGAIN).
fn connect_now(path: &Path) -> Result<(), Errno> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)
}

fn identity(stat: &FileStat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

impl Drop for Socket {
    /// Removes the file, unless somebody has put another in its place.
    fn drop(&mut self) {
        if lstat(&self.path).is_ok_and(|stat| identity(&stat) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
