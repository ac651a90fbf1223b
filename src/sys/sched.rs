//! How soon a woken process gets a core.
//!
//! Every start of an episode is a chain of short wake-ups on cores that other episodes keep busy. With the
//! default time slice of some 3 ms each link may wait that long. A process that asks for a shorter slice
//! preempts one with a longer slice when it wakes (EEVDF, `sched_attr::sched_runtime`, Linux 6.12); it gets no
//! more time in all. Needs no privilege; older kernels ignore it. Root's slots have precedence besides: nice,
//! and real time where there are many of them.

/// The shortest slice the kernel takes, in nanoseconds.
const SHORTEST_SLICE_NS: u64 = 100_000;

/// Long enough for a look at a hundred processes.
const LONG_SLICE_NS: u64 = 5_000_000;

/// A time slice in nanoseconds; 0 where the kernel does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice(u64);

impl Slice {
    /// For a process that sets it by itself.
    pub(crate) fn as_ns(self) -> u64 {
        self.0
    }
}

/// The highest precedence among ordinary processes.
const FIRST: i32 = -20;

/// Real-time priority of what serves a slot.
const SERVING: u32 = 2;

/// That of a program until it has execed: lower, for its zygote has to come back and end it.
const STARTING: u32 = 1;

/// How programs are scheduled, in contrast to the processes of their slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ordinary {
    pub slice: Slice,
    /// That of whoever started the runner.
    pub nice: i32,
}

/// For a process that does little and that others wait for. Its children inherit what it gets here. Returns how it was
/// scheduled before.
///
/// Where programs of other slots keep all cores busy, a share that is merely fair makes a start of half a millisecond
/// take as many times as long as there are programs on the core, and lets a tree of 64 busy processes grow for tens of
/// milliseconds between two looks at it. Lowering the nice value needs CAP_SYS_NICE; without it the short slice has to do.
pub(crate) fn take_precedence() -> Ordinary {
    let ordinary = prefer_latency();
    set_nice(0, FIRST);
    ordinary
}

/// Makes another process, which has taken precedence, a real-time process (SCHED_FIFO, sched(7)). Needs CAP_SYS_NICE,
/// and a control group that grants real time; a failure leaves things as they are.
///
/// The lowest nice value preempts a program that computes at the next timer tick, after 4 ms or so where the wake-ups
/// before have used up the share of it; real time does at once. The price is that processes are moved between cores
/// more often.
pub(crate) fn make_real_time(process: nix::unistd::Pid) {
    set_attributes(process.as_raw(), |attr| {
        attr.sched_policy = libc::SCHED_FIFO as u32;
        attr.sched_priority = SERVING;
    });
}

/// Takes the short slice alone, for what computes at length before it serves.
pub(crate) fn prefer_latency() -> Ordinary {
    Ordinary {
        slice: set_slice(Slice(SHORTEST_SLICE_NS)),
        nice: nice(),
    }
}

/// Makes this process as its programs are to be. Two system calls, fit for a forked child.
pub(crate) fn give_up_precedence(ordinary: Ordinary) {
    set_attributes(0, |attr| *attr = ordinary.attributes(attr.size));
}

/// For a forked child that keeps its precedence until it has execed, when its parent takes it away with
/// `end_precedence`. What the program may fork until then has none (SCHED_RESET_ON_FORK, sched(7)).
pub(crate) fn lend_precedence(ordinary: Ordinary) {
    let flags = if has_precedence(ordinary) {
        RESET_ON_FORK
    } else {
        0
    };
    set_attributes(0, |attr| {
        attr.sched_runtime = ordinary.slice.0;
        attr.sched_priority = attr.sched_priority.min(STARTING);
        attr.sched_flags = flags;
    });
}

/// Takes away from a child what it was lent. The flag stays: only CAP_SYS_NICE of the host takes it away, and the
/// slot no longer has that.
pub(crate) fn end_precedence(child: nix::unistd::Pid, ordinary: Ordinary) {
    if has_precedence(ordinary) {
        set_attributes(child.as_raw(), |attr| {
            *attr = libc::sched_attr {
                sched_flags: RESET_ON_FORK,
                ..ordinary.attributes(attr.size)
            }
        });
    }
}

const RESET_ON_FORK: u64 = libc::SCHED_FLAG_RESET_ON_FORK as u64;

impl Ordinary {
    fn attributes(self, size: u32) -> libc::sched_attr {
        libc::sched_attr {
            size,
            sched_policy: libc::SCHED_OTHER as u32,
            sched_flags: 0,
            sched_nice: self.nice,
            sched_priority: 0,
            sched_runtime: self.slice.0,
            sched_deadline: 0,
            sched_period: 0,
        }
    }
}

fn has_precedence(ordinary: Ordinary) -> bool {
    // SAFETY: sched_getscheduler takes a number only; 0 is this process.
    let policy = unsafe { libc::sched_getscheduler(0) };
    policy == libc::SCHED_FIFO || nice() != ordinary.nice
}

fn nice() -> i32 {
    // SAFETY: getpriority takes numbers only; 0 is this process.
    unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
}

/// A failure leaves things as they are.
fn set_nice(pid: i32, nice: i32) {
    // SAFETY: setpriority takes numbers only.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, pid as libc::id_t, nice) };
}

/// For work of some milliseconds that had better not be interrupted. Returns the slice this process had.
pub(crate) fn prefer_finishing() -> Slice {
    set_slice(Slice(LONG_SLICE_NS))
}

/// Sets the slice of this process, and returns the one it had. Two system calls, fit for a forked child.
/// A failure leaves things as they are: it costs latency, nothing else.
pub(crate) fn set_slice(slice: Slice) -> Slice {
    set_attributes(0, |attr| attr.sched_runtime = slice.0)
}

/// Changes how process `pid` is scheduled, 0 being this one, and returns the slice it had: 0 for real time and before
/// Linux 6.12, where setting one is without effect.
fn set_attributes(pid: i32, change: impl FnOnce(&mut libc::sched_attr)) -> Slice {
    let size = size_of::<libc::sched_attr>();
    // SAFETY: all-zero is a valid `sched_attr`, a struct of integers.
    let mut attr: libc::sched_attr = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills at most `size` bytes of `attr`.
    let got = unsafe { libc::syscall(libc::SYS_sched_getattr, pid, &raw mut attr, size, 0) };
    let before = Slice(attr.sched_runtime);
    if got == 0 {
        change(&mut attr);
        // SAFETY: `attr` lives through the call, and its `size` field was filled in by the kernel.
        unsafe { libc::syscall(libc::SYS_sched_setattr, pid, &raw const attr, 0) };
    }
    before
}
