//! Killing programs that run: all of an episode, or one step's.

use super::census::Census;
use crate::sys::clock::monotonic_ns;
use crate::sys::procfs::Stat;
use crate::sys::wait::reap_ended;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::HashSet;
use std::time::Duration;

/// How long processes are killed one by one, where that is what tells them from others: those of one step, and in the
/// landlock tier those of an episode.
pub(super) const KILL_EACH_TIMEOUT_NS: u64 = 50_000_000;
/// How long those that have been killed may take to be gone before their program is killed too: on a busy machine they wait for
/// a core, and large ones take a while.
const DYING_TIMEOUT_NS: u64 = 2_000_000_000;

/// Sends SIGKILL to every process of the episode once, and reaps what is ours to reap.
/// Returns the CPU time of those, in microseconds.
pub(super) fn programs(census: &Census) -> u64 {
    census.kill();
    reap_ended().0
}

/// Kills the running step's program and what belongs to it until none of it is left, and lets what earlier
/// steps started live. The program itself goes last: until then its process group and children can be told. Where they
/// become more faster than they can be listed, it goes after a while, and some of them stay as what runs in the
/// background does.
pub(super) fn program(census: &Census) {
    let begin = monotonic_ns();
    let mut killed = HashSet::new();
    loop {
        let found = census.program();
        let Some((leader, others)) = found.split_first() else {
            return;
        };
        // Nobody is to see the others die, and to report it in the program's name.
        for pid in &found {
            let _ = kill(Pid::from_raw(*pid), Signal::SIGSTOP);
        }
        let alive: Vec<i32> = others
            .iter()
            .copied()
            .filter(|pid| Stat::read(*pid).is_some_and(|stat| !stat.is_dead()))
            .filter(|pid| kill(Pid::from_raw(*pid), Signal::SIGKILL).is_ok())
            .collect();
        let longest = if alive.iter().all(|pid| killed.contains(pid)) {
            DYING_TIMEOUT_NS
        } else {
            KILL_EACH_TIMEOUT_NS
        };
        if alive.is_empty() || monotonic_ns() - begin > longest {
            let _ = kill(Pid::from_raw(*leader), Signal::SIGKILL);
            return;
        }
        killed.extend(alive);
        // They need a core to end on.
        std::thread::sleep(Duration::from_micros(100));
    }
}
