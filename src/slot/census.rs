//! Who lives in the slot, and what they use: the readings behind the limits.

use super::disk::{Count, Usage};
use super::kernel_memory;
use super::memory::{self, Budget, ProcessMemory};
use super::shared_memory::SharedMemory;
use super::watch::DiskReading;
use crate::sandbox::network;
use crate::sandbox::tier::{self, Isolation};
use crate::spec::limits::Limits;
use crate::spec::policy::{Network, Tier};
use crate::sys::{
    clock::{monotonic_ns, tick_ns},
    procfs::{Stat, is_stopped, resident_pages},
    sock_diag::{self, Whose},
    sysv,
};
use nix::sys::signal::{Signal, kill};
use nix::sys::statfs::statfs;
use nix::unistd::{Pid, SysconfVar, sysconf};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Fewer processes than this can be looked at while they run.
const MIN_STOPPED_PROCESSES: usize = 8;
/// How often a list of processes is taken again because some of it was gone, or new.
const ROUNDS: usize = 4;

/// What a look at mappings may cost, and one at descriptors, while the processes go on, and what while they are stopped, in
/// microseconds of CPU time and nanoseconds of all time: so long can a program with very many of them put off its timeout,
/// and no longer.
const QUICK_LOOK: (u64, u64) = (30_000, 500_000_000);
const CLOSE_LOOK: (u64, u64) = (300_000, 3_000_000_000);

/// Fewer sockets than this are not worth asking for their buffers, of some 200 KB each (net.core.wmem_default).
const MANY_SOCKETS: u64 = 64;
/// A file, directory or link of a tmpfs, with its name (`struct shmem_inode_info`, `struct dentry`).
const INODE_BYTES: u64 = 1280;

/// How long one look at the disk counts: timeouts and the watch over memory wait for it.
const COUNT_TIMEOUT_NS: u64 = 20_000_000;

/// Finds the processes of the episode.
#[derive(Clone)]
pub(super) struct Census {
    tier: Tier,
    isolation: &'static dyn Isolation,
    /// Our own children that are not part of any episode.
    zygotes: Vec<i32>,
    network: Network,
    shared: SharedMemory,
    page_bytes: u64,
    tick_ns: u64,
}

/// What the episode's processes use at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TreeUsage {
    pub memory_bytes: u64,
    pub cpu_us: u64,
    pub took_ns: u64,
    /// Of all processes together.
    pub threads: u64,
}

/// Bytes of files in memory and System V objects.
#[derive(Default)]
struct Held {
    /// In pages of shared memory.
    pages: u64,
    /// In memory of the kernel's.
    kernel: u64,
}

impl Census {
    pub(super) fn new(
        tier: Tier,
        network: Network,
        zygotes: Vec<Pid>,
        shared: SharedMemory,
    ) -> Self {
        let setting = |name, fallback| sysconf(name).ok().flatten().map_or(fallback, |v| v as u64);
        Census {
            tier,
            isolation: tier::of(tier),
            zygotes: zygotes.into_iter().map(Pid::as_raw).collect(),
            network,
            shared,
            page_bytes: setting(SysconfVar::PAGE_SIZE, 4096),
            tick_ns: tick_ns(),
        }
    }

    /// A zygote that came later; one that is outside of the slot's processes is out of sight.
    pub(super) fn add_zygote(&mut self, pid: i32) {
        if !self.tier.has_own_processes() {
            self.zygotes.push(pid);
        }
    }

    /// Every process of the episode, zombies included.
    pub(super) fn processes(&self) -> Vec<i32> {
        self.isolation.processes(&self.zygotes)
    }

    /// What the episode has on disk below `root`, named or not, as far as `count` gets in one look.
    pub(super) fn on_disk(&self, count: &mut Count, root: &Path, limits: &Limits) -> DiskReading {
        let begin_ns = monotonic_ns();
        let until_ns = begin_ns + COUNT_TIMEOUT_NS;
        let named = count.look(root, limits.disk_bytes, limits.inodes(), until_ns);
        let (unlinked, hidden) = self.unlinked(root);
        DiskReading {
            used: named.used.plus(unlinked),
            hidden: if hidden > kernel_memory::FREE_UNKNOWN {
                hidden
            } else {
                0
            },
            whole: named.whole,
            lost: named.lost,
            took_ns: monotonic_ns() - begin_ns,
        }
    }

    /// Whether the episode has a process, zombies included.
    pub(super) fn is_anything_left(&self) -> bool {
        self.isolation.is_anything_left(&self.zygotes)
    }

    /// Sends SIGKILL to every process of the episode; whether there was one, zombies included.
    pub(super) fn kill(&self) -> bool {
        self.isolation.kill(&self.zygotes)
    }

