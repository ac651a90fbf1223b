//! Which uid a slot's episodes get.
//!
//! Root gives every slot an unprivileged uid of its own, in a range that distributions leave unused. A pool claims the
//! uids of all its slots at its start. The claim is a lock on the bytes of a file that have the uids for offsets: two
//! runners never share one, however they divide the space, and it ends with the process, whatever ends that. Anybody
//! else can only be themselves.

use crate::wire::message::Ids;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::{getegid, geteuid};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::os::fd::OwnedFd;

/// Above systemd's container range (524,288–1,879,048,191) and below the sign bit.
const UNUSED: Range<u64> = 1_900_000_000..2_034_217_728;
/// The kernel's stand-in for uids that have no mapping, and many services' uid.
const NOBODY: u64 = 65_534;
/// Numbers for each slot of a pool, because dying slots keep theirs, and at least.
const NUMBERS_PER_SLOT: u32 = 4;
const MIN_NUMBERS: u32 = 64;
/// Where runners that see the same files meet. The file stays, empty; its name is unlike that of a scratch directory.
const LOCK_FILES: [&str; 2] = ["/run/runner.uids", "/tmp/runner.uids"];

/// Why slots can't have uids of their own.
#[derive(Debug, thiserror::Error)]
pub enum NoUid {
    /// The one case in which episodes could only run as the host's root.
    #[error(
        "the runner is root in a user namespace without any other uid, and episodes never run as root; start it as an \
         ordinary user, or map more uids (newuidmap, /etc/subuid)"
    )]
    OnlyRoot,
    #[error(
        "the runner is root in a user namespace with {free} uids for slots, and {slots} slots need one each; lower \
         --concurrency or --sessions, or map more uids (newuidmap, /etc/subuid)"
    )]
    TooFew { free: u64, slots: usize },
    #[error(
        "other runners have claimed so many of this user namespace's {free} uids for slots that no {slots} in a row are \
         left; end one of them, lower --concurrency or --sessions, or map more uids (newuidmap, /etc/subuid)"
    )]
    AllTaken { free: u64, slots: usize },
    #[error("slots that were ended don't die, and keep their numbers")]
    NoneFree,
}

/// Whether every slot gets an unprivileged uid of its own, or all are the caller.
pub fn uid_per_slot() -> Result<bool, NoUid> {
    space().map(|space| space.is_some())
}

/// The ids of a pool's slots, its own until it is dropped.
pub(super) struct SlotIds {
    /// None where all slots are the caller.
    first: Option<u32>,
    numbers: u32,
    _claim: Option<OwnedFd>,
}

impl SlotIds {
    /// For a pool of at most so many slots at one time.
    pub(super) fn claim(slots: usize) -> Result<SlotIds, NoUid> {
        let numbers = u32::try_from(slots)
            .unwrap_or(u32::MAX)
            .saturating_mul(NUMBERS_PER_SLOT)
            .max(MIN_NUMBERS);
        let Some(space) = space()? else {
            return Ok(SlotIds {
                first: None,
                numbers,
                _claim: None,
            });
        };
        let free = space.end - space.start;
        if free < slots as u64 {
            return Err(NoUid::TooFew { free, slots });
        }
        let file = lock_file();
        // From a random place on: containers that share uids with the host, but no files, don't see each other's locks.
        let random = RandomState::new().hash_one(std::process::id());
        for numbers in lengths(free.min(u64::from(numbers)), slots as u64) {
            let is_ours = |first: &u64| {
                let locked = file.as_ref().map(|file| lock(file, *first, numbers));
                locked.unwrap_or(true)
            };
            if let Some(first) = candidates(&space, numbers, random).find(is_ours) {
                return Ok(SlotIds {
                    first: Some(first as u32),
                    numbers: numbers as u32,
                    _claim: file,
                });
            }
        }
        Err(NoUid::AllTaken { free, slots })
    }

    /// Slot numbers are below this.
    pub(super) fn numbers(&self) -> u32 {
        self.numbers
    }

    /// Ids of the slot with this number.
    pub(super) fn of_slot(&self, number: u32) -> Ids {
        match self.first {
            Some(first) => Ids {
                uid: first + number,
                gid: first + number,
                change: true,
            },
            None => Ids {
                uid: geteuid().as_raw(),
                gid: getegid().as_raw(),
                change: false,
            },
        }
    }
}

/// How many uids to claim: as many as are wanted, or fewer where other runners have left no more.
fn lengths(wanted: u64, least: u64) -> impl Iterator<Item = u64> {
    let half = move |length: &u64| (length / 2 >= least).then_some(length / 2);
    std::iter::successors(Some(wanted), half).filter(|length| *length > 0)
}

/// First uids of the ranges of this length in `space`, each once, from a random one on.
fn candidates(space: &Range<u64>, length: u64, random: u64) -> impl Iterator<Item = u64> {
    let (start, ranges) = (space.start, (space.end - space.start) / length);
    (0..ranges).map(move |at| start + (random % ranges + at) % ranges * length)
}

/// Opens the file with the locks; None where there is no place for it, and then chance has to keep runners apart.
fn lock_file() -> Option<OwnedFd> {
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let is_own = |file: &OwnedFd| {
        // Somebody else's, in a directory that all may write to, could be locked whole by them.
        fstat(file).is_ok_and(|stat| {
            stat.st_uid == geteuid().as_raw()
                && stat.st_mode & libc::S_IFMT == SFlag::S_IFREG.bits()
        })
    };
    let mode = Mode::S_IRUSR | Mode::S_IWUSR;
    let opened = LOCK_FILES.iter().map(|path| open(*path, flags, mode));
    opened.flatten().find(is_own)
}

