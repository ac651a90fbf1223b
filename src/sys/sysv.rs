//! System V IPC objects of this IPC namespace, for the proof that none is left and for the memory they hold.

/// What the namespace holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SysV {
    /// Shared memory segments, semaphore sets and message queues.
    pub objects: u32,
    /// Pages of all shared memory segments, in memory and swapped out.
    pub shared_pages: u64,
    /// What semaphores and unread messages take of the kernel's memory, in bytes.
    pub kernel_bytes: u64,
    /// What each thread can have in addition that has used all semaphores with SEM_UNDO, in bytes.
    pub undo_bytes: u64,
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
/// Index of `semaem`: with SEM_INFO the number of semaphores in all sets (semctl(2)).
const SEMAEM: usize = 9;
/// A cache line each (`struct sem` of ipc/sem.c).
const SEMAPHORE_BYTES: u64 = 64;
/// Of a thread for a set, and for a semaphore in it (`struct sem_undo` of ipc/sem.c, rounded up as slabs are).
const UNDO_BYTES: (u64, u64) = (128, 4);
/// Index of `msgmap`: with MSG_INFO the number of messages in all queues (msgctl(2)).
const MSGMAP: usize = 1;
/// Index of `msgtql`: with MSG_INFO the bytes of all messages (msgctl(2)).
const MSGTQL: usize = 6;
/// The header of a message (`struct msg_msg` of linux/msg.h).
const MESSAGE_BYTES: u64 = 48;
/// Index of `msgpool`: with MSG_INFO the number of queues in use (msgctl(2)).
const MSGPOOL: usize = 0;
const SHM_INFO: libc::c_int = 14;
const SEM_INFO: libc::c_int = 19;
const MSG_INFO: libc::c_int = 12;

const SHM_STAT_ANY: libc::c_int = 15;
const SEM_STAT_ANY: libc::c_int = 20;
const MSG_STAT_ANY: libc::c_int = 13;

/// Removes all of them; for the user that made them, or its namespace's root.
pub(crate) fn remove_all() {
    // SAFETY: each call gets a pointer to a zeroed struct of the type that its manual page names (the INFO calls
    // one that is at least as large) or ignores the argument; an index that is not in use only yields an error.
    unsafe {
        let mut info = ShmInfo::default();
        for index in 0..=libc::shmctl(0, SHM_INFO, (&raw mut info).cast()) {
            let mut state: libc::shmid_ds = std::mem::zeroed();
            let id = libc::shmctl(index, SHM_STAT_ANY, &raw mut state);
            libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut());
        }
        let mut info: Info = [0; 16];
        for index in 0..=libc::semctl(0, 0, SEM_INFO, info.as_mut_ptr()) {
            let mut state: libc::semid_ds = std::mem::zeroed();
            let id = libc::semctl(index, 0, SEM_STAT_ANY, &raw mut state);
            libc::semctl(id, 0, libc::IPC_RMID);
        }
        for index in 0..=libc::msgctl(0, MSG_INFO, info.as_mut_ptr().cast()) {
            let mut state: libc::msqid_ds = std::mem::zeroed();
            let id = libc::msgctl(index, MSG_STAT_ANY, &raw mut state);
            libc::msgctl(id, libc::IPC_RMID, std::ptr::null_mut());
        }
    }
}

/// Counts them; three cheap system calls.
pub(crate) fn usage() -> SysV {
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
        shared_pages: shm.shm_rss + shm.shm_swp,
        kernel_bytes: sem[SEMAEM] as u64 * SEMAPHORE_BYTES
            + msg[MSGMAP] as u64 * MESSAGE_BYTES
            + msg[MSGTQL] as u64,
        undo_bytes: sem[SEMUSZ] as u64 * UNDO_BYTES.0 + sem[SEMAEM] as u64 * UNDO_BYTES.1,
    }
}
