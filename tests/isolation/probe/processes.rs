//! Attacks on another process: its memory, its descriptors, its life, its share of the processor.

use crate::raw::{address, call, number};
use crate::{Attempt, Probe};
use nix::errno::Errno;
use std::fs;
use std::io::{Read, Seek, SeekFrom};

pub const PROBES: &[Probe] = &[
    ("trace-attach", |a| trace(libc::PTRACE_ATTACH, pid(a))),
    ("trace-seize", |a| trace(libc::PTRACE_SEIZE, pid(a))),
    ("trace-me", |_| trace(libc::PTRACE_TRACEME, 0)),
    ("vm-read", |a| vm(libc::SYS_process_vm_readv, a)),
    ("vm-write", |a| vm(libc::SYS_process_vm_writev, a)),
    ("proc-memory", proc_memory),
    ("take-descriptor", take_descriptor),
    ("kill", |a| {
        call(libc::SYS_kill, &[pid(a), signal(a)]).map(said)
    }),
    ("tkill", |a| {
        call(libc::SYS_tkill, &[pid(a), signal(a)]).map(said)
    }),
    ("tgkill", |a| {
        call(libc::SYS_tgkill, &[pid(a), pid(a), signal(a)]).map(said)
    }),
    ("queue-signal", |a| {
        queue(libc::SYS_rt_sigqueueinfo, &[pid(a), signal(a)], a)
    }),
    ("queue-signal-thread", |a| {
        queue(libc::SYS_rt_tgsigqueueinfo, &[pid(a), pid(a), signal(a)], a)
    }),
    ("signal-descriptor", |a| {
        let fd = call(libc::SYS_pidfd_open, &[pid(a), 0])?;
        call(libc::SYS_pidfd_send_signal, &[fd as u64, signal(a), 0, 0]).map(said)
    }),
    ("signal-by-owner", signal_by_owner),
    ("limits", limits),
    ("priority", |a| {
        call(libc::SYS_setpriority, &[0, pid(a), 19]).map(said)
    }),
    ("priority-of-user", |_| {
        call(libc::SYS_setpriority, &[2, 0, 0]).map(said)
    }),
    ("affinity", |a| {
        let mut first = 1u64;
        call(
            libc::SYS_sched_setaffinity,
            &[pid(a), 8, address(&mut first)],
        )
        .map(said)
    }),
    ("scheduler", |a| {
        let mut priority = 0i32;
        let idle = libc::SCHED_IDLE as u64;
        call(
            libc::SYS_sched_setscheduler,
            &[pid(a), idle, address(&mut priority)],
        )
        .map(said)
    }),
    ("scheduler-parameters", |a| {
        let mut priority = 0i32;
        call(libc::SYS_sched_setparam, &[pid(a), address(&mut priority)]).map(said)
    }),
    ("scheduler-attributes", |a| {
        // struct sched_attr: size and policy, flags, nice and priority, runtime, deadline, period.
        let mut attributes = [48 | (libc::SCHED_IDLE as u64) << 32, 0, 0, 0, 0, 0];
        call(
            libc::SYS_sched_setattr,
            &[pid(a), address(&mut attributes), 0],
        )
        .map(said)
    }),
    ("io-priority", |a| {
        // IOPRIO_WHO_PROCESS, IOPRIO_CLASS_IDLE.
        call(libc::SYS_ioprio_set, &[1, pid(a), 3 << 13]).map(said)
    }),
    ("io-priority-of-user", |_| {
        // IOPRIO_WHO_USER, best effort, the middle: what is the default anyway.
        let uid = u64::from(nix::unistd::getuid().as_raw());
        call(libc::SYS_ioprio_set, &[3, uid, (2 << 13) | 4]).map(said)
    }),
    ("join-group", |a| {
        call(libc::SYS_setpgid, &[0, pid(a)]).map(said)
    }),
    ("compare", |a| {
        let own = u64::from(std::process::id());
        call(libc::SYS_kcmp, &[own, pid(a), 0, 0, 0]).map(said)
    }),
    ("keys", keys),
    ("descriptors", descriptors),
];

fn said(_: i64) -> String {
    "it".into()
}

