//! Memory of a set of processes: a cheap upper bound that is read often, and an exact count for when the bound
//! reaches the limit.
//!
//! What counts: private memory by proportional share, so that pages which fork shares count once; page tables; what the
//! kernel holds for each mapping; and shared anonymous mappings with the whole size of what is mapped, because what they
//! hold can't be seen from outside once no process has its pages mapped in (`MADV_DONTNEED`, or a child that filled them and
//! ended), but with no more than there can be of such memory (`shared_memory`): much of what is mapped is never touched. Files
//! of the private root and System V objects are the caller's to add.
//!
//! To look at very many mappings takes the kernel, and us, some time. So a look has a budget, and what was not seen when
//! that is spent counts as it would in the upper bound.
//!
//! All numbers come from /proc/<pid>/status, maps and smaps_rollup (proc_pid_status(5); smaps_rollup, Linux 4.14).

mod mappings;

use crate::sys::clock;
use crate::sys::kcmp::share_memory;
use crate::sys::procfs::text;
use mappings::{Objects, Seen};
use std::collections::BTreeMap;
use std::fs;

use std::path::PathBuf;

/// One process, as /proc/<pid>/status has it; all sizes in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProcessMemory {
    pub pid: i32,
    /// The thread that shows what it has: the first one, or another when that has ended and left the process to it.
    pub thread: i32,
    parent: i32,
    /// For the caller's use: whether it stood still by itself.
    pub stopped: bool,
    /// Anonymous pages, each in full, with what is swapped out and huge pages.
    private: u64,
    page_tables: u64,
    /// Pages of files in memory and of shared anonymous mappings that are mapped in.
    shared: u64,
    pub threads: u64,
    /// The size of the table of descriptors: no fewer than are open.
    pub descriptors: u64,
    /// All address space that is not private and writable: where shared mappings can be, those with code included.
    shareable: u64,
    /// The most mappings that it can have.
    mappings: u64,
    /// What the kernel can hold for one of them.
    mapping_bytes: u64,
}

/// What the kernel holds for one mapping: `struct vm_area_struct`, and its part of the tree that they are in.
const MAPPING_BYTES: u64 = 256;
/// What it holds besides for each process from which a mapping was handed down by fork (`struct anon_vma_chain`).
const INHERITED_BYTES: u64 = 64;
/// vm.max_map_count, unless it was changed.
const MAX_MAPPINGS: u64 = 65_530;
/// The least that a mapping can span.
const PAGE_BYTES: u64 = 4096;

/// What a look may cost.
pub(super) struct Budget {
    cpu_until_us: u64,
    until_ns: u64,
}

impl Budget {
    /// So much CPU time of ours, and so much time in all: a busy process can make us wait for its locks, and a busy
    /// machine for a core.
    pub(super) fn new(cpu_us: u64, wall_ns: u64) -> Self {
        Budget {
            cpu_until_us: clock::cpu_us() + cpu_us,
            until_ns: clock::monotonic_ns() + wall_ns,
        }
    }

    /// Whether the tree is more than we can look at.
    fn is_worked_off(&self) -> bool {
        clock::cpu_us() > self.cpu_until_us
    }

    pub(super) fn is_spent(&self) -> bool {
        clock::monotonic_ns() > self.until_ns || self.is_worked_off()
    }

    /// Whether time ran out before there was any chance to see enough: that says nothing of the tree.
    pub(super) fn was_starved(&self) -> bool {
        clock::monotonic_ns() > self.until_ns && !self.is_worked_off()
    }
}

impl ProcessMemory {
    /// `None` when it is gone. Readable by everybody, even when the process forbids inspection.
    pub(super) fn read(pid: i32) -> Option<Self> {
        let process =
            ProcessMemory::of_status(pid, pid, &text(format!("/proc/{pid}/status")).ok()?);
        // A thread that has ended shows no memory, and leaves what there is to those that go on (pthread_exit(3)).
        if process.mappings > 0 || process.threads <= 1 {
            return Some(process);
        }
        let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
        let numbers = threads.filter_map(|thread| thread.file_name().to_str()?.parse().ok());
        let seen = numbers.filter_map(|thread: i32| {
            let text = text(format!("/proc/{pid}/task/{thread}/status")).ok()?;
            Some(ProcessMemory::of_status(pid, thread, &text))
        });
        let mut going_on = seen.filter(|seen| seen.mappings > 0);
        Some(going_on.next().unwrap_or(process))
    }

    fn of_status(pid: i32, thread: i32, text: &str) -> Self {
        let (mut process, mut whole, mut known) = (ProcessMemory::default(), 0, 0);
        (process.pid, process.thread) = (pid, thread);
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
                "FDSize" => process.descriptors = first_number(value),
                "Threads" => process.threads = first_number(value),
                "VmSize" => whole = bytes(),
                "VmData" | "VmStk" => known += bytes(),
                _ => {}
            }
        }
        process.shareable = whole.saturating_sub(known);
        process.mappings = (whole / PAGE_BYTES).min(MAX_MAPPINGS);
        process.mapping_bytes = MAPPING_BYTES;
        process
    }

    /// The most that the kernel can hold for its mappings.
    fn most_mapping_bytes(&self) -> u64 {
        self.mappings * self.mapping_bytes
    }

    /// Whether it has not begun to end.
    pub(super) fn has_memory(&self) -> bool {
        self.mappings > 0
    }

    /// Where what it has is seen.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        let ProcessMemory { pid, thread, .. } = self;
        if pid == thread {
            format!("/proc/{pid}/{name}").into()
        } else {
            format!("/proc/{pid}/task/{thread}/{name}").into()
        }
    }
}

