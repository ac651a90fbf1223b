//! Scratch directories of slots that died before they could remove them.
//!
//! What is in them was made by programs. So they are removed when no process of the slot is left, beside the other
//! work, and as the slot's uid: as root the thread that does it gives up what root may do with files.

use crate::sys::remove::{remove_contents, remove_empty};
use crate::wire::message::Ids;
use nix::errno::Errno;
use nix::unistd::{Gid, Pid, Uid, setfsgid, setfsuid};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How soon a removal that failed is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);
/// How long it is tried. With nobody left to write to the directory, the first time is enough.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(5);

/// A slot's own directory, and whom its content belongs to.
#[derive(Clone, Debug)]
pub struct Scratch {
    pub path: PathBuf,
    pub ids: Ids,
}

/// A scratch directory that has outlived its slot.
pub(super) struct Leftover {
    pub slot: Pid,
    pub number: u32,
    scratch: Scratch,
    removal: Removal,
}

enum Removal {
    /// There may be processes that write to it.
    Waiting,
    /// Since when it has been tried.
    Running(JoinHandle<Result<(), Errno>>, Instant),
    /// Since when it has been tried, and when it is tried again.
    Failed(Instant, Instant),
}

impl Leftover {
    /// What a slot that has ended left; None when it has removed it by itself.
    pub(super) fn of(slot: Pid, number: u32, scratch: Scratch) -> Option<Leftover> {
        // One that died early may not have given it away yet; then it is empty.
        (!remove_empty(&scratch.path)).then_some(Leftover {
            slot,
            number,
            scratch,
            removal: Removal::Waiting,
        })
    }

    /// Goes on with its removal; whether it is still there. `quiet` says that nobody writes to it any more.
    pub(super) fn is_there(&mut self, quiet: bool) -> bool {
        match std::mem::replace(&mut self.removal, Removal::Waiting) {
            Removal::Waiting if quiet => self.start(Instant::now()),
            Removal::Waiting => {}
            Removal::Running(thread, since) if thread.is_finished() => {
                let emptied = thread.join().unwrap_or(Err(Errno::EIO));
                // The directory that it is in may be ours alone.
                if remove_empty(&self.scratch.path) {
                    return false;
                }
                if since.elapsed() > REMOVAL_TIMEOUT {
                    self.report(emptied.err().unwrap_or(Errno::ENOTEMPTY));
                    return false;
                }
                self.removal = Removal::Failed(since, Instant::now() + RETRY_INTERVAL);
            }
            Removal::Failed(since, next) if Instant::now() >= next => self.start(since),
            other => self.removal = other,
        }
        true
    }

    fn start(&mut self, since: Instant) {
        let scratch = self.scratch.clone();
        let spawned = std::thread::Builder::new()
            .name("removal".into())
            .spawn(move || empty_as_slot(&scratch));
        self.removal = match spawned {
            Ok(thread) => Removal::Running(thread, since),
            Err(_) => Removal::Failed(since, Instant::now() + RETRY_INTERVAL),
        };
    }

    fn report(&self, errno: Errno) {
        eprintln!(
            "runner: {} of a slot that died can't be removed ({}); remove it by hand",
            self.scratch.path.display(),
            errno.desc()
        );
    }
}

/// To be called in a thread of its own, which stays the slot's.
fn empty_as_slot(scratch: &Scratch) -> Result<(), Errno> {
    if scratch.ids.change {
        // These are the calling thread's alone, and take the capabilities for files with them (capabilities(7)).
        setfsgid(Gid::from_raw(scratch.ids.gid));
        setfsuid(Uid::from_raw(scratch.ids.uid));
    }
    remove_contents(&scratch.path)
}
