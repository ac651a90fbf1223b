//! System calls by number, as an attacker makes them: past every wrapper that would check or change arguments.

use crate::Attempt;
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork, pipe, read, write};

/// The working directory, or no descriptor at all where one is expected (open(2), `AT_FDCWD`).
pub const HERE: u64 = libc::AT_FDCWD as u64;
/// An invalid descriptor.
pub const NONE: u64 = u64::MAX;

/// Makes a system call. The arguments are numbers, or addresses made with [`address`] and [`text`].
pub fn call(number: i64, arguments: &[u64]) -> Result<i64, Errno> {
    let at = |i: usize| arguments.get(i).copied().unwrap_or(0);
    // SAFETY: every pointer among the arguments comes from `address` or `text`, whose targets outlive the call, or
    // is deliberately invalid, which the kernel answers with EFAULT.
    let result = unsafe { libc::syscall(number, at(0), at(1), at(2), at(3), at(4), at(5)) };
    Errno::result(result)
}

/// A call whose success is what the attack is after.
pub fn done(number: i64, arguments: &[u64]) -> Attempt {
    call(number, arguments).map(|answer| format!("it: {answer}"))
}

/// A call that can't succeed harmlessly: these errors come from a kernel that was willing, and has looked further
/// than at the right to make the call.
pub fn willing(number: i64, arguments: &[u64], answers: &[Errno]) -> Attempt {
    match call(number, arguments) {
        Err(errno) if answers.contains(&errno) => Ok(format!("the kernel: {errno:?}")),
        other => other.map(|answer| format!("it: {answer}")),
    }
}

/// The address of a value, for a call that reads or writes it.
pub fn address<T>(value: &mut T) -> u64 {
    std::ptr::from_mut(value) as u64
}

/// The address of a literal C string.
pub fn text(text: &'static std::ffi::CStr) -> u64 {
    text.as_ptr() as u64
}

/// The address of a C string that outlives the call.
pub fn path(text: &std::ffi::CString) -> u64 {
    text.as_ptr() as u64
}

/// A number of the command line, decimal or `0x…`.
pub fn number(text: &str) -> u64 {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
    .unwrap_or_else(|_| panic!("{text} is not a number"))
}

/// A descriptor for a later call; an invalid one where the call was denied, so that the later call is still tried.
pub fn descriptor(number: i64, arguments: &[u64]) -> u64 {
    call(number, arguments).map_or(NONE, |fd| fd as u64)
}

/// Makes the attempt in a child, for attacks that change or end the process that tries them. A filter that kills
/// denies too; any other signal comes from a kernel that went along.
pub fn in_child(attempt: impl FnOnce() -> Attempt) -> Attempt {
    let (from_child, to_parent) = pipe()?;
    // SAFETY: the probe is single-threaded, so the child may do all that the parent could.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop(from_child);
            let line = match attempt() {
                Ok(what) => format!("+{what}"),
                Err(errno) => format!("-{}", errno as i32),
            };
            let _ = write(&to_parent, line.as_bytes());
            // SAFETY: ends the process without running the parent's exit handlers a second time.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            drop(to_parent);
            let mut buffer = [0; 512];
            let length = read(&from_child, &mut buffer)?;
            let status = waitpid(child, None)?;
            let line = String::from_utf8_lossy(&buffer[..length]).into_owned();
            match (line.split_at_checked(1), status) {
                (Some(("+", what)), _) => Ok(what.to_owned()),
                (Some((_, errno)), _) => Err(Errno::from_raw(errno.parse().expect("a number"))),
                (None, WaitStatus::Signaled(_, Signal::SIGSYS, _)) => {
                    println!("denied SIGSYS");
                    std::process::exit(0);
                }
                (None, status) => Ok(format!("an end by {status:?}")),
            }
        }
    }
}
