//! A program image made ready before the fork, so that the child only has to call execve.

use nix::errno::Errno;
use std::ffi::{CStr, CString, NulError};

/// Candidates, arguments and environment in the form execve(2) takes.
pub(crate) struct Image {
    candidates: Vec<CString>,
    // The pointer arrays point into these.
    _strings: Vec<CString>,
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
}

impl Image {
    /// Fails on a NUL byte in any string.
    pub(crate) fn new(
        candidates: Vec<String>,
        argv: &[String],
        env: &[String],
    ) -> Result<Self, NulError> {
        let candidates = candidates
            .into_iter()
            .map(CString::new)
            .collect::<Result<_, _>>()?;
        let mut strings = Vec::with_capacity(argv.len() + env.len());
        for text in argv.iter().chain(env) {
            strings.push(CString::new(text.as_str())?);
        }
        let terminated = |part: &[CString]| {
            part.iter()
                .map(|s| s.as_ptr())
                .chain([std::ptr::null()])
                .collect::<Vec<_>>()
        };
        let (argv, envp) = strings.split_at(argv.len());
        let (argv, envp) = (terminated(argv), terminated(envp));
        Ok(Image {
            candidates,
            _strings: strings,
            argv,
            envp,
        })
    }

    /// Replaces the process by the first candidate that can be executed. Returns only on failure, with the errno
    /// that execvp(3) would give: EACCES if any candidate was there but not executable, else the last one; but
    /// ELIBACC, which the kernel itself never gives, if one was there and what is to run it (the program of its #!
    /// line, or its loader) was not. The kernel says ENOENT for that, too.
    pub(crate) fn exec(&self) -> Errno {
        let mut denied = false;
        let mut without_interpreter = false;
        let mut last = Errno::ENOENT;
        for path in &self.candidates {
            // SAFETY: `argv` and `envp` are null-terminated arrays of pointers to NUL-terminated strings that
            // `self` owns and never changes.
            unsafe { libc::execve(path.as_ptr(), self.argv.as_ptr(), self.envp.as_ptr()) };
            last = Errno::last();
            match last {
                Errno::EACCES => denied = true,
                Errno::ENOENT => without_interpreter |= is_there(path),
                Errno::ENOTDIR => {}
                _ => return last,
            }
        }
        match (denied, without_interpreter) {
            (true, _) => Errno::EACCES,
            (false, true) => Errno::ELIBACC,
            (false, false) => last,
        }
    }
}

fn is_there(path: &CStr) -> bool {
    // SAFETY: `path` is a NUL-terminated string, which is only read.
    unsafe { libc::access(path.as_ptr(), libc::F_OK) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_byte_in_an_argument_is_refused() {
        assert!(Image::new(vec!["/bin/true".into()], &["a\0b".into()], &[]).is_err());
    }

    #[test]
    fn a_missing_program_reports_that_it_does_not_exist() {
        let image = Image::new(vec!["/nowhere/at/all".into()], &["all".into()], &[]).unwrap();
        assert_eq!(image.exec(), Errno::ENOENT);
    }

    #[test]
    fn a_script_whose_interpreter_is_missing_is_told_from_a_missing_one() {
        let scratch = tempfile::tempdir().unwrap();
        // Written by another process: a child that another thread forks meanwhile would keep it open for writing.
        let write = r"printf '#!/bin/sh\r\n' >script; chmod +x script";
        let mut sh = std::process::Command::new("sh");
        assert!(
            sh.args(["-c", write])
                .current_dir(&scratch)
                .status()
                .unwrap()
                .success()
        );
        let path = scratch.path().join("script").to_str().unwrap().to_owned();
        let failure = Image::new(vec![path], &["x".into()], &[]).unwrap().exec();
        assert_eq!(failure, Errno::ELIBACC);
    }

    #[test]
    fn a_program_without_execute_permission_wins_over_a_missing_one() {
        let paths = vec!["/etc/passwd".into(), "/nowhere/at/all".into()];
        assert_eq!(
            Image::new(paths, &["x".into()], &[]).unwrap().exec(),
            Errno::EACCES
        );
    }
}
