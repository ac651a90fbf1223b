//! How soon a woken process gets a core.
//!
//! Every start of an episode is a chain of short wake-ups on cores that other episodes keep busy. With the
//! default time slice of some 3 ms each link may wait that long. A process that asks for a shorter slice
//! preempts one with a longer slice when it wakes (EEVDF, `sched_attr::sched_runtime`, Linux 6.12); it gets no
//! more time in all. Needs no privilege; older kernels ignore it.

/// The shortest slice the kernel takes, in nanoseconds.
const SHORTEST_SLICE_NS: u64 = 100_000;

/// A time slice in nanoseconds; 0 where the kernel does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice(u64);

/// For a process that does little and that others wait for. Returns the slice it had.
pub fn prefer_latency() -> Slice {
    set_slice(Slice(SHORTEST_SLICE_NS))
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
