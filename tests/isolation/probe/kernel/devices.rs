//! Device nodes, terminals, and the kernel's own files in /proc and /sys.

use crate::raw::{NONE, address, call, done, in_child, text};
use crate::{Attempt, Probe, errno};
use nix::errno::Errno;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub const PROBES: &[Probe] = &[
    ("terminal", terminal),
    ("harmless-ioctls", |_| harmless()),
    ("open", open),
    ("open-any", open_any),
    ("writable-below", |arguments| writable_below(&arguments[0])),
    ("kallsyms", |_| kallsyms()),
    ("core-limit", core_limit),
    ("crash", |_| in_child(|| std::process::abort())),
    ("attributes", |arguments| attributes(&arguments[0])),
];

/// `terminal REQUEST`, in hexadecimal: an ioctl on a terminal made for it. Where none can be had, on no descriptor
/// at all, which tells a filter (EPERM) from the kernel (EBADF) too.
fn terminal(arguments: &[String]) -> Attempt {
    let request = u64::from_str_radix(&arguments[0], 16).expect("a hexadecimal number");
    in_child(|| {
        let _ = call(libc::SYS_setsid, &[]);
        let read_write = (libc::O_RDWR) as u64;
        let master = call(
            libc::SYS_openat,
            &[libc::AT_FDCWD as u64, text(c"/dev/ptmx"), read_write],
        );
        let slave = master.and_then(|master| {
            let mut unlocked = 0i32;
            call(
                libc::SYS_ioctl,
                &[master as u64, libc::TIOCSPTLCK, address(&mut unlocked)],
            )?;
            call(
                libc::SYS_ioctl,
                &[master as u64, libc::TIOCGPTPEER, read_write],
            )
        });
        let slave = slave.map_or(NONE, |slave| slave as u64);
        // A character to type, TIOCLINUX's subcode 6 (the state of the shift keys), line discipline 0: all readable.
        let mut argument = [6u64, 0];
        if request as u32 == libc::TIOCSETD as u32 {
            argument = [0, 0];
        }
        match call(libc::SYS_ioctl, &[slave, request, address(&mut argument)]) {
            // A pseudo-terminal is no console: the kernel was asked.
            Err(Errno::ENOTTY) => Ok("the terminal driver".into()),
            other => other.map(|_| "the terminal".into()),
        }
    })
}

/// Requests that programs make on every descriptor.
fn harmless() -> Attempt {
    let (from, _to) = nix::unistd::pipe()?;
    let fd = from.as_raw_fd() as u64;
    for request in [libc::FIOCLEX, libc::FIONCLEX] {
        call(libc::SYS_ioctl, &[fd, request, 0])?;
    }
    let mut length = 0i32;
    for request in [libc::FIONBIO, libc::FIONREAD, 1 << 32 | libc::FIONREAD] {
        call(libc::SYS_ioctl, &[fd, request, address(&mut length)])?;
    }
    Ok("a pipe".into())
}

fn options(mode: &str) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(mode.contains('r')).write(mode.contains('w'));
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    options
}

/// `open PATH MODE`: to read, write, or both.
fn open(arguments: &[String]) -> Attempt {
    let file = options(&arguments[1]).open(&arguments[0]).map_err(errno)?;
    Ok(format!("{file:?}"))
}

/// `open-any PATH…`: the paths that open at all.
fn open_any(paths: &[String]) -> Attempt {
    let opens = |path: &&String| {
        ["r", "w"]
            .iter()
            .any(|mode| options(mode).open(path).is_ok())
    };
    let opened: Vec<&str> = paths.iter().filter(opens).map(String::as_str).collect();
    found(&opened)
}

fn found(list: &[&str]) -> Attempt {
    match list {
        [] => Err(Errno::EACCES),
        list => Ok(list.join(" ")),
    }
}

/// Files below a directory that open for writing, processes' own directories left out.
fn writable_below(directory: &str) -> Attempt {
    let mut list = Vec::new();
    walk(Path::new(directory), &mut list);
    let list: Vec<&str> = list.iter().map(String::as_str).collect();
    found(&list)
}

fn walk(directory: &Path, list: &mut Vec<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let own = name
            .to_string_lossy()
            .starts_with(|c: char| c.is_ascii_digit());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !own => walk(&path, list),
            Ok(kind) if kind.is_file() && options("w").open(&path).is_ok() => {
                list.push(path.display().to_string());
            }
            _ => {}
        }
    }
}

/// Addresses of the kernel, other than zeroes.
fn kallsyms() -> Attempt {
    let text = fs::read_to_string("/proc/kallsyms").map_err(errno)?;
    let address = |line: &&str| {
        line.split(' ')
            .next()
            .is_some_and(|a| a.contains(|c| c != '0'))
    };
    let line = text.lines().find(address).ok_or(Errno::EACCES)?;
    Ok(line.to_owned())
}

/// `core-limit SOFT HARD`
fn core_limit(arguments: &[String]) -> Attempt {
    let number = |text: &String| text.parse::<u64>().expect("a number");
    let mut limit = [number(&arguments[0]), number(&arguments[1])];
    let core = u64::from(libc::RLIMIT_CORE);
    let set = done(libc::SYS_prlimit64, &[0, core, address(&mut limit), 0]);
    let too = done(libc::SYS_setrlimit, &[core, address(&mut limit)]);
    set.or(too)?;
    // What counts is whether it took effect.
    let mut now = [0u64; 2];
    call(libc::SYS_getrlimit, &[core, address(&mut now)])?;
    if now == limit {
        Ok(format!("a core limit of {}", limit[0]))
    } else {
        Err(nix::errno::Errno::EPERM)
    }
}

/// Attributes of a file that one owns need no more than a descriptor to read it by (ioctl_iflags(2)).
fn attributes(path: &str) -> Attempt {
    const NO_DUMP: u32 = 0x40;
    const GET: u64 = 0x8008_6601;
    const SET: u64 = 0x4008_6602;
    let file = File::open(path).map_err(errno)?;
    let fd = file.as_raw_fd() as u64;
    let mut flags = 0u32;
    call(libc::SYS_ioctl, &[fd, GET, address(&mut flags)])?;
    flags ^= NO_DUMP;
    done(libc::SYS_ioctl, &[fd, SET, address(&mut flags)])
}