    /// The program a zygote started last, and what can be told to belong to it: its process group and its
    /// descendants.
    pub(super) fn program(&self) -> Vec<i32> {
        let is_zygote = |parent: i32| self.isolation.is_zygote(parent, &self.zygotes);
        let all = self.processes();
        let stats: Vec<_> = all
            .iter()
            .filter_map(|pid| Some((*pid, Stat::read(*pid)?)))
            .collect();
        let from_zygote = stats.iter().filter(|(_, stat)| is_zygote(stat.parent));
        let Some(leader) = from_zygote.map(|(pid, _)| *pid).max() else {
            return Vec::new();
        };
        let mut found = vec![leader];
        loop {
            let more: Vec<i32> = stats
                .iter()
                .filter(|(pid, stat)| {
                    let group = stat.group == leader;
                    let child = found.contains(&stat.parent);
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

    /// Memory and CPU time of the whole tree now. While even the upper bound of memory is below `limit`, that is
    /// the reading. Otherwise the tree is stopped for the exact count, which takes long enough for a fast one to
    /// grow by much, and may wait for locks of processes that wait for a core; it goes on unless it is over.
    pub(super) fn read(&self, limit: u64, with_cpu: bool) -> TreeUsage {
        let begin_ns = monotonic_ns();
        let mut stopped = self.is_crowd(limit / 2).then(|| self.stop());
        let running = match stopped {
            Some(_) => Vec::new(),
            None => self.settled(),
        };
        let processes = stopped.as_ref().unwrap_or(&running);
        let threads = processes.iter().map(|p| p.threads).sum();
        let cpu_us = if with_cpu {
            processes.iter().map(|p| self.cpu_us(p.pid)).sum()
        } else {
            0
        };
        let budget = |(cpu_us, wall_ns)| Budget::new(cpu_us, wall_ns);
        let outside = self.outside_processes(processes, limit, &budget(QUICK_LOOK));
        let left = limit.saturating_sub(outside);
        let most_shared = || self.shared.most(self.held_by_files().pages);
        let bound = memory::bound(processes, left, &budget(QUICK_LOOK), most_shared);
        // What can't be told quickly is looked at closely too.
        let mut memory_bytes = outside + bound.unwrap_or(limit);
        if memory_bytes >= limit {
            let still = stopped.get_or_insert_with(|| self.stop());
            let inside = budget(CLOSE_LOOK);
            memory_bytes = memory::exact(still, &inside, most_shared);
            let starved = inside.was_starved();
            let outside = budget(CLOSE_LOOK);
            memory_bytes += self.outside_processes(still, limit, &outside);
            if starved || outside.was_starved() {
                memory_bytes = memory_bytes.min(limit);
            }
        }
        if memory_bytes <= limit {
            resume(stopped.as_deref().unwrap_or_default());
        }
        TreeUsage {
            memory_bytes,
            cpu_us,
            took_ns: monotonic_ns() - begin_ns,
            threads,
        }
    }

    /// Threads of all processes together.
    pub(super) fn threads(&self) -> u64 {
        if self.is_anything_left() {
            self.settled().iter().map(|p| p.threads).sum()
        } else {
            0
        }
    }

    /// Whether these are so many processes, with so much memory, that they have to be stopped to be looked at: a
    /// look takes us longer than our share of the cores among them, and then we would wait for our next turn.
    fn is_crowd(&self, much: u64) -> bool {
        let processes = self.processes();
        let resident = |pid: &i32| resident_pages(*pid).unwrap_or(0) * self.page_bytes;
        processes.len() > MIN_STOPPED_PROCESSES
            && processes.iter().map(resident).sum::<u64>() >= much
    }

    /// The processes of one moment, as nearly as they can be had: a memory that is handed from parent to child
    /// faster than we list them would be in none of those that are still there.
    fn settled(&self) -> Vec<ProcessMemory> {
        let mut found: Vec<ProcessMemory> = Vec::new();
        for _ in 0..ROUNDS {
            let listed = self.processes();
            let fresh = listed
                .iter()
                .filter(|pid| found.iter().all(|p| p.pid != **pid));
            let read: Vec<_> = fresh.map(|pid| ProcessMemory::read(*pid)).collect();
            let vanished = read.iter().any(Option::is_none);
            found.extend(read.into_iter().flatten());
            if !vanished {
                break;
            }
        }
        memory::weigh_mappings(&mut found);
        found
    }

    /// Stops every process of the episode, and reads them; `stopped` is what they were before. A program may see
    /// it: its parent gets a SIGCHLD.
    pub(super) fn stop(&self) -> Vec<ProcessMemory> {
        let mut told = BTreeSet::new();
        let mut before: BTreeSet<i32> = BTreeSet::new();
        for _ in 0..ROUNDS {
            let listed = self.processes();
            let fresh: Vec<i32> = listed.into_iter().filter(|pid| told.insert(*pid)).collect();
            if fresh.is_empty() {
                break;
            }
            before.extend(fresh.iter().copied().filter(|pid| is_stopped(*pid)));
            for pid in fresh {
                let _ = kill(Pid::from_raw(pid), Signal::SIGSTOP);
            }
        }
        let mut now = self.settled();
        for process in &mut now {
            process.stopped = before.contains(&process.pid);
        }
        now
    }

    /// Files that are open but no longer have a name, on the device of `root`, and how many descriptors of processes that
    /// forbid inspection may be of such files. What is only mapped, or in flight between sockets, does not show its size.
    fn unlinked(&self, root: &Path) -> (Usage, u64) {
        let mut used = Usage::default();
        let Ok(device) = fs::metadata(root).map(|meta| meta.dev()) else {
            return (used, 0);
        };
        let (mut files, mut hidden) = (BTreeMap::new(), 0);
        for table in self.settled().iter().flat_map(kernel_memory::tables) {
            let Ok(descriptors) = fs::read_dir(&table.directory) else {
                if table.is_hidden() {
                    hidden += table.count;
                }
                continue;
            };
            // Follows the link to the open file itself.
            let opened = descriptors
                .flatten()
                .filter_map(|fd| fs::metadata(fd.path()).ok());
            let unlinked = opened.filter(|meta| meta.nlink() == 0 && meta.dev() == device);
            files.extend(unlinked.map(|meta| (meta.ino(), meta.blocks())));
        }
        files.into_values().for_each(|blocks| used.add(blocks));
        (used, hidden)
    }

    /// Bytes that no process has mapped. Counting ends at what is over the limit.
    fn outside_processes(&self, processes: &[ProcessMemory], limit: u64, budget: &Budget) -> u64 {
        self.files_in_memory()
            + self.undo_lists(processes)
            + self.sockets()
            + kernel_memory::of_descriptors(processes, self.owns_network(), limit, budget)
    }

    /// The most that these processes can have of lists that belong to semaphores; which of them have some can't be seen.
    fn undo_lists(&self, processes: &[ProcessMemory]) -> u64 {
        match sysv::usage().undo_bytes {
            each if each > 0 && self.tier.has_own_ipc() => {
                each * processes.iter().map(|p| p.threads).sum::<u64>()
            }
            _ => 0,
        }
    }

    fn owns_network(&self) -> bool {
        self.tier.has_own_network(self.network)
    }

    /// Bytes that sockets take, those that were never accepted included, where those of the episode can be told from others.
    fn sockets(&self) -> u64 {
        let sockets = if self.owns_network() {
            network::sockets().unwrap_or(0)
        } else {
            0
        };
        if sockets <= MANY_SOCKETS {
            return 0;
        }
        let internet = match self.network {
            Network::None => 0,
            Network::Loopback | Network::Host => sock_diag::internet_buffers(&Whose::Everybodys),
        };
        sockets * kernel_memory::SOCKET_BYTES
            + sock_diag::unix_buffers(&Whose::Everybodys).unwrap_or(0)
            + internet
    }

    /// Bytes held by files of the private root, where there is one, and by System V objects.
    pub(super) fn files_in_memory(&self) -> u64 {
        let Held { pages, kernel } = self.held_by_files();
        pages + kernel
    }

    fn held_by_files(&self) -> Held {
        if !self.tier.has_private_root() {
            return Held::default();
        }
        let (blocks, inodes) = statfs("/").map_or((0, 0), |s| {
            let blocks = (s.blocks() - s.blocks_free()) * s.block_size() as u64;
            (blocks, s.files() - s.files_free())
        });
        let objects = sysv::usage();
        Held {
            pages: blocks + objects.shared_pages * self.page_bytes,
            kernel: inodes * INODE_BYTES + objects.kernel_bytes,
        }
    }

    fn cpu_us(&self, pid: i32) -> u64 {
        let ticks = Stat::read(pid).map_or(0, |stat| stat.cpu_ticks);
        ticks * self.tick_ns / 1000
    }
}

/// Lets go on what `stop` stopped, and nothing that had stopped before.
pub(super) fn resume(processes: &[ProcessMemory]) {
    for process in processes.iter().filter(|p| !p.stopped) {
        let _ = kill(Pid::from_raw(process.pid), Signal::SIGCONT);
    }
}