/// Sets what the kernel can hold for a mapping of each of these processes, by how many of them fork handed it down through. In
/// a long line of forks of forks this is more than all else.
pub(super) fn weigh_mappings(processes: &mut [ProcessMemory]) {
    let parents: BTreeMap<i32, i32> = processes.iter().map(|p| (p.pid, p.parent)).collect();
    let mut depths = BTreeMap::new();
    for process in processes {
        let depth = depth(process.pid, &parents, &mut depths);
        process.mapping_bytes = MAPPING_BYTES + depth * INHERITED_BYTES;
    }
}

/// How many of these a process descends from.
fn depth(pid: i32, parents: &BTreeMap<i32, i32>, known: &mut BTreeMap<i32, u64>) -> u64 {
    let mut line = Vec::new();
    let mut at = pid;
    while let Some(parent) = parents.get(&at)
        && !known.contains_key(&at)
        // Numbers of processes can be used again while they are read.
        && line.len() < parents.len()
    {
        line.push(at);
        at = *parent;
    }
    let first = known.get(&at).map_or(0, |depth| depth + 1);
    known.extend(line.into_iter().rev().zip(first..));
    known.get(&pid).copied().unwrap_or(0)
}

/// An upper bound of what these processes hold, except that pages of shared anonymous mappings count as long as
/// they may matter: below `limit` the number is what is mapped in. None where it can't be told within the budget. `most_shared`
/// is asked how much all of those mappings can hold at most, where there are some that may matter.
pub(super) fn bound(
    processes: &[ProcessMemory],
    limit: u64,
    budget: &Budget,
    most_shared: impl FnOnce() -> u64,
) -> Option<u64> {
    let sum = |field: fn(&ProcessMemory) -> u64| processes.iter().map(field).sum::<u64>();
    let private = sum(|p| p.private + p.page_tables);
    if private + sum(|p| p.shareable + p.most_mapping_bytes()) < limit {
        return Some(private + sum(|p| p.shared));
    }
    let mut objects = Objects::default();
    let mut bytes = private;
    for process in processes {
        bytes += objects.add(process, budget).in_time()?;
    }
    Some(bytes + objects.bytes(most_shared))
}

/// What they hold, counted page by page: some 10 µs per MB. They had better stand still meanwhile. `most_shared` as above.
pub(super) fn exact(
    processes: &[ProcessMemory],
    budget: &Budget,
    most_shared: impl FnOnce() -> u64,
) -> u64 {
    let mut objects = Objects::default();
    let mut bytes = 0;
    for process in processes {
        let parent = processes.iter().find(|other| other.pid == process.parent);
        // Between vfork and exec, a child has the memory of its parent, not memory of its own.
        if parent.is_some_and(|parent| share_memory(process.thread, parent.thread)) {
            continue;
        }
        let mapped = match objects.add(process, budget) {
            Seen::All(bytes) => bytes,
            Seen::Part => process.shared + process.most_mapping_bytes(),
            Seen::Ended => continue,
        };
        bytes += private(process, budget) + process.page_tables + mapped;
    }
    bytes + objects.bytes(most_shared)
}

/// Private memory by proportional share. A process that forbids inspection counts in full.
fn private(process: &ProcessMemory, budget: &Budget) -> u64 {
    if budget.is_spent() {
        return process.private;
    }
    match text(process.file("smaps_rollup")) {
        Ok(text) if !text.is_empty() => {
            // Huge pages of the host's pool are in no proportional share.
            let names = [
                "Pss_Anon:",
                "SwapPss:",
                "Private_Hugetlb:",
                "Shared_Hugetlb:",
            ];
            names.iter().map(|name| kilobytes(&text, name)).sum()
        }
        _ => process.private,
    }
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
        let own = ProcessMemory::read(std::process::id() as i32).unwrap();
        let plenty = Budget::new(u64::MAX / 2, u64::MAX / 2);
        let upper = bound(&[own], 0, &plenty, || u64::MAX).unwrap();
        let counted = exact(&[own], &plenty, || u64::MAX);
        assert!(
            counted > 0 && counted <= upper + (8 << 20),
            "{counted} of {upper}"
        );
    }

    #[test]
    fn a_mapping_counts_for_each_process_that_it_was_handed_down_from() {
        let process = |pid, parent| ProcessMemory {
            pid,
            parent,
            ..ProcessMemory::default()
        };
        // In no order; and with numbers that go round in a circle.
        let mut all =
            [(4, 3), (2, 1), (3, 2), (9, 2), (7, 8), (8, 7)].map(|(pid, of)| process(pid, of));
        weigh_mappings(&mut all);
        let counted = all.map(|p| (p.mapping_bytes - MAPPING_BYTES) / INHERITED_BYTES);
        assert_eq!(counted[..4], [2, 0, 1, 1]);
        assert!(counted[4..].iter().all(|depth| *depth < 6), "{counted:?}");
    }

    #[test]
    fn what_is_not_seen_in_time_is_not_told_by_the_bound_and_counts_in_full_otherwise() {
        let own = ProcessMemory::read(std::process::id() as i32).unwrap();
        let spent = Budget::new(0, 0);
        assert_eq!(bound(&[own], 0, &spent, || u64::MAX), None);
        assert!(exact(&[own], &spent, || u64::MAX) >= own.private + own.most_mapping_bytes());
    }

    #[test]
    fn a_process_that_has_ended_since_it_was_listed_has_nothing() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        // Until it is executed, it has the memory of this process.
        let listed = loop {
            let listed = ProcessMemory::read(child.id() as i32).unwrap();
            if listed.has_memory() && text(listed.file("comm")).unwrap() == "sleep\n" {
                break listed;
            }
        };
        let plenty = Budget::new(u64::MAX / 2, u64::MAX / 2);
        let counted = || exact(&[listed], &plenty, || u64::MAX);
        assert!(counted() > 0);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(counted(), 0);
    }
}
