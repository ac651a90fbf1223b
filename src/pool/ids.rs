//! Which uid a slot's episodes get.
//!
//! Root gives every slot an unprivileged uid of its own, in a range that distributions leave unused, so that
//! two slots, and two runners, never share one. Anybody else can only be themselves.

use crate::wire::message::Ids;
use nix::unistd::{getegid, geteuid};
use std::fs;

/// Above systemd's container range (524,288–1,879,048,191) and below the sign bit.
const FIRST_UID: u64 = 1_900_000_000;
/// Runners whose process ids differ get ranges that differ, for all ids up to 131,071.
const SLOTS_PER_RUNNER: u64 = 1024;
const RUNNERS: u64 = 1 << 17;

pub fn caller_is_root() -> bool {
    geteuid().is_root()
}

/// Ids of slot number `slot`.
pub fn of_slot(slot: u32) -> Ids {
    if !caller_is_root() {
        return Ids {
            uid: geteuid().as_raw(),
            gid: getegid().as_raw(),
            change: false,
        };
    }
    let runner = u64::from(std::process::id()) % RUNNERS;
    let wanted = FIRST_UID + runner * SLOTS_PER_RUNNER + u64::from(slot) % SLOTS_PER_RUNNER;
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let uid = usable(&map, wanted, slot);
    Ids {
        uid,
        gid: uid,
        change: true,
    }
}

/// `wanted` where the user namespace we run in has it, else one from the end of its largest range.
fn usable(map: &str, wanted: u64, slot: u32) -> u32 {
    let ranges = map.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let (first, _, length) = (
            numbers.next()?.ok()?,
            numbers.next()?.ok()?,
            numbers.next()?.ok()?,
        );
        Some((first, length))
    });
    let ranges: Vec<_> = ranges.collect();
    if ranges
        .iter()
        .any(|(first, length)| (*first..first + length).contains(&wanted))
    {
        return wanted as u32;
    }
    match ranges.iter().max_by_key(|(_, length)| *length) {
        Some((first, length)) if *length > 2 => {
            (first + length - 1 - u64::from(slot) % (length / 2)) as u32
        }
        // Nobody but root is mapped: leave it to the kernel to refuse, which is then reported.
        _ => wanted as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_whole_machine_the_wanted_uid_is_used() {
        assert_eq!(
            usable("         0          0 4294967295\n", 1_900_000_007, 7),
            1_900_000_007
        );
    }

    #[test]
    fn in_a_rootless_container_the_uid_comes_from_the_end_of_its_range() {
        assert_eq!(
            usable("0 1000 1\n1 100000 65536\n", 1_900_000_007, 7),
            65_529
        );
    }
}
