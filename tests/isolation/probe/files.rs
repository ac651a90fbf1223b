//! Ways to a file whose path the attacker knows: reading, writing, linking, running.

use crate::raw::{call, number, path};
use crate::{Attempt, Probe};
use nix::errno::Errno;
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt, symlink};
use std::path::Path;
use std::process::Command;

pub const PROBES: &[Probe] = &[
    ("read", |a| read(&a[0])),
    ("read-openat2", read_openat2),
    ("read-symlinks", read_symlinks),
    ("read-hard-link", read_hard_link),
    ("read-renamed", read_renamed),
    ("read-from-directory", read_from_directory),
    ("read-mapped", read_mapped),
    ("list", list),
    ("write", write),
    ("write-reopened", write_reopened),
    ("open-truncating", |a| {
        done(OpenOptions::new().write(true).truncate(true).open(&a[0]))
    }),
    ("truncate", |a| {
        call(libc::SYS_truncate, &[path(&text(&a[0])), 0]).map(said)
    }),
    ("create", |a| done(File::create_new(&a[0]))),
    ("create-unnamed", create_unnamed),
    ("unlink", |a| done(fs::remove_file(&a[0]))),
    ("rmdir", |a| done(fs::remove_dir(&a[0]))),
    ("mkdir", |a| done(fs::create_dir(&a[0]))),
    ("symlink", |a| done(symlink("/", &a[0]))),
    ("mkfifo", |a| {
        nix::unistd::mkfifo(a[0].as_str(), nix::sys::stat::Mode::S_IRWXU).map(|()| "it".into())
    }),
    ("rename", |a| done(fs::rename(&a[0], &a[1]))),
    ("rename-in", rename_in),
    ("exchange", exchange),
    ("link", |a| done(fs::hard_link(&a[0], &a[1]))),
    ("link-in", link_in),
    ("link-descriptor", link_descriptor),
    ("run", run),
    ("run-by-loader", run_by_loader),
    ("run-descriptor", run_descriptor),
    ("device", device),
    ("lease", lease),
];

fn errno(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

fn done<T>(result: io::Result<T>) -> Attempt {
    result.map(|_| "it".into()).map_err(errno)
}

fn said(_: i64) -> String {
    "it".into()
}

fn text(argument: &str) -> CString {
    CString::new(argument).expect("no NUL")
}

fn read(file: &str) -> Attempt {
    let mut content = Vec::new();
    let opened = File::open(file).map_err(errno)?;
    opened.take(4096).read_to_end(&mut content).map_err(errno)?;
    Ok(String::from_utf8_lossy(&content).replace('\0', " "))
}

fn read_openat2(arguments: &[String]) -> Attempt {
    let mut how = [libc::O_RDONLY as u64, 0, number(&arguments[1])];
    let root = File::open("/").map_err(errno)?;
    let name = text(arguments[0].trim_start_matches('/'));
    let how_at = how.as_mut_ptr() as u64;
    let fd = call(
        libc::SYS_openat2,
        &[root.as_raw_fd() as u64, path(&name), how_at, 24],
    )?;
    read_opened(fd)
}

/// `read-symlinks PATH DIRECTORY`: through a chain of links in the directory.
fn read_symlinks(arguments: &[String]) -> Attempt {
    let link = |name: &str| format!("{}/{name}", arguments[1]);
    symlink(&arguments[0], link("first")).map_err(errno)?;
    symlink("first", link("second")).map_err(errno)?;
    symlink("./second", link("third")).map_err(errno)?;
    read(&link("third"))
}

fn read_hard_link(arguments: &[String]) -> Attempt {
    fs::hard_link(&arguments[0], &arguments[1]).map_err(errno)?;
    read(&arguments[1])
}

fn read_renamed(arguments: &[String]) -> Attempt {
    fs::rename(&arguments[0], &arguments[1]).map_err(errno)?;
    read(&arguments[1])
}

/// Upwards from a directory that may be opened.
fn read_from_directory(arguments: &[String]) -> Attempt {
    let here = File::open(".").map_err(errno)?;
    let name = text(&format!("{}{}", "../".repeat(20), &arguments[0]));
    let fd = call(
        libc::SYS_openat,
        &[here.as_raw_fd() as u64, path(&name), 0, 0],
    )?;
    read_opened(fd)
}

fn read_opened(fd: i64) -> Attempt {
    // SAFETY: the descriptor was just opened and has no other owner.
    let mut file = unsafe { File::from_raw_fd(fd as i32) };
    let mut content = String::new();
    file.read_to_string(&mut content).map_err(errno)?;
    Ok(content)
}

/// Maps the file instead of reading it, for writing too.
fn read_mapped(arguments: &[String]) -> Attempt {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&arguments[0])
        .map_err(errno)?;
    let shared = libc::MAP_SHARED as u64;
    let fd = file.as_raw_fd() as u64;
    call(
        libc::SYS_mmap,
        &[
            0,
            4096,
            (libc::PROT_READ | libc::PROT_WRITE) as u64,
            shared,
            fd,
            0,
        ],
    )
    .map(said)
}

fn list(arguments: &[String]) -> Attempt {
    let names: io::Result<Vec<_>> = fs::read_dir(&arguments[0])
        .map_err(errno)?
        .map(|e| e.map(|e| e.file_name()))
        .collect();
    Ok(format!("{:?}", names.map_err(errno)?))
}

