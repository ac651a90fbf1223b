//! Looks at a program that stall.
//!
//! To read a process's mappings the kernel needs a lock of that process (mmap_lock), and to read its state, one that it holds
//! within execve(2) (exec_update_lock). A program can have one of its processes hold it, and others keep that one from getting
//! a core: its lowest priority is enough. Whoever looks would wait, and with it the program's timeout and its other limits. So
//! a second thread stops the program when a look takes too long: the cores are free then for whoever holds the lock, and
//! lets go of it as it stops.

use super::census::{Census, TreeUsage, resume};
use super::memory::ProcessMemory;
use crate::sys::fork::SingleThreaded;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// How long a look may take. One at as much as a budget allows takes less where cores are free.
const LOOK_TIMEOUT: Duration = Duration::from_secs(1);
/// The thread stops processes and reads short files.
const STACK_BYTES: usize = 128 << 10;

/// For init. Its thread counts as a process of the slot's uid, and ends with init.
pub(super) struct LookGuard(Arc<GuardState>);

#[derive(Default)]
struct GuardState {
    look: Mutex<GuardedLook>,
    changed: Condvar,
}

#[derive(Default)]
enum GuardedLook {
    #[default]
    None,
    Begun(Instant, Box<Census>),
    /// It took too long, and these were stopped.
    Stalled(Vec<ProcessMemory>),
}

impl LookGuard {
    /// From here on this process has two threads.
    pub(super) fn start(_: SingleThreaded) -> io::Result<LookGuard> {
        let shared = Arc::<GuardState>::default();
        let guard = LookGuard(shared.clone());
        let thread = Builder::new().stack_size(STACK_BYTES);
        thread.spawn(move || shared.watch())?;
        Ok(guard)
    }

    /// As [`Census::read`], however the program tries to put it off.
    pub(super) fn read(&self, census: &Census, limit: u64, with_cpu: bool) -> TreeUsage {
        let (reading, stopped) = self.during(census, || census.read(limit, with_cpu));
        if reading.memory_bytes <= limit {
            resume(&stopped);
        }
        reading
    }

    /// What a look sees, unless the program had to be stopped meanwhile: that is no sight of what it does.
    pub(super) fn undisturbed<T>(&self, census: &Census, look: impl FnOnce() -> T) -> Option<T> {
        let (seen, stopped) = self.during(census, look);
        resume(&stopped);
        stopped.is_empty().then_some(seen)
    }

    /// What a look sees, and who was stopped because it took too long.
    fn during<T>(&self, census: &Census, look: impl FnOnce() -> T) -> (T, Vec<ProcessMemory>) {
        *self.0.look() = GuardedLook::Begun(Instant::now(), Box::new(census.clone()));
        self.0.changed.notify_one();
        let seen = look();
        match std::mem::take(&mut *self.0.look()) {
            GuardedLook::Stalled(stopped) => (seen, stopped),
            GuardedLook::None | GuardedLook::Begun(..) => (seen, Vec::new()),
        }
    }
}

impl GuardState {
    fn look(&self) -> MutexGuard<'_, GuardedLook> {
        self.look.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) -> ! {
        let mut look = self.look();
        loop {
            let left = match &*look {
                GuardedLook::Begun(begin, _) => Some(LOOK_TIMEOUT.saturating_sub(begin.elapsed())),
                GuardedLook::None | GuardedLook::Stalled(_) => None,
            };
            look = match left {
                None => (self.changed.wait(look)).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => stop(look),
                Some(left) => {
                    let waited = self.changed.wait_timeout(look, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

/// Stops those that are looked at. The look can't end meanwhile, so that nobody is resumed before all are stopped.
fn stop(mut look: MutexGuard<'_, GuardedLook>) -> MutexGuard<'_, GuardedLook> {
    if let GuardedLook::Begun(_, census) = &*look {
        *look = GuardedLook::Stalled(census.stop());
    }
    look
}