/// The target: a number, or `parent`.
fn pid(arguments: &[String]) -> u64 {
    match arguments[0].as_str() {
        "parent" => nix::unistd::getppid().as_raw() as u64,
        other => number(other),
    }
}

fn signal(arguments: &[String]) -> u64 {
    arguments.get(1).map_or(libc::SIGKILL as u64, |s| number(s))
}

fn trace(request: libc::c_uint, pid: u64) -> Attempt {
    call(libc::SYS_ptrace, &[u64::from(request), pid, 0, 0]).map(said)
}

/// `vm-read PID ADDRESS`
fn vm(syscall: i64, arguments: &[String]) -> Attempt {
    let mut buffer = [0u8; 16];
    let mut local = [address(&mut buffer), 16];
    let mut remote = [number(&arguments[1]), 16];
    let (local, remote) = (address(&mut local), address(&mut remote));
    call(syscall, &[pid(arguments), local, 1, remote, 1, 0]).map(|n| format!("{n} bytes"))
}

/// `proc-memory PID ADDRESS`
fn proc_memory(arguments: &[String]) -> Attempt {
    let errno = |e: std::io::Error| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO));
    let mut file = fs::File::open(format!("/proc/{}/mem", pid(arguments))).map_err(errno)?;
    file.seek(SeekFrom::Start(number(&arguments[1])))
        .map_err(errno)?;
    file.read_exact(&mut [0; 16]).map_err(errno)?;
    Ok("its memory".into())
}

fn take_descriptor(arguments: &[String]) -> Attempt {
    let process = call(libc::SYS_pidfd_open, &[pid(arguments), 0])?;
    call(libc::SYS_pidfd_getfd, &[process as u64, 0, 0]).map(|fd| format!("descriptor {fd}"))
}

/// A signal with a value, which the kernel lets a program forge for others only as a user's (`SI_QUEUE`).
fn queue(syscall: i64, target: &[u64], arguments: &[String]) -> Attempt {
    let mut info = [0i32; 32];
    (info[0], info[2]) = (signal(arguments) as i32, libc::SI_QUEUE);
    let info = address(&mut info);
    call(syscall, &[target, &[info]].concat()).map(said)
}

/// Makes the target the owner of a pipe that signals its owner when something is written (F_SETOWN, F_SETSIG).
fn signal_by_owner(arguments: &[String]) -> Attempt {
    let (read, write) = nix::unistd::pipe()?;
    let fd = {
        use std::os::fd::AsRawFd;
        read.as_raw_fd() as u64
    };
    call(
        libc::SYS_fcntl,
        &[fd, libc::F_SETOWN as u64, pid(arguments)],
    )?;
    call(libc::SYS_fcntl, &[fd, F_SETSIG, signal(arguments)])?;
    call(
        libc::SYS_fcntl,
        &[
            fd,
            libc::F_SETFL as u64,
            (libc::O_ASYNC | libc::O_NONBLOCK) as u64,
        ],
    )?;
    nix::unistd::write(&write, b"x")?;
    Ok("it, if it is gone now".into())
}

const F_SETSIG: u64 = 10;

fn limits(arguments: &[String]) -> Attempt {
    let mut limit = [1u64, 1];
    let core = u64::from(libc::RLIMIT_CORE);
    call(
        libc::SYS_prlimit64,
        &[pid(arguments), core, address(&mut limit), 0],
    )
    .map(said)
}

/// Whether a key of that name can be seen.
fn keys(arguments: &[String]) -> Attempt {
    let list = fs::read_to_string("/proc/keys")
        .map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)))?;
    if list.contains(&arguments[0]) {
        Ok("a key".into())
    } else {
        Err(Errno::ENOKEY)
    }
}

/// Open descriptors other than the standard ones.
fn descriptors(_: &[String]) -> Attempt {
    let is_open = |fd: &u64| call(libc::SYS_fcntl, &[*fd, libc::F_GETFD as u64]).is_ok();
    let open: Vec<_> = (3..4096).filter(is_open).collect();
    // What is missing of the three is reported as well.
    let missing: Vec<_> = (0..3).filter(|fd| !is_open(fd)).collect();
    match (open.is_empty(), missing.is_empty()) {
        (true, true) => Err(Errno::EBADF),
        _ => Ok(format!("{open:?}, missing {missing:?}")),
    }
}