/// Whether these are ours now. A file system without locks keeps nobody apart.
fn lock(file: &OwnedFd, first: u64, length: u64) -> bool {
    let range = libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: first as i64,
        l_len: length as i64,
        l_pid: 0,
    };
    // The lock is that of the open file, which no slot inherits, and not of the process: pools of one process are
    // told apart too.
    !matches!(
        fcntl(file, FcntlArg::F_OFD_SETLK(&range)),
        Err(Errno::EAGAIN | Errno::EACCES)
    )
}

/// The uids, which are gids as well, that slots may have; None where all are the caller.
fn space() -> Result<Option<Range<u64>>, NoUid> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let read = |map: &str| parse(&fs::read_to_string(map).unwrap_or_default());
    let (uids, gids) = (read("/proc/self/uid_map"), read("/proc/self/gid_map"));
    match usable(&uids, &gids) {
        Some(space) => Ok(Some(space)),
        None if is_root_by_name_only(&uids) => Ok(None),
        None => Err(NoUid::OnlyRoot),
    }
}

/// A line of /proc/<pid>/uid_map (user_namespaces(7)).
struct Mapped {
    inside: Range<u64>,
    outside: u64,
}

fn parse(map: &str) -> Vec<Mapped> {
    let mapped = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let mut next = || numbers.next()?.ok();
        let (first, outside, length) = (next()?, next()?, next()?);
        Some(Mapped {
            inside: first..first + length,
            outside,
        })
    };
    map.lines().filter_map(mapped).collect()
}

/// The unused range where the user namespace we run in has it, else the upper half of the largest range that it has.
/// None where it has nobody but root.
fn usable(uids: &[Mapped], gids: &[Mapped]) -> Option<Range<u64>> {
    let both = uids.iter().flat_map(|uid| {
        let shared = |gid: &Mapped| {
            uid.inside.start.max(gid.inside.start)..uid.inside.end.min(gid.inside.end)
        };
        gids.iter().map(shared)
    });
    let largest = both.max_by_key(|range| range.end.saturating_sub(range.start))?;
    if largest.start <= UNUSED.start && UNUSED.end <= largest.end {
        return Some(UNUSED);
    }
    let length = largest.end.saturating_sub(largest.start);
    let upper = largest.end - length / 2..largest.end;
    let parts = if upper.contains(&NOBODY) {
        [upper.start..NOBODY, NOBODY + 1..upper.end]
    } else {
        [upper.clone(), upper.end..upper.end]
    };
    let part = parts.into_iter().max_by_key(|part| part.end - part.start);
    part.filter(|part| length > 2 && !part.is_empty())
}

/// Whether root here is an ordinary user outside, as in `unshare --map-root-user`: then there is no more to
/// give up than an ordinary user has.
fn is_root_by_name_only(uids: &[Mapped]) -> bool {
    matches!(uids, [Mapped { inside, outside }] if inside.start == 0 && *outside != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn of_map(map: &str) -> Option<Range<u64>> {
        usable(&parse(map), &parse(map))
    }

    #[test]
    fn on_a_whole_machine_the_unused_range_is_used() {
        let map = "         0          0 4294967295\n";
        assert_eq!(of_map(map), Some(UNUSED));
        assert!(!is_root_by_name_only(&parse(map)));
    }

    #[test]
    fn in_a_rootless_container_the_uids_come_from_the_end_of_its_range_without_nobody() {
        assert_eq!(of_map("0 1000 1\n1 100000 65536\n"), Some(32_769..65_534));
        assert_eq!(of_map("0 100000 65536\n"), Some(32_768..65_534));
        assert_eq!(of_map("0 100000 1000\n"), Some(500..1000));
    }

    #[test]
    fn only_what_is_a_uid_and_a_gid_is_used() {
        let (uids, gids) = (parse("0 100000 1000\n"), parse("0 100000 10\n"));
        assert_eq!(usable(&uids, &gids), Some(5..10));
        assert_eq!(usable(&uids, &[]), None);
    }

    #[test]
    fn root_that_is_an_ordinary_user_outside_has_no_other_uid_and_needs_none() {
        assert_eq!(of_map("0 1000 1\n"), None);
        assert!(is_root_by_name_only(&parse("0 1000 1\n")));
        assert!(!is_root_by_name_only(&parse("0 0 1\n")));
    }

    #[test]
    fn all_ranges_are_tried_once_and_lie_within_the_space() {
        let tried: Vec<u64> = candidates(&(500..1000), 64, u64::MAX).collect();
        assert_eq!(tried.len(), 7);
        assert_eq!(tried.iter().collect::<BTreeSet<_>>().len(), 7);
        assert!(tried.iter().all(|first| (500..=1000 - 64).contains(first)));
    }

    #[test]
    fn fewer_uids_than_wanted_are_claimed_but_never_fewer_than_there_are_slots() {
        assert_eq!(lengths(64, 10).collect::<Vec<_>>(), [64, 32, 16]);
        assert_eq!(lengths(5, 5).collect::<Vec<_>>(), [5]);
    }

    #[test]
    fn a_range_is_locked_by_one_at_a_time_whatever_its_length() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let opened = || OwnedFd::from(file.reopen().unwrap());
        let (one, two, three) = (opened(), opened(), opened());
        assert!(lock(&one, 1000, 64));
        assert!(!lock(&two, 1000, 64));
        assert!(!lock(&two, 900, 4096));
        assert!(lock(&two, 1064, 64));
        drop(one);
        assert!(lock(&three, 1000, 64));
    }
}
