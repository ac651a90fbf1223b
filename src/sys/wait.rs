//! wait4(2), which nix lacks: reaping together with the resources the child used.

use nix::errno::Errno;
use nix::unistd::Pid;

/// A reaped process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reaped {
    pub how: How,
    /// User plus system time of it and the descendants it waited for, in microseconds.
    pub cpu_us: u64,
    /// Highest resident set of any one of them, in bytes.
    pub max_rss_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Exited(i32),
    Signaled(i32),
}

/// Waits for one child (`None`: any), blocking.
pub(crate) fn wait(pid: Option<Pid>) -> Result<Reaped, Errno> {
    loop {
        match wait4(pid, 0) {
            Ok(Some(reaped)) => return Ok(reaped),
            Ok(None) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Reaps a child that has already ended, if there is one. `Err(ECHILD)` when there are no children at all.
pub(crate) fn try_wait() -> Result<Option<Reaped>, Errno> {
    wait4(None, libc::WNOHANG)
}

/// Reaps what has ended: its CPU time in microseconds, and whether children are left.
pub(crate) fn reap_ended() -> (u64, bool) {
    let mut cpu_us = 0;
    loop {
        match try_wait() {
            Ok(Some(reaped)) => cpu_us += reaped.cpu_us,
            Ok(None) => return (cpu_us, true),
            Err(_) => return (cpu_us, false),
        }
    }
}

fn wait4(pid: Option<Pid>, options: i32) -> Result<Option<Reaped>, Errno> {
    let mut status = 0;
    // SAFETY: all-zero is a valid `rusage`, a struct of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let target = pid.map_or(-1, Pid::as_raw);
    // SAFETY: both pointers are to live locals that the kernel fills.
    let raw = unsafe { libc::wait4(target, &mut status, options, &mut usage) };
    let pid = Errno::result(raw)?;
    if pid == 0 {
        return Ok(None);
    }
    let how = if libc::WIFEXITED(status) {
        How::Exited(libc::WEXITSTATUS(status))
    } else if libc::WIFSIGNALED(status) {
        How::Signaled(libc::WTERMSIG(status))
    } else {
        return Ok(None);
    };
    let micros = |t: libc::timeval| t.tv_sec as u64 * 1_000_000 + t.tv_usec as u64;
    Ok(Some(Reaped {
        how,
        cpu_us: micros(usage.ru_utime) + micros(usage.ru_stime),
        max_rss_bytes: usage.ru_maxrss as u64 * 1024,
    }))
}
