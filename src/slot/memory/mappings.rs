//! What /proc/<pid>/maps shows: how many mappings a process has, and the shared anonymous memory in them.

use super::{Budget, ProcessMemory};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};

/// At how many threads of a process that is ending it is tried to see what it has.
const MAX_THREADS_TRIED: usize = 8;
/// How many mappings are read between two looks at the budget.
const LINES: usize = 256;

/// What was seen of a process's mappings.
pub(super) enum Seen {
    /// All of them. These are the bytes that they take besides shared objects.
    All(u64),
    /// The budget was spent before.
    Part,
    /// It has ended since it was listed, and given back what it had.
    Ended,
}

impl ProcessMemory {
    /// All that can be in mappings that can't be seen.
    fn unseen(&self) -> Seen {
        Seen::All(self.shareable + self.most_mapping_bytes())
    }
}

impl Seen {
    pub(super) fn in_time(self) -> Option<u64> {
        match self {
            Seen::All(bytes) => Some(bytes),
            Seen::Ended => Some(0),
            Seen::Part => None,
        }
    }
}

/// Shared anonymous memory, by inode: the end of the furthest part that is mapped.
#[derive(Default)]
pub(super) struct Objects(BTreeMap<u64, u64>);

impl Objects {
    /// Adds the objects that a process has mapped. What may be shared memory of a process that forbids inspection counts
    /// in full. As one of many threads ends, these end one after the other: what it has is seen at one that goes on.
    pub(super) fn add(&mut self, process: &ProcessMemory, budget: &Budget) -> Seen {
        let mut current = *process;
        for _ in 0..MAX_THREADS_TRIED {
            let seen = self.add_as_seen_at(&current, budget);
            let is_gone =
                |e: &io::Error| matches!(e.raw_os_error(), Some(libc::ESRCH | libc::ENOENT));
            match seen {
                Err(error) if is_gone(&error) => {}
                seen => return seen.unwrap_or_else(|_| current.unseen()),
            }
            match ProcessMemory::read(process.pid) {
                Some(now) if now.has_memory() => current.thread = now.thread,
                _ => return Seen::Ended,
            }
        }
        current.unseen()
    }

    fn add_as_seen_at(&mut self, process: &ProcessMemory, budget: &Budget) -> io::Result<Seen> {
        if process.shareable == 0 && process.mappings == 0 {
            return Ok(Seen::All(0));
        }
        let mappings = each_mapping(process, budget, |line| {
            if let Some((inode, end)) = object(line) {
                let known = self.0.entry(inode).or_default();
                *known = end.max(*known);
            }
        })?;
        let bytes = |mappings| mappings as u64 * process.mapping_bytes;
        Ok(mappings.map_or(Seen::Part, |mappings| Seen::All(bytes(mappings))))
    }

    pub(super) fn bytes(&self, most: impl FnOnce() -> u64) -> u64 {
        match self.0.values().sum() {
            0 => 0,
            mapped => u64::min(mapped, most()),
        }
    }
}

/// Shows each line of /proc/<pid>/maps; how many there were, or None where the budget was spent before.
fn each_mapping(
    process: &ProcessMemory,
    budget: &Budget,
    mut show: impl FnMut(&str),
) -> io::Result<Option<usize>> {
    let maps = File::open(process.file("maps"))?;
    let mut mappings = 0;
    // Names of files may be any bytes.
    for line in BufReader::with_capacity(64 << 10, maps).split(b'\n') {
        if mappings % LINES == 0 && budget.is_spent() {
            return Ok(None);
        }
        mappings += 1;
        show(&String::from_utf8_lossy(&line?));
    }
    Ok(Some(mappings))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_hold_no_more_than_there_is_of_shared_memory() {
        let objects = Objects([(1, 5 << 20), (2, 6 << 20)].into());
        assert_eq!(objects.bytes(|| 4 << 20), 4 << 20);
        assert_eq!(objects.bytes(|| u64::MAX), 11 << 20);
        assert_eq!(Objects::default().bytes(|| unreachable!()), 0);
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
