//! How soon a woken process gets a core.
//!
//! Every start of an episode is a chain of short wake-ups on cores that other episodes keep busy. With the
//! default time slice of some 3 ms each link may wait that long. A process that asks for a shorter slice
//! preempts one with a longer slice when it wakes (EEVDF, `sched_attr::sched_runtime`, Linux 6.12); it gets no
//! more time in all. Needs no privilege; older kernels ignore it.

/// The shortest slice the kernel takes, in nanoseconds.
const SHORTEST_SLICE_NS: u64 = 100_000;

/// Long enough for a look at a hundred processes.
const LONG_SLICE_NS: u64 = 5_000_000;

/// A time slice in nanoseconds; 0 where the kernel does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice(u64);

impl Slice {
    /// For a process that sets it by itself.
    pub fn as_ns(self) -> u64 {
        self.0
    }
}

/// For a process that does little and that others wait for. Returns the slice it had.
pub fn prefer_latency() -> Slice {
    set_slice(Slice(SHORTEST_SLICE_NS))
}

/// Lets this process take precedence later, when it has given up the privilege to (RLIMIT_NICE, getrlimit(2)). Only
/// root may; without it taking precedence has no effect.
pub fn permit_precedence() {
    let limit = libc::rlimit {
        rlim_cur: 40,
        rlim_max: 40,
    };
    // SAFETY: the kernel reads a live local.
    unsafe { libc::setrlimit(libc::RLIMIT_NICE, &limit) };
}

/// For a process that watches others which have run for a while: without it, it is one of many that wait for a core,
/// and a tree of 64 busy processes grows for tens of milliseconds between two looks. Not for all the time: it would
/// hold up the start of the neighbours' programs. Returns the nice value to go [back](set_nice) to.
pub fn take_precedence() -> i32 {
    // SAFETY: getpriority takes numbers only; 0 is this process.
    let before = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    set_nice(-20);
    before
}

/// Sets the nice value of this process. Lowering it takes a privilege; a failure leaves things as they are.
pub fn set_nice(nice: i32) {
    // SAFETY: setpriority takes numbers only; 0 is this process.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
}

/// For work of some milliseconds that had better not be interrupted. Returns the slice this process had.
pub fn prefer_finishing() -> Slice {
    set_slice(Slice(LONG_SLICE_NS))
}

/// Sets the slice of this process, and returns the one it had. Two system calls, fit for a forked child.
/// A failure leaves things as they are: it costs latency, nothing else.
pub fn set_slice(slice: Slice) -> Slice {
    let size = size_of::<libc::sched_attr>();
    // SAFETY: all-zero is a valid `sched_attr`, a struct of integers.
    let mut attr: libc::sched_attr = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills at most `size` bytes of `attr`.
    let got = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attr, size, 0) };
    let before = Slice(attr.sched_runtime);
    if got == 0 && slice.0 != 0 {
        attr.sched_flags = 0;
        attr.sched_runtime = slice.0;
        // SAFETY: `attr` lives through the call, and its `size` field was filled in by the kernel.
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0) };
    }
    before
}
