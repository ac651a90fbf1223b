//! Every number there is, with arguments that no call can do anything with.

use crate::raw::{NONE, call, number};
use crate::{Attempt, Probe};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

pub const PROBES: &[Probe] = &[
    ("calls", calls),
    ("prctls", prctls),
    ("fcntls", |range| {
        options(range, |n| (libc::SYS_fcntl, [NONE, n, NONE]))
    }),
    ("ioctls", |range| {
        options(range, |n| (libc::SYS_ioctl, [NONE, n, NONE]))
    }),
    ("get-socket-options", |range| {
        options(range, |n| (libc::SYS_getsockopt, [NONE, SOCKET, n]))
    }),
    ("set-socket-options", |range| {
        options(range, |n| (libc::SYS_setsockopt, [NONE, SOCKET, n]))
    }),
];

const SOCKET: u64 = libc::SOL_SOCKET as u64;

/// `calls FROM TO`: the answers to system calls of these numbers, in 64 bits, as `number=answer`. What is neither
/// EPERM nor ENOSYS is `answered`.
fn calls(arguments: &[String]) -> Attempt {
    answers(arguments, |number| call(number, &[NONE; 6]).map(drop))
}

/// The same for the options of prctl(2).
fn prctls(arguments: &[String]) -> Attempt {
    let option = |number| [number as u64, NONE, NONE, NONE, NONE];
    answers(arguments, |number| {
        call(libc::SYS_prctl, &option(number)).map(drop)
    })
}

/// The same for options of calls on a descriptor that nobody has: who gets past the filter is told so.
fn options(range: &[String], of: impl Fn(u64) -> (i64, [u64; 3])) -> Attempt {
    let numbers = number(&range[0])..=number(&range[1]);
    let answer = |n: u64| {
        let (number, arguments) = of(n);
        match call(number, &arguments) {
            Err(Errno::EPERM) => format!("{n}=EPERM"),
            _ => format!("{n}=answered"),
        }
    };
    Ok(numbers.map(answer).collect::<Vec<_>>().join(" "))
}

fn answers(range: &[String], attempt: impl Fn(i64) -> Result<(), Errno>) -> Attempt {
    let number = |text: &String| text.parse::<i64>().expect("a number");
    let list: Result<Vec<String>, Errno> = (number(&range[0])..=number(&range[1]))
        .map(|number| Ok(format!("{number}={}", alone(|| attempt(number))?)))
        .collect();
    list.map(|list| list.join(" "))
}

/// In a process of its own, which may end by it or hang in it.
fn alone(attempt: impl FnOnce() -> Result<(), Errno>) -> Result<&'static str, Errno> {
    const DENIED: i32 = 41;
    const UNAVAILABLE: i32 = 42;
    // SAFETY: the probe is single-threaded, so the child may do all that the parent could.
    match unsafe { fork() }? {
        ForkResult::Child => {
            // A denied call returns at once; one that waits was let through.
            nix::unistd::alarm::set(2);
            let code = match attempt() {
                Err(Errno::EPERM) => DENIED,
                Err(Errno::ENOSYS) => UNAVAILABLE,
                _ => 0,
            };
            // SAFETY: ends the process without running the parent's exit handlers a second time.
            unsafe { libc::_exit(code) }
        }
        ForkResult::Parent { child } => Ok(match waitpid(child, None)? {
            WaitStatus::Exited(_, DENIED) => "EPERM",
            WaitStatus::Exited(_, UNAVAILABLE) => "ENOSYS",
            WaitStatus::Signaled(_, Signal::SIGSYS, _) => "SIGSYS",
            _ => "answered",
        }),
    }
}
