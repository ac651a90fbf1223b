//! Who lives in the slot, and what they use: the readings behind the limits.

use crate::spec::policy::Tier;
use crate::sys::sysv;
use nix::sys::statfs::statfs;
use nix::unistd::{Pid, SysconfVar, getpid, sysconf};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Finds the processes of the episode.
pub struct Census {
    tier: Tier,
    /// Landlock tier: our own child that is not part of any episode.
    zygote: Option<Pid>,
    page_bytes: u64,
    ticks_per_second: u64,
}

/// What the episode's processes use at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub memory_bytes: u64,
    pub cpu_us: u64,
}

impl Census {
    pub fn new(tier: Tier, zygote: Option<Pid>) -> Self {
        let setting = |name, fallback| sysconf(name).ok().flatten().map_or(fallback, |v| v as u64);
        Census {
            tier,
            zygote,
            page_bytes: setting(SysconfVar::PAGE_SIZE, 4096),
            ticks_per_second: setting(SysconfVar::CLK_TCK, 100),
        }
    }

    /// Every process of the episode, zombies included.
    pub fn processes(&self) -> Vec<i32> {
        match self.tier {
            // The PID namespace holds us and the episode, nothing else.
            Tier::Namespaces => all_processes()
                .into_iter()
                .filter(|pid| *pid != 1)
                .collect(),
            Tier::Landlock => self.descendants(),
        }
    }

    /// The program the zygote started last, and what can be told to belong to it: its process group and its
    /// descendants.
    pub fn program(&self) -> Vec<i32> {
        // In the namespaces tier the zygote is outside, and a parent outside reads as 0.
        let zygote = i64::from(self.zygote.map_or(0, Pid::as_raw));
        let all = self.processes();
        let stats: Vec<_> = all
            .iter()
            .filter_map(|pid| Some((*pid, stat_fields(*pid)?)))
            .collect();
        let from_zygote = stats.iter().filter(|(_, stat)| stat[PARENT] == zygote);
        let Some(leader) = from_zygote.map(|(pid, _)| *pid).max() else {
            return Vec::new();
        };
        let mut found = vec![leader];
        loop {
            let more: Vec<i32> = stats
                .iter()
                .filter(|(pid, stat)| {
                    let group = stat[GROUP] == i64::from(leader);
                    let child = found.iter().any(|p| stat[PARENT] == i64::from(*p));
                    (group || child) && !found.contains(pid)
                })
                .map(|(pid, _)| *pid)
                .collect();
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }

    /// A process that is dead but not yet waited for.
    pub fn is_zombie(&self, pid: i32) -> bool {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rfind(')')
            .is_none_or(|end| stat[end + 1..].starts_with(" Z"))
    }

    /// Memory and CPU time of the whole tree now. `limit` spares the exact but slow count while even the
    /// upper bound (every shared page counted in every process) is below it.
    pub fn read(&self, limit: u64, with_cpu: bool) -> Reading {
        let processes = self.processes();
        let mut reading = Reading::default();
        for pid in &processes {
            reading.memory_bytes += statm_resident(*pid).unwrap_or(0) * self.page_bytes;
            if with_cpu {
                reading.cpu_us += self.cpu_us(*pid);
            }
        }
        let files = self.files_in_memory();
        reading.memory_bytes += files;
        if reading.memory_bytes >= limit {
            reading.memory_bytes = exact(&processes, files);
        }
        reading
    }

    /// Bytes on disk of files that are open but no longer have a name, on the device of `root`.
    pub fn unlinked_bytes(&self, root: &Path) -> u64 {
        use std::os::unix::fs::MetadataExt;
        let Ok(device) = fs::metadata(root).map(|meta| meta.dev()) else {
            return 0;
        };
        let mut files = BTreeMap::new();
        for pid in self.processes() {
            let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))
                .into_iter()
                .flatten();
            // Follows the link to the open file itself.
            let opened = descriptors
                .flatten()
                .filter_map(|fd| fs::metadata(fd.path()).ok());
            let unlinked = opened.filter(|meta| meta.nlink() == 0 && meta.dev() == device);
            files.extend(unlinked.map(|meta| (meta.ino(), meta.blocks() * 512)));
        }
        files.values().sum()
    }

    /// Bytes held by files of the private root and System V segments; on the landlock tier files are on disk.
    pub fn files_in_memory(&self) -> u64 {
        if self.tier == Tier::Landlock {
            return 0;
        }
        let files = statfs("/").map_or(0, |s| {
            (s.blocks() - s.blocks_free()) * s.block_size() as u64
        });
        files + sysv::usage().shared_pages * self.page_bytes
    }

    fn cpu_us(&self, pid: i32) -> u64 {
        let fields = stat_fields(pid).unwrap_or_default();
        let ticks: i64 = fields.iter().skip(UTIME).take(4).sum();
        ticks as u64 * (1_000_000 / self.ticks_per_second)
    }

    fn descendants(&self) -> Vec<i32> {
        let own = getpid().as_raw();
        let zygote = self.zygote.map(Pid::as_raw);
        let mut found = BTreeSet::new();
        let mut open: Vec<i32> = [Some(own), zygote].into_iter().flatten().collect();
        while let Some(parent) = open.pop() {
            for child in children(parent) {
                if Some(child) != zygote && found.insert(child) {
                    open.push(child);
                }
            }
        }
        found.into_iter().collect()
    }
}

