//! Two ways to make a process: a child that borrows our memory until it execs, and a full copy.

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use nix::unistd::{ForkResult, Pid};
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

const STACK_BYTES: usize = 256 * 1024;

/// Shows that this process has one thread. Whoever starts another takes it away; whoever forks needs it, for only then does no other
/// thread hold a lock that the child might need.
pub(crate) struct SingleThreaded(PhantomData<*const ()>);

impl SingleThreaded {
    /// Begins a process of the slot side: closes every descriptor but the first three, which nothing in it owns yet. Fails where that
    /// can't be done, where it has been done before (EALREADY), and where there is another thread (EINVAL, unshare(2)).
    pub(crate) fn begin() -> Result<SingleThreaded, Errno> {
        static BEGUN: AtomicBool = AtomicBool::new(false);
        if BEGUN.swap(true, Ordering::Relaxed) {
            return Err(Errno::EALREADY);
        }
        // Changes nothing. Where a container denies it whatever is asked (EPERM), this is the program's first act and not to be
        // doubted.
        if unshare(CloneFlags::CLONE_THREAD) == Err(Errno::EINVAL) {
            return Err(Errno::EINVAL);
        }
        // SAFETY: this is done once, as the process begins: nothing owns a descriptor above 2, so none is closed under its owner.
        Errno::result(unsafe { libc::close_range(3, libc::c_uint::MAX, 0) })?;
        Ok(SingleThreaded(PhantomData))
    }
}

/// The stack of vfork children; made once and used by one child after the other.
pub(crate) struct Stack {
    base: NonNull<libc::c_void>,
}

impl Stack {
    pub(crate) fn new() -> Result<Self, Errno> {
        let length = NonZeroUsize::new(STACK_BYTES).expect("not zero");
        // SAFETY: an anonymous private mapping at an address of the kernel's choice aliases nothing.
        let base = unsafe {
            mmap_anonymous(
                None,
                length,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_PRIVATE | MapFlags::MAP_STACK,
            )?
        };
        Ok(Stack { base })
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: `base` is our mapping of exactly STACK_BYTES; children that used it have execed or exited,
        // because `vfork` does not return before that.
        let _ = unsafe { munmap(self.base, STACK_BYTES) };
    }
}

/// Starts a child on `stack` that shares our memory, and returns when it has execed or exited
/// (`CLONE_VM|CLONE_VFORK`, clone(2)): no page tables are copied, and the return marks the exec.
///
/// `child` runs while this process stands still, sees and changes its memory, and has its own descriptor table,
/// signal dispositions and credentials. It must only make system calls: what it allocates is leaked when it
/// execs. It ends by exec; its return value is the exit code when that failed.
pub(crate) fn vfork(
    _: &SingleThreaded,
    stack: &mut Stack,
    mut child: impl FnMut() -> i32,
) -> Result<Pid, Errno> {
    // SAFETY: `base` points to STACK_BYTES of memory that belong to `stack`, which we hold exclusively.
    let memory =
        unsafe { std::slice::from_raw_parts_mut(stack.base.as_ptr().cast::<u8>(), STACK_BYTES) };
    let body = Box::new(|| child() as isize);
    // SAFETY: CLONE_VFORK suspends us until the child has execed or exited, so everything `child` borrows
    // outlives it, nothing is accessed from both sides at once, and the stack is free again on return.
    unsafe {
        nix::sched::clone(
            body,
            memory,
            CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK,
            Some(libc::SIGCHLD),
        )
    }
}

/// Forks a copy of this process, which may go on as a normal program, allocation included.
pub(crate) fn fork(_: &SingleThreaded) -> Result<Option<Pid>, Errno> {
    // SAFETY: `SingleThreaded` shows that there is no other thread.
    match unsafe { nix::unistd::fork()? } {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => Ok(None),
    }
}

/// Ends this process at once, without running destructors or flushing buffers shared with a parent.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit(2) has no preconditions.
    unsafe { libc::_exit(code) }
}
