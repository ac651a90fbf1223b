//! A system call that failed while the sandbox was built: its name and what it was about, for people.

use crate::wire::failure::Cause;
use std::path::{Path, PathBuf};

/// One that failed.
#[derive(Debug)]
pub(crate) struct CallError {
    name: &'static str,
    path: PathBuf,
    errno: i32,
}

impl Cause for CallError {
    fn errno(&self) -> i32 {
        self.errno
    }

    fn call(self) -> Option<String> {
        Some(format!("{} {}", self.name, self.path.display()))
    }
}

/// Says of an error which call it was and on what; for `map_err`.
pub(crate) fn on<C: Cause>(
    name: &'static str,
    path: impl AsRef<Path>,
) -> impl FnOnce(C) -> CallError {
    move |cause| CallError {
        name,
        errno: cause.errno(),
        path: path.as_ref().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::failure::Stage;
    use std::fs;

    #[test]
    fn a_failure_says_what_was_tried_on_what_and_why_it_failed() {
        let path = "/proc/no such file";
        let failed = fs::read(path)
            .map_err(on("open", path))
            .map_err(Stage::Devices.failed());
        assert_eq!(
            failed.unwrap_err().to_string(),
            "/dev could not be set up for the slot: open /proc/no such file: No such file or directory (os error 2)"
        );
    }
}
