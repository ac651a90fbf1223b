//! Which uid a slot's episodes get.
//!
//! Root gives every slot an unprivileged uid of its own, in a range that distributions leave unused, so that
//! two slots, and two runners, never share one. Anybody else can only be themselves.

use crate::wire::message::Ids;
use nix::unistd::{getegid, geteuid};
use std::fs;

/// Above systemd's container range (524,288–1,879,048,191) and below the sign bit.
const FIRST_UID: u64 = 1_900_000_000;
/// Slot numbers are below this: more than there can be slots, dying ones included.
pub const NUMBERS: u32 = 8192;
/// Runners whose process ids differ modulo this get ranges that differ.
const RUNNERS: u64 = 1 << 14;

fn caller_is_root() -> bool {
    geteuid().is_root()
}

/// The one case in which episodes could only run as the host's root.
#[derive(Debug, thiserror::Error)]
#[error(
    "the runner is root in a user namespace without any other uid, and episodes never run as root; start it as an \
     ordinary user, or map more uids (newuidmap, /etc/subuid)"
)]
pub struct NoUid;

/// Whether every slot gets an unprivileged uid of its own, or all are the caller.
pub fn uid_per_slot() -> Result<bool, NoUid> {
    of_slot(0).map(|ids| ids.change)
}

/// Ids of slot number `slot`.
pub fn of_slot(slot: u32) -> Result<Ids, NoUid> {
    let own = Ids {
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
        change: false,
    };
    if !caller_is_root() {
        return Ok(own);
    }
    let runner = u64::from(std::process::id()) % RUNNERS;
    let wanted = FIRST_UID + runner * u64::from(NUMBERS) + u64::from(slot);
    let read = |map: &str| parse(&fs::read_to_string(map).unwrap_or_default());
    let ranges = read("/proc/self/uid_map");
    let gid = usable(&read("/proc/self/gid_map"), wanted, slot);
    match usable(&ranges, wanted, slot).zip(gid) {
        Some((uid, gid)) => Ok(Ids {
            uid,
            gid,
            change: true,
        }),
        None if is_root_by_name_only(&ranges) => Ok(own),
        None => Err(NoUid),
    }
}

/// A line of /proc/<pid>/uid_map: first id inside, first id outside, how many (user_namespaces(7)).
struct Range {
    inside: u64,
    outside: u64,
    length: u64,
}

fn parse(map: &str) -> Vec<Range> {
    let range = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        Some(Range {
            inside: next()?,
            outside: next()?,
            length: next()?,
        })
    };
    map.lines().filter_map(range).collect()
}

/// `wanted` where the user namespace we run in has it, else one from the end of its largest range. None where
/// it has nobody but root.
fn usable(ranges: &[Range], wanted: u64, slot: u32) -> Option<u32> {
    let holds = |range: &Range| (range.inside..range.inside + range.length).contains(&wanted);
    if ranges.iter().any(holds) {
        return Some(wanted as u32);
    }
    let largest = ranges.iter().max_by_key(|range| range.length)?;
    let uid = (largest.inside + largest.length - 1)
        .checked_sub(u64::from(slot) % (largest.length / 2).max(1))?;
    (largest.length > 2).then_some(uid as u32)
}

/// Whether root here is an ordinary user outside, as in `unshare --map-root-user`: then there is no more to
/// give up than an ordinary user has.
fn is_root_by_name_only(ranges: &[Range]) -> bool {
    matches!(ranges, [Range { inside: 0, outside, .. }] if *outside != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: u64 = 1_900_000_007;

    #[test]
    fn on_a_whole_machine_the_wanted_uid_is_used() {
        let map = parse("         0          0 4294967295\n");
        assert_eq!(usable(&map, WANTED, 7), Some(WANTED as u32));
        assert!(!is_root_by_name_only(&map));
    }

    #[test]
    fn in_a_rootless_container_the_uid_comes_from_the_end_of_its_range() {
        let map = parse("0 1000 1\n1 100000 65536\n");
        assert_eq!(usable(&map, WANTED, 7), Some(65_529));
    }

    #[test]
    fn root_that_is_an_ordinary_user_outside_has_no_other_uid_and_needs_none() {
        let map = parse("0 1000 1\n");
        assert_eq!(usable(&map, WANTED, 7), None);
        assert!(is_root_by_name_only(&map));
        assert!(!is_root_by_name_only(&parse("0 0 1\n")));
    }
}
