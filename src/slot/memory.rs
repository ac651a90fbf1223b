//! Memory of a set of processes: a cheap upper bound that is read often, and an exact count for when the bound
//! reaches the limit.
//!
//! What counts: private memory by proportional share, so that pages which fork shares count once; page tables;
//! and shared anonymous mappings with the whole size of what is mapped, because what they hold can't be seen
//! from outside once no process has its pages mapped in (`MADV_DONTNEED`, or a child that filled them and
//! ended). Files of the private root and System V objects are the caller's to add.
//!
//! All numbers come from /proc/<pid>/status, maps and smaps_rollup (proc_pid_status(5); smaps_rollup, Linux 4.14).

use crate::sys::kcmp::share_memory;
use std::collections::BTreeMap;
use std::fs;

/// One process, as /proc/<pid>/status has it; all sizes in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process {
    pub pid: i32,
    parent: i32,
    /// For the caller's use: whether it stood still by itself.
    pub stopped: bool,
    /// Anonymous pages, each in full, with what is swapped out and huge pages.
    private: u64,
    page_tables: u64,
    /// Pages of files in memory and of shared anonymous mappings that are mapped in.
    shared: u64,
    /// All address space that is neither private and writable nor code: where shared mappings can be.
    elsewhere: u64,
}

impl Process {
    /// `None` when it is gone. Readable by everybody, even when the process forbids inspection.
    pub fn read(pid: i32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let (mut process, mut whole, mut known) = (Process::default(), 0, 0);
        process.pid = pid;
        for line in text.lines() {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let bytes = || first_number(value) * 1024;
            match name {
                "PPid" => process.parent = first_number(value) as i32,
                "RssAnon" | "VmSwap" | "HugetlbPages" => process.private += bytes(),
                "RssShmem" => process.shared = bytes(),
                "VmPTE" => process.page_tables = bytes(),
                "VmSize" => whole = bytes(),
                "VmData" | "VmStk" | "VmExe" | "VmLib" => known += bytes(),
                _ => {}
            }
        }
        process.elsewhere = whole.saturating_sub(known);
        Some(process)
    }
}

/// An upper bound of what these processes hold, except that pages of shared anonymous mappings count as long as
/// they may matter: below `limit` the number is what is mapped in.
pub fn bound(processes: &[Process], limit: u64) -> u64 {
    let sum = |field: fn(&Process) -> u64| processes.iter().map(field).sum::<u64>();
    let private = sum(|p| p.private + p.page_tables);
    if private + sum(|p| p.elsewhere) < limit {
        return private + sum(|p| p.shared);
    }
    let mut objects = Objects::default();
    private + processes.iter().map(|p| objects.add(p)).sum::<u64>() + objects.bytes()
}

/// What they hold, counted page by page: some 10 µs per MB. They had better stand still meanwhile.
pub fn exact(processes: &[Process]) -> u64 {
    let mut objects = Objects::default();
    let mut bytes = 0;
    for process in processes {
        let listed = processes.iter().any(|other| other.pid == process.parent);
        // Between vfork and exec, a child has the memory of its parent, not memory of its own.
        if listed && share_memory(process.pid, process.parent) {
            continue;
        }
        // A process that forbids inspection counts in full.
        let private = match fs::read_to_string(format!("/proc/{}/smaps_rollup", process.pid)) {
            Ok(text) if !text.is_empty() => {
                kilobytes(&text, "Pss_Anon:") + kilobytes(&text, "SwapPss:")
            }
            _ => process.private,
        };
        bytes += private + process.page_tables + objects.add(process);
    }
    bytes + objects.bytes()
}

/// Shared anonymous memory, by inode: the end of the furthest part that is mapped.
#[derive(Default)]
struct Objects(BTreeMap<u64, u64>);

impl Objects {
    /// Adds the objects a process has mapped. Returns what else of it may be shared memory, which is 0 unless
    /// the process forbids inspection.
    fn add(&mut self, process: &Process) -> u64 {
        if process.elsewhere == 0 {
            return 0;
        }
        let Ok(maps) = fs::read_to_string(format!("/proc/{}/maps", process.pid)) else {
            return process.elsewhere;
        };
        for (inode, end) in maps.lines().filter_map(object) {
            let known = self.0.entry(inode).or_default();
            *known = end.max(*known);
        }
        0
    }

    fn bytes(&self) -> u64 {
        self.0.values().sum()
    }
}

/// Inode and end of a mapping of shared anonymous memory, which the kernel names /dev/zero.
fn object(line: &str) -> Option<(u64, u64)> {
    if !line.ends_with("/dev/zero (deleted)") {
        return None;
    }
    let mut fields = line.split_ascii_whitespace();
    let (from, to) = fields.next()?.split_once('-')?;
    let hex = |text| u64::from_str_radix(text, 16).ok();
    let offset = hex(fields.nth(1)?)?;
    let inode = fields.nth(1)?.parse().ok()?;
    Some((inode, offset + hex(to)? - hex(from)?))
}

fn kilobytes(text: &str, name: &str) -> u64 {
    let mut lines = text.lines();
    1024 * lines
        .find_map(|line| line.strip_prefix(name))
        .map_or(0, first_number)
}

fn first_number(text: &str) -> u64 {
    text.split_whitespace()
        .next()
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_count_of_our_own_memory_is_below_the_upper_bound() {
        let own = Process::read(std::process::id() as i32).unwrap();
        let (upper, counted) = (bound(&[own], 0), exact(&[own]));
        assert!(
            counted > 0 && counted <= upper + (8 << 20),
            "{counted} of {upper}"
        );
    }

    #[test]
    fn shared_anonymous_memory_counts_up_to_its_furthest_mapped_part() {
        let line = "7f0000001000-7f0000003000 rw-s 00004000 00:01 4711   /dev/zero (deleted)";
        assert_eq!(object(line), Some((4711, 0x6000)));
        assert_eq!(
            object("7f0000001000-7f0000003000 rw-p 00000000 00:00 0"),
            None
        );
    }
}
