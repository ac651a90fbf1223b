//! System V IPC objects of this IPC namespace, for the proof that none is left and for the memory they hold.

/// What the namespace holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SysV {
    /// Shared memory segments, semaphore sets and message queues.
    pub objects: u32,
    /// Resident pages of all shared memory segments.
    pub shared_pages: u64,
}

/// `struct shm_info` of <sys/shm.h>, which libc lacks for this target.
#[repr(C)]
#[derive(Default)]
struct ShmInfo {
    used_ids: libc::c_int,
    shm_tot: libc::c_ulong,
    shm_rss: libc::c_ulong,
    shm_swp: libc::c_ulong,
    swap_attempts: libc::c_ulong,
    swap_successes: libc::c_ulong,
}

/// `struct seminfo` and `struct msginfo`, both at most this many ints.
type Info = [libc::c_int; 16];
/// Index of `semusz`: with SEM_INFO the number of sets in use (semctl(2)).
const SEMUSZ: usize = 7;
/// Index of `msgpool`: with MSG_INFO the number of queues in use (msgctl(2)).
const MSGPOOL: usize = 0;
const SHM_INFO: libc::c_int = 14;
const SEM_INFO: libc::c_int = 19;
const MSG_INFO: libc::c_int = 12;

/// Counts them; three cheap system calls.
pub fn usage() -> SysV {
    let mut shm = ShmInfo::default();
    let mut sem: Info = [0; 16];
    let mut msg: Info = [0; 16];
    // SAFETY: each call fills a struct that is at least as large as the one its manual page names, and ignores
    // the id argument.
    unsafe {
        libc::shmctl(0, SHM_INFO, (&raw mut shm).cast());
        libc::semctl(0, 0, SEM_INFO, sem.as_mut_ptr());
        libc::msgctl(0, MSG_INFO, msg.as_mut_ptr().cast());
    }
    SysV {
        objects: (shm.used_ids + sem[SEMUSZ] + msg[MSGPOOL]) as u32,
        shared_pages: shm.shm_rss,
    }
}
