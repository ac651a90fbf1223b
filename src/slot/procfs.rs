//! What /proc says of processes (proc(5)).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// All that this PID namespace has.
pub fn all_processes() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Children of every thread of a process (CONFIG_PROC_CHILDREN), or a scan of all processes without it.
pub fn children(pid: i32) -> Vec<i32> {
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
        match fs::read_to_string(thread.join("children")) {
            Ok(list) => found.extend(
                list.split_whitespace()
                    .filter_map(|p| p.parse::<i32>().ok()),
            ),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && thread.exists() => {
                let is_child = |p: &i32| stat_field(*p, PARENT) == Some(pid as i64);
                return all_processes().into_iter().filter(is_child).collect();
            }
            Err(_) => {}
        }
    }
    found
}

/// Threads of all processes of a uid, which is what RLIMIT_NPROC counts.
pub fn processes_of(uid: u32) -> u32 {
    let threads = |pid: i32| {
        let directory = format!("/proc/{pid}/task");
        let owner = fs::metadata(&directory).ok()?.uid();
        (owner == uid).then(|| fs::read_dir(&directory).map_or(0, |tasks| tasks.count() as u32))
    };
    all_processes().into_iter().filter_map(threads).sum()
}

/// Pages in memory (proc_pid_statm(5)); `None` when it is gone.
pub fn resident_pages(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    text.split(' ').nth(1)?.parse().ok()
}

/// Indices into the numbers after the process's state in /proc/<pid>/stat (proc_pid_stat(5)).
pub const PARENT: usize = 0;
pub const GROUP: usize = 1;
/// utime, stime, cutime and cstime, in clock ticks, follow each other.
pub const UTIME: usize = 10;

/// Whether a process is in this state (proc_pid_stat(5)), or gone.
pub fn is_in_state(pid: i32, state: char) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rfind(')')
        .is_none_or(|end| stat[end + 1..].trim_start().starts_with(state))
}

fn stat_field(pid: i32, index: usize) -> Option<i64> {
    stat_fields(pid)?.get(index).copied()
}

/// The numbers after the process's state in /proc/<pid>/stat; `None` when it is gone.
pub fn stat_fields(pid: i32) -> Option<Vec<i64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may itself hold spaces and parentheses.
    let after_name = &text[text.rfind(')')? + 2..];
    Some(
        after_name
            .split(' ')
            .skip(1)
            .map(|n| n.parse().unwrap_or(0))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_parent_and_cpu_time_are_read_from_proc() {
        let own = nix::unistd::getpid().as_raw();
        assert_eq!(
            stat_field(own, PARENT),
            Some(nix::unistd::getppid().as_raw() as i64)
        );
    }
}