fn write(arguments: &[String]) -> Attempt {
    let mut file = OpenOptions::new()
        .append(true)
        .open(&arguments[0])
        .map_err(errno)?;
    done(file.write_all(b"written"))
}

/// Opened without rights (O_PATH), then again for writing through /proc.
fn write_reopened(arguments: &[String]) -> Attempt {
    let held = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(&arguments[0])
        .map_err(errno)?;
    let again = format!("/proc/self/fd/{}", held.as_raw_fd());
    let file = OpenOptions::new().write(true).open(again).map_err(errno)?;
    done(file.write_at(b"written", 0))
}

/// A file without a name (O_TMPFILE), which is then given one.
fn create_unnamed(arguments: &[String]) -> Attempt {
    let file = OpenOptions::new()
        .write(true)
        .mode(0o600)
        .custom_flags(libc::O_TMPFILE)
        .open(&arguments[0])
        .map_err(errno)?;
    let from = text(&format!("/proc/self/fd/{}", file.as_raw_fd()));
    let to = text(&format!("{}/unnamed", arguments[0]));
    let here = libc::AT_FDCWD as u64;
    let follow = libc::AT_SYMLINK_FOLLOW as u64;
    call(
        libc::SYS_linkat,
        &[here, path(&from), here, path(&to), follow],
    )
    .map(said)
}

fn rename_in(arguments: &[String]) -> Attempt {
    let own = format!("{}/own", arguments[1]);
    fs::write(&own, "x").map_err(errno)?;
    let result = done(fs::rename(&own, &arguments[0]));
    let _ = fs::remove_file(own);
    result
}

fn exchange(arguments: &[String]) -> Attempt {
    let own = format!("{}/own", arguments[1]);
    fs::write(&own, "x").map_err(errno)?;
    let here = libc::AT_FDCWD as u64;
    let (own, other) = (text(&own), text(&arguments[0]));
    let flag = u64::from(libc::RENAME_EXCHANGE);
    call(
        libc::SYS_renameat2,
        &[here, path(&own), here, path(&other), flag],
    )
    .map(said)
}

fn link_in(arguments: &[String]) -> Attempt {
    let own = format!("{}/own", arguments[1]);
    fs::write(&own, "x").map_err(errno)?;
    done(fs::hard_link(&own, &arguments[0]))
}

/// A hard link to what a descriptor stands for, by way of /proc.
fn link_descriptor(arguments: &[String]) -> Attempt {
    let held = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(&arguments[0])
        .map_err(errno)?;
    let from = text(&format!("/proc/self/fd/{}", held.as_raw_fd()));
    let to = text(&arguments[1]);
    let here = libc::AT_FDCWD as u64;
    let follow = libc::AT_SYMLINK_FOLLOW as u64;
    call(
        libc::SYS_linkat,
        &[here, path(&from), here, path(&to), follow],
    )?;
    read(&arguments[1])
}

fn succeeds(command: &mut Command) -> Attempt {
    let output = command.output().map_err(errno)?;
    if output.status.success() {
        Ok("the program".into())
    } else {
        Err(Errno::EACCES)
    }
}

fn run(arguments: &[String]) -> Attempt {
    succeeds(&mut Command::new(&arguments[0]))
}

/// The loader only reads the program: no right to execute it is asked for.
fn run_by_loader(arguments: &[String]) -> Attempt {
    let loaders = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
    let loader = loaders
        .into_iter()
        .find(|l| Path::new(l).exists())
        .ok_or(Errno::ENOENT)?;
    succeeds(Command::new(loader).arg(&arguments[0]))
}

fn run_descriptor(arguments: &[String]) -> Attempt {
    let held = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(&arguments[0])
        .map_err(errno)?;
    let (name, empty) = (text("probe"), text(""));
    let mut argv = [path(&name), 0];
    let mut envp = [0u64];
    let fd = held.as_raw_fd() as u64;
    let flag = libc::AT_EMPTY_PATH as u64;
    let arguments = [
        fd,
        path(&empty),
        argv.as_mut_ptr() as u64,
        envp.as_mut_ptr() as u64,
        flag,
    ];
    // SAFETY: this program has one thread, and the child only execs or ends.
    match unsafe { nix::unistd::fork()? } {
        nix::unistd::ForkResult::Child => {
            let failed = call(libc::SYS_execveat, &arguments).err();
            std::process::exit(failed.map_or(1, |errno| errno as i32));
        }
        nix::unistd::ForkResult::Parent { child } => match nix::sys::wait::waitpid(child, None)? {
            nix::sys::wait::WaitStatus::Exited(_, 0) => Ok("the program".into()),
            nix::sys::wait::WaitStatus::Exited(_, code) => Err(Errno::from_raw(code)),
            _ => Err(Errno::EIO),
        },
    }
}

/// `device PATH MODE NUMBER`
fn device(arguments: &[String]) -> Attempt {
    let here = libc::AT_FDCWD as u64;
    let name = text(&arguments[0]);
    call(
        libc::SYS_mknodat,
        &[
            here,
            path(&name),
            number(&arguments[1]),
            number(&arguments[2]),
        ],
    )
    .map(said)
}

/// Holds up everybody else who opens the file, for as long as /proc/sys/fs/lease-break-time says.
fn lease(arguments: &[String]) -> Attempt {
    let file = File::open(&arguments[0]).map_err(errno)?;
    let fd = file.as_raw_fd() as u64;
    call(
        libc::SYS_fcntl,
        &[fd, libc::F_SETLEASE as u64, libc::F_WRLCK as u64],
    )
    .map(said)
}