/// Anonymous memory by proportional share, so that pages which fork shares count once, plus shared memory.
fn exact(processes: &[i32], files: u64) -> u64 {
    let (mut anonymous, mut shared) = (0, 0);
    for pid in processes {
        let Ok(text) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else {
            continue;
        };
        anonymous += kilobytes(&text, "Pss_Anon:") * 1024;
        // Files of the private root are counted as files already; shared anonymous mappings are in no file.
        if kilobytes(&text, "Pss_Shmem:") > 0 {
            shared += shared_anonymous(*pid);
        }
    }
    anonymous + shared + files
}

/// Proportional share of `mmap(MAP_SHARED | MAP_ANONYMOUS)` memory, which the kernel names /dev/zero.
fn shared_anonymous(pid: i32) -> u64 {
    let Ok(text) = fs::read_to_string(format!("/proc/{pid}/smaps")) else {
        return 0;
    };
    let mut bytes = 0;
    let mut counts = false;
    for line in text.lines() {
        match line.split_once(':') {
            Some(("Pss", value)) if counts => bytes += first_number(value) * 1024,
            Some((name, _)) if !name.contains(' ') => {}
            _ => counts = line.ends_with("/dev/zero (deleted)"),
        }
    }
    bytes
}

fn kilobytes(text: &str, name: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .map_or(0, first_number)
}

fn first_number(text: &str) -> u64 {
    text.split_whitespace()
        .next()
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}

fn all_processes() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Children of every thread of a process (CONFIG_PROC_CHILDREN), or a scan of all processes without it.
fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for thread in threads.flatten() {
        match fs::read_to_string(thread.path().join("children")) {
            Ok(list) => found.extend(
                list.split_whitespace()
                    .filter_map(|p| p.parse::<i32>().ok()),
            ),
            Err(_) => {
                let is_child = |p: &i32| stat_field(*p, PARENT) == Some(pid as i64);
                return all_processes().into_iter().filter(is_child).collect();
            }
        }
    }
    found
}

/// Threads of all processes of a uid, which is what RLIMIT_NPROC counts.
pub fn processes_of(uid: u32) -> u32 {
    use std::os::unix::fs::MetadataExt;
    let threads = |pid: i32| {
        let directory = format!("/proc/{pid}/task");
        let owner = fs::metadata(&directory).ok()?.uid();
        (owner == uid).then(|| fs::read_dir(&directory).map_or(0, |tasks| tasks.count() as u32))
    };
    all_processes().into_iter().filter_map(threads).sum()
}

fn statm_resident(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    text.split(' ').nth(1)?.parse().ok()
}

/// Indices into the numbers after the process's state in /proc/<pid>/stat (proc_pid_stat(5)).
const PARENT: usize = 0;
const GROUP: usize = 1;
/// utime, stime, cutime and cstime, in clock ticks, follow each other.
const UTIME: usize = 10;

fn stat_field(pid: i32, index: usize) -> Option<i64> {
    stat_fields(pid)?.get(index).copied()
}

fn stat_fields(pid: i32) -> Option<Vec<i64>> {
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
        let own = getpid().as_raw();
        assert_eq!(
            stat_field(own, PARENT),
            Some(nix::unistd::getppid().as_raw() as i64)
        );
        assert!(statm_resident(own).unwrap() > 100);
    }

    #[test]
    fn the_exact_count_of_our_own_memory_is_below_the_upper_bound() {
        let own = getpid().as_raw();
        let upper = statm_resident(own).unwrap() * 4096;
        let counted = exact(&[own], 0);
        assert!(
            counted > 0 && counted <= upper + (8 << 20),
            "{counted} of {upper}"
        );
    }
}
