//! What one execution reads as its stdin: a file in memory, as judges give it, so that programs which ask for its size, map
//! it or go back in it can do so. Without input it is /dev/null.
//!
//! The file is made for this execution alone and opened anew for its program, so no position, flag, lock or lease on it is
//! shared with anybody else. It is sealed: a program can open what it has open again, for writing too, and must not get
//! memory in this way that no limit sees. Pages of the file count in no limit of the episode's, so they are given back when
//! the execution has ended, except for as much as a pipe would hold for whoever still reads it.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SealFlag, fcntl, open};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::ftruncate;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};

use super::placement::errno;

/// What is left to background processes after the end: as much as a pipe holds (pipe(7)).
const LEFT_BYTES: usize = 64 * 1024;

/// Our side of it: what has to be given back.
pub(super) struct Stdin(Option<File>);

impl Stdin {
    /// With the program's end.
    pub(super) fn open(input: &[u8]) -> Result<(Stdin, OwnedFd), Errno> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        if input.is_empty() {
            // Opened for this program alone: flags and signals set on an open file are seen by all who share it.
            return Ok((Stdin(None), open("/dev/null", flags, Mode::empty())?));
        }
        let mut file = File::from(create()?);
        file.write_all(input).map_err(errno)?;
        // Not F_SEAL_SHRINK: that is for us to do.
        let seals = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fchmod(&file, Mode::from_bits_truncate(0o444))?;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let theirs = open(path.as_str(), flags, Mode::empty())?;
        let ours = (input.len() > LEFT_BYTES).then_some(file);
        Ok((Stdin(ours), theirs))
    }
}

impl Drop for Stdin {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            let _ = ftruncate(file, 0);
        }
    }
}

fn create() -> Result<OwnedFd, Errno> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    // Nobody can make it executable then; since Linux 6.3.
    let not_executable = MFdFlags::from_bits_retain(libc::MFD_NOEXEC_SEAL);
    match memfd_create("stdin", flags | not_executable) {
        Err(Errno::EINVAL) => memfd_create("stdin", flags),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::FileExt;

    fn text(file: OwnedFd) -> Vec<u8> {
        let mut text = Vec::new();
        File::from(file).read_to_end(&mut text).unwrap();
        text
    }

    #[test]
    fn it_is_a_file_from_its_start_that_can_only_be_read() {
        let (_ours, theirs) = Stdin::open(b"one\n").unwrap();
        let file = File::from(theirs);
        assert!(file.metadata().unwrap().is_file());
        assert_eq!(file.metadata().unwrap().len(), 4);
        let again = File::options()
            .write(true)
            .open(format!("/proc/self/fd/{}", file.as_raw_fd()));
        // As root it can be opened for writing, whatever its mode.
        for other in [Some(file.try_clone().unwrap()), again.ok()]
            .into_iter()
            .flatten()
        {
            assert!(other.write_at(b"x", 0).is_err());
            assert!(other.set_len(5).is_err());
            assert!(fcntl(&other, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK)).is_err());
        }
        assert_eq!(text(file.into()), b"one\n");
    }

    #[test]
    fn at_the_end_large_input_is_given_back_and_small_input_left_to_who_reads_it() {
        for (length, left) in [(LEFT_BYTES, LEFT_BYTES), (LEFT_BYTES + 1, 0)] {
            let (ours, theirs) = Stdin::open(&vec![b'x'; length]).unwrap();
            drop(ours);
            assert_eq!(text(theirs).len(), left);
        }
    }
}
