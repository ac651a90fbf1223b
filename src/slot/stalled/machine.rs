//! What it takes of the machine to tell what a program lost: how its programs are scheduled, which cores they may run on, and
//! what others use of those.

use crate::sys::clock::{cpu_us, monotonic_ns, tick_ns};
use crate::sys::cores::Cores;
use crate::sys::procfs::Stat;
use nix::sys::uio::pread;
use std::fs::File;

/// To be opened before the slot's root hides the host's /proc.
pub struct Machine {
    /// /proc/stat (proc_stat(5)), where there is one.
    stat: Option<File>,
    /// The nice value of programs that don't change it.
    nice: i32,
    /// Where they may run.
    cores: Cores,
}

/// What others have used since a moment.
pub struct Others {
    begin_ns: u64,
    busy_ns: u64,
    own_ns: u64,
}

impl Machine {
    pub fn open(nice: i32) -> Machine {
        Machine {
            stat: File::open("/proc/stat").ok(),
            nice,
            cores: Cores::of(0).unwrap_or_default(),
        }
    }

    /// Whether a thread is scheduled as it was when it was started: on all of the cores, with no lower priority.
    pub fn is_as_started(&self, thread: i32, stat: &Stat) -> bool {
        let is_lowered = stat.nice > self.nice || stat.policy == libc::SCHED_IDLE;
        let may_run_on = Cores::of(thread).unwrap_or_default();
        !is_lowered && may_run_on.count() >= self.cores.count()
    }

    /// Begins to count what others use; `tree_ns` is the CPU time of the tree. None where the kernel does not tell.
    pub fn others(&self, tree_ns: u64) -> Option<Others> {
        Some(Others {
            begin_ns: monotonic_ns(),
            busy_ns: self.busy_ns()?.0,
            own_ns: own_ns(tree_ns),
        })
    }

    /// How long the cores have been busy, in sum, and how many there are. Time that a hypervisor gave to other machines is
    /// time that others used.
    fn busy_ns(&self) -> Option<(u64, u64)> {
        let text = contents(self.stat.as_ref()?);
        let (ticks, cores) = busy_ticks(&text, |core| self.cores.contains(core))?;
        Some((ticks * tick_ns(), cores))
    }
}

impl Others {
    /// How long others have used all of the cores, or as much as that would be.
    pub fn used_ns(&self, machine: &Machine, tree_ns: u64) -> u64 {
        let Some((busy_ns, cores)) = machine.busy_ns() else {
            return 0;
        };
        let own_ns = own_ns(tree_ns).saturating_sub(self.own_ns);
        let theirs_ns = busy_ns.saturating_sub(self.busy_ns).saturating_sub(own_ns);
        (theirs_ns / cores).min(monotonic_ns() - self.begin_ns)
    }
}

/// The tree's and our own.
fn own_ns(tree_ns: u64) -> u64 {
    tree_ns + cpu_us() * 1000
}

/// The lines of the cores come first; those of interrupts are long, and nobody needs them here.
fn contents(stat: &File) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 8192];
    while let Ok(length @ 1..) = pread(stat, &mut buffer, text.len() as i64) {
        text.extend_from_slice(&buffer[..length]);
        if buffer[..length].windows(5).any(|bytes| bytes == b"\nintr") {
            break;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Clock ticks in which these cores did something, and how many of them there are.
fn busy_ticks(text: &str, is_ours: impl Fn(usize) -> bool) -> Option<(u64, u64)> {
    let (mut ticks, mut cores) = (0, 0);
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let name = words.next().and_then(|word| word.strip_prefix("cpu"));
        let Some(core) = name.and_then(|number| number.parse().ok()) else {
            continue;
        };
        if is_ours(core) {
            // user, nice, system, idle, iowait, irq, softirq, steal.
            let busy = [0, 1, 2, 5, 6, 7];
            let numbers: Vec<u64> = words.map(|n| n.parse().unwrap_or(0)).collect();
            ticks += busy.iter().filter_map(|i| numbers.get(*i)).sum::<u64>();
            cores += 1;
        }
    }
    (cores > 0).then_some((ticks, cores))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  33 0 11 1022 7 0 5 2 0 0\n\
        cpu0 10 1 2 500 3 0 4 1 0 0\n\
        cpu1 20 0 9 522 4 0 1 1 9 0\n\
        intr 1 2 3\n";

    #[test]
    fn only_cores_that_programs_may_run_on_count() {
        assert_eq!(busy_ticks(STAT, |_| true), Some((18 + 31, 2)));
        assert_eq!(busy_ticks(STAT, |core| core == 1), Some((31, 1)));
        assert_eq!(busy_ticks("", |_| true), None);
    }

    #[test]
    fn a_machine_says_how_busy_it_is() {
        let machine = Machine::open(0);
        let others = machine.others(0).expect("/proc/stat");
        assert!(others.used_ns(&machine, 0) < 1_000_000_000);
    }
}
