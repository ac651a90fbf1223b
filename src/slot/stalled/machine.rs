//! What it takes of the machine to tell what a program lost: how its programs are scheduled, which cores they may run on, and
//! what others use of those.

use crate::sys::clock::{cpu_us, monotonic_ns, tick_ns};
use crate::sys::cores::Cores;
use crate::sys::procfs::Stat;
use nix::sys::uio::pread;
use std::fs::File;

/// To be opened before the slot's root hides the host's /proc.
pub(crate) struct Machine {
    /// /proc/stat (proc_stat(5)), where there is one.
    stat: Option<File>,
    /// /proc/loadavg (proc_loadavg(5)), where there is one.
    load: Option<File>,
    /// The nice value of programs that don't change it.
    nice: i32,
    /// Where they may run.
    cores: Cores,
}

/// What others have used since a moment.
pub(crate) struct Others {
    begin_ns: u64,
    begin: CoreTicks,
    own_ns: u64,
}

/// What others have used of every core, or as much as that would be, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Used {
    pub all_ns: u64,
    /// Of that, what a hypervisor gave to other machines.
    pub stolen_ns: u64,
}

/// What the cores have done, in clock ticks, in sum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct CoreTicks {
    busy: u64,
    /// Of that, what a hypervisor gave to other machines.
    stolen: u64,
    cores: u64,
}

impl Machine {
    pub(crate) fn open(nice: i32) -> Machine {
        Machine {
            stat: File::open("/proc/stat").ok(),
            load: File::open("/proc/loadavg").ok(),
            nice,
            cores: Cores::of(0).unwrap_or_default(),
        }
    }

    /// Whether a thread is scheduled as it was when it was started: on all of the cores, with no lower priority.
    pub(crate) fn is_as_started(&self, thread: i32, stat: &Stat) -> bool {
        let is_lowered = stat.nice > self.nice || stat.policy == libc::SCHED_IDLE;
        let may_run_on = Cores::of(thread).unwrap_or_default();
        !is_lowered && may_run_on.count() >= self.cores.count()
    }

    /// Threads of the whole machine that could run now; as many as can be where the kernel does not tell.
    pub(crate) fn runnable(&self) -> u64 {
        let load = self.load.as_ref();
        load.and_then(|load| runnable(&contents(load)))
            .unwrap_or(u64::MAX)
    }

    /// Whether so many threads leave no core for one more.
    pub(crate) fn is_taken_by(&self, threads: u64) -> bool {
        threads >= self.cores.count() as u64
    }

    /// Begins to count what others use; `tree_ns` is the CPU time of the tree. None where the kernel does not tell.
    pub(crate) fn others(&self, tree_ns: u64) -> Option<Others> {
        Some(Others {
            begin_ns: monotonic_ns(),
            begin: self.usage()?,
            own_ns: own_ns(tree_ns),
        })
    }

    fn usage(&self) -> Option<CoreTicks> {
        let text = contents(self.stat.as_ref()?);
        usage(&text, |core| self.cores.contains(core))
    }
}

impl Others {
    pub(crate) fn used(&self, machine: &Machine, tree_ns: u64) -> Used {
        let now = machine.usage().unwrap_or(self.begin);
        let busy_ns = now.busy.saturating_sub(self.begin.busy) * tick_ns();
        let stolen_ns = now.stolen.saturating_sub(self.begin.stolen) * tick_ns();
        let own_ns = own_ns(tree_ns).saturating_sub(self.own_ns);
        let elapsed_ns = monotonic_ns() - self.begin_ns;
        Used {
            all_ns: (busy_ns.saturating_sub(own_ns) / now.cores).min(elapsed_ns),
            stolen_ns: (stolen_ns / now.cores).min(elapsed_ns),
        }
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

/// `0.20 0.18 0.12 3/80 11206`: three of 80 threads could run.
fn runnable(load: &str) -> Option<u64> {
    let threads = load.split_ascii_whitespace().nth(3)?;
    threads.split_once('/')?.0.parse().ok()
}

/// What these cores have done; None where there are none of them.
fn usage(text: &str, is_ours: impl Fn(usize) -> bool) -> Option<CoreTicks> {
    let mut usage = CoreTicks::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let name = words.next().and_then(|word| word.strip_prefix("cpu"));
        let Some(core) = name.and_then(|number| number.parse().ok()) else {
            continue;
        };
        if is_ours(core) {
            // user, nice, system, idle, iowait, irq, softirq, steal.
            let (busy, stolen) = ([0, 1, 2, 5, 6, 7], 7);
            let numbers: Vec<u64> = words.map(|n| n.parse().unwrap_or(0)).collect();
            usage.busy += busy.iter().filter_map(|i| numbers.get(*i)).sum::<u64>();
            usage.stolen += numbers.get(stolen).unwrap_or(&0);
            usage.cores += 1;
        }
    }
    (usage.cores > 0).then_some(usage)
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
        let of = |busy, stolen, cores| {
            Some(CoreTicks {
                busy,
                stolen,
                cores,
            })
        };
        assert_eq!(usage(STAT, |_| true), of(18 + 31, 2, 2));
        assert_eq!(usage(STAT, |core| core == 1), of(31, 1, 1));
        assert_eq!(usage("", |_| true), None);
    }

    #[test]
    fn a_machine_says_how_busy_it_is() {
        let machine = Machine::open(0);
        let others = machine.others(0).expect("/proc/stat");
        assert!(others.used(&machine, 0).all_ns < 1_000_000_000);
        assert_eq!(runnable("0.20 0.18 0.12 3/80 11206\n"), Some(3));
        assert!((1..u64::MAX).contains(&machine.runnable()));
    }
}
