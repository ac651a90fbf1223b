//! What /proc says of processes (proc(5)).

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What a file of /proc says. Names in it, of processes and of files, may be any bytes: what is not UTF-8 is replaced, and
/// hides nothing.
///
/// # Errors
///
/// `ENOENT` and `ESRCH` where the process is gone; what open(2) and read(2) say otherwise.
pub(crate) fn text(path: impl AsRef<Path>) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

/// Whether /proc is mounted and shows this process.
pub(crate) fn is_mounted() -> bool {
    fs::metadata("/proc/self/status").is_ok()
}

/// All that this PID namespace has.
pub(crate) fn all_processes() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Children of every thread of a process (CONFIG_PROC_CHILDREN), or a scan of all processes without it.
pub(crate) fn children(pid: i32) -> Vec<i32> {
    let tasks = PathBuf::from(format!("/proc/{pid}/task"));
    // A directory per thread, and the two that every directory has: most processes need no listing.
    let threads: Vec<PathBuf> = match fs::metadata(&tasks) {
        Ok(meta) if meta.nlink() <= 3 => vec![tasks.join(pid.to_string())],
        Ok(_) => {
            let listed = fs::read_dir(&tasks).into_iter().flatten().flatten();
            listed.map(|thread| thread.path()).collect()
        }
        Err(_) => return Vec::new(),
    };
    let mut found = Vec::new();
    for thread in threads {
        match text(thread.join("children")) {
            Ok(list) => found.extend(
                list.split_whitespace()
                    .filter_map(|p| p.parse::<i32>().ok()),
            ),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && thread.exists() => {
                let is_child = |p: &i32| Stat::read(*p).is_some_and(|stat| stat.parent == pid);
                return all_processes().into_iter().filter(is_child).collect();
            }
            Err(_) => {}
        }
    }
    found
}

/// Threads of all processes of a uid, which is what RLIMIT_NPROC counts. Files of /proc are root's where a process forbids
/// inspection, so it is what they say that counts.
pub(crate) fn processes_of(uid: u32) -> u32 {
    let threads = |pid: i32| {
        let status = text(format!("/proc/{pid}/status")).ok()?;
        let value = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name))?;
            value.split_whitespace().next()?.parse::<u32>().ok()
        };
        (value("Uid:")? == uid).then(|| value("Threads:").unwrap_or(1))
    };
    all_processes().into_iter().filter_map(threads).sum()
}

/// Pages in memory (proc_pid_statm(5)); `None` when it is gone.
pub(crate) fn resident_pages(pid: i32) -> Option<u64> {
    let text = text(format!("/proc/{pid}/statm")).ok()?;
    text.split(' ').nth(1)?.parse().ok()
}

/// `S` for one that sleeps, `T` for one that was stopped and so on (proc_pid_status(5)); `None` when it is gone. In contrast to
/// what [`Stat`] reads, this waits for nobody.
pub(crate) fn state(pid: i32) -> Option<char> {
    let status = text(format!("/proc/{pid}/status")).ok()?;
    let state = status
        .lines()
        .find_map(|line| line.strip_prefix("State:"))?;
    state.trim_start().chars().next()
}

/// Whether a process has been stopped.
pub(crate) fn is_stopped(pid: i32) -> bool {
    state(pid) == Some('T')
}

/// Threads of a process; none when it is gone.
pub(crate) fn threads(pid: i32) -> impl Iterator<Item = i32> {
    let listed = fs::read_dir(format!("/proc/{pid}/task"));
    let entries = listed.into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// How long the first thread of a process has run, and how long it has waited for a core while it could have run, in
/// nanoseconds (CONFIG_SCHED_INFO; Documentation/scheduler/sched-stats). What it waits for now is not in it. `None` where the
/// kernel does not tell, or the process is gone.
pub(crate) fn run_and_wait_ns(pid: i32) -> Option<(u64, u64)> {
    let text = text(format!("/proc/{pid}/schedstat")).ok()?;
    let mut numbers = text.split_ascii_whitespace().map(|n| n.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// What /proc/<pid>/stat says of a process, or /proc/<pid>/task/<tid>/stat of a thread (proc_pid_stat(5)). Newer kernels
/// (seen in Linux 6.18) let the reader wait while the process is within execve(2), for a core if it has to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub state: char,
    pub parent: i32,
    pub group: i32,
    /// CPU time of the process and of the children it has waited for, in clock ticks.
    pub cpu_ticks: u64,
    /// Of that, what is of the children.
    pub waited_ticks: u64,
    pub nice: i32,
    /// SCHED_OTHER and so on (sched(7)).
    pub policy: i32,
    pub threads: i64,
}

impl Stat {
    /// `None` when it is gone.
    pub(crate) fn read(pid: i32) -> Option<Stat> {
        Stat::of(format!("/proc/{pid}/stat"))
    }

    /// Of one thread. The CPU time is that of the whole process.
    pub(crate) fn of_thread(pid: i32, thread: i32) -> Option<Stat> {
        Stat::of(format!("/proc/{pid}/task/{thread}/stat"))
    }

    fn of(path: String) -> Option<Stat> {
        let text = text(path).ok()?;
        // The name is in parentheses and may itself hold spaces, parentheses and line ends.
        let mut fields = text[text.rfind(')')? + 1..].split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let numbers: Vec<i64> = fields.map(|n| n.parse().unwrap_or(0)).collect();
        // Fields are counted from 1 in the manual, and the first number is the fourth field.
        let field = |number: usize| numbers.get(number - 4).copied();
        Some(Stat {
            state,
            parent: field(4)? as i32,
            group: field(5)? as i32,
            cpu_ticks: (14..=17).filter_map(field).sum::<i64>() as u64,
            waited_ticks: (16..=17).filter_map(field).sum::<i64>() as u64,
            nice: field(19)? as i32,
            policy: field(41)? as i32,
            threads: field(20)?,
        })
    }

    /// Whether it only waits to be reaped. Where other threads go on, a process whose first thread has ended looks like it.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X') && self.threads <= 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_parent_is_read_from_proc() {
        let own = Stat::read(nix::unistd::getpid().as_raw()).unwrap();
        assert_eq!(own.parent, nix::unistd::getppid().as_raw());
        assert!(!own.is_dead());
    }
}
