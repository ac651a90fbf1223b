//! What slots' own processes print, which is why they died: they print nothing else. In memory, and returned with the loss of
//! a slot.

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Stdio;

/// What is returned of one slot.
const MAX_CHARS: usize = 1024;
/// How much of the end is searched for it, in bytes.
const WINDOW_BYTES: u64 = 64 * 1024;

/// One file for all slots: each line begins with the name of the process, which has the slot's number. All processes append
/// through one open file description. Without the file they print to nowhere.
pub struct SlotLog(Option<File>);

impl SlotLog {
    pub fn open() -> SlotLog {
        let file = memfd_create("slot-log", MFdFlags::MFD_CLOEXEC).ok();
        // Nobody else's line is written over.
        let file = file.filter(|file| fcntl(file, FcntlArg::F_SETFL(OFlag::O_APPEND)).is_ok());
        SlotLog(file.map(File::from))
    }

    /// For a slot's process to print to.
    pub fn stdio(&self) -> Stdio {
        let copy = self.0.as_ref().map(File::try_clone);
        copy.and_then(Result::ok)
            .map_or_else(Stdio::null, Stdio::from)
    }

    /// How long it is by now, in bytes.
    pub fn length(&self) -> u64 {
        let meta = self.0.as_ref().map(File::metadata);
        meta.and_then(Result::ok).map_or(0, |meta| meta.len())
    }

    /// What processes of this slot have printed since it was so long; empty if nothing.
    pub fn of_slot(&self, slot: u32, since: u64) -> String {
        let text = self.tail(since).unwrap_or_default();
        let mine: Vec<&str> = text.lines().filter(|line| is_of(line, slot)).collect();
        mine.join("; ").chars().take(MAX_CHARS).collect()
    }

    fn tail(&self, from: u64) -> Option<String> {
        let (file, end) = (self.0.as_ref()?, self.length());
        let from = from.max(end.saturating_sub(WINDOW_BYTES));
        let mut bytes = vec![0; end.saturating_sub(from) as usize];
        file.read_exact_at(&mut bytes, from).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn is_of(line: &str, slot: u32) -> bool {
    let rest = line.strip_prefix(&format!("slot{slot}"));
    rest.is_some_and(|rest| rest.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn each_slot_has_the_lines_that_its_own_processes_have_printed_since_it_was_started() {
        let log = SlotLog::open();
        let mut file = log.0.as_ref().unwrap().try_clone().unwrap();
        let mut print = |text: &str| file.write_all(text.as_bytes()).unwrap();
        assert_eq!(log.of_slot(1, 0), "");
        print("slot1 init: a\nslot11 init: b\nslot1 zygote: c\n");
        assert_eq!(log.of_slot(1, 0), "slot1 init: a; slot1 zygote: c");
        assert_eq!(log.of_slot(11, 0), "slot11 init: b");
        let since = log.length();
        print("slot1 init: d\n");
        assert_eq!(log.of_slot(1, since), "slot1 init: d");
        print(&format!("slot3 init: {}\n", "é".repeat(5000)));
        assert_eq!(log.of_slot(3, since).chars().count(), MAX_CHARS);
    }
}
