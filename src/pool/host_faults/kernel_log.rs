//! Whom the kernel says that it killed for lack of memory: the "Killed process" lines of its log (since Linux 5.4 with uid).

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, read_to_string};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

/// No record of /dev/kmsg is longer (CONSOLE_EXT_LOG_MAX).
const RECORD_BYTES: usize = 8192;
/// How many records are read at one time, however fast more come.
const MAX_RECORDS: u32 = 10_000;
/// Records of the kernel have facility 0, and so only a level before it; what root's programs write has another.
const FIRST_OF_OTHERS: u32 = 8;

/// The log from when it was opened.
pub(super) struct KernelLog {
    file: File,
    /// Kills that nobody has asked for, by uid.
    killed: BTreeMap<u32, u32>,
}

impl KernelLog {
    /// `None` where it can't be read, or names uids that are not ours because we are in a user namespace.
    pub(super) fn open() -> Option<KernelLog> {
        let map = read_to_string("/proc/self/uid_map").ok()?;
        if !map.split_whitespace().eq(["0", "0", "4294967295"]) {
            return None;
        }
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NONBLOCK);
        let mut file = options.open("/dev/kmsg").ok()?;
        file.seek(SeekFrom::End(0)).ok()?;
        Some(KernelLog {
            file,
            killed: BTreeMap::new(),
        })
    }

    /// Whether it names this uid once more than was asked for.
    pub(super) fn names(&mut self, uid: u32) -> bool {
        self.read();
        match self.killed.get_mut(&uid) {
            Some(kills) if *kills > 0 => {
                *kills -= 1;
                true
            }
            _ => false,
        }
    }

    /// What was logged of this uid is no concern of whoever has it now.
    pub(super) fn forget(&mut self, uid: u32) {
        self.read();
        self.killed.remove(&uid);
    }

    fn read(&mut self) {
        let mut record = [0; RECORD_BYTES];
        for _ in 0..MAX_RECORDS {
            match self.file.read(&mut record) {
                Ok(0) => return,
                Ok(length) => {
                    let text = String::from_utf8_lossy(&record[..length]);
                    if let Some(uid) = killed_uid(&text) {
                        *self.killed.entry(uid).or_default() += 1;
                    }
                }
                // EPIPE: records were lost, because they came too fast. What follows can be read.
                Err(error) => match error.kind() {
                    ErrorKind::BrokenPipe | ErrorKind::Interrupted => {}
                    _ => return,
                },
            }
        }
    }
}

/// Whose process this record says was killed. The name of the process, which is the program's to choose, comes before the
/// uid.
fn killed_uid(record: &str) -> Option<u32> {
    let (prefix, text) = record.split_once(';')?;
    let level: u32 = prefix.split(',').next()?.parse().ok()?;
    if level >= FIRST_OF_OTHERS {
        return None;
    }
    let (_, killed) = text.lines().next()?.split_once("Killed process ")?;
    let (_, uid) = killed.rsplit_once(" UID:")?;
    uid.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uid_of_whom_the_kernel_killed_is_read_whatever_the_process_is_called() {
        let record = |prefix: &str, name: &str| {
            format!(
                "{prefix},2144,99871,-;Memory cgroup out of memory: Killed process 4711 ({name}) total-vm:9kB, \
                 anon-rss:8kB, file-rss:0kB, shmem-rss:0kB, UID:1900000007 pgtables:60kB oom_score_adj:500\n \
                 SUBSYSTEM=memory UID:3\n"
            )
        };
        assert_eq!(killed_uid(&record("3", "python3")), Some(1_900_000_007));
        assert_eq!(killed_uid(&record("3", "x) UID:7 (")), Some(1_900_000_007));
        assert_eq!(killed_uid(&record("12", "python3")), None);
        assert_eq!(killed_uid("6,1,2,-;usb 1-1: new device\n"), None);
    }
}
