//! What does not work inside, and why. `compatibility/PROGRAMS.md` has the same as a table.

use crate::common::Way;

/// Checks that fail inside for a reason.
#[derive(Clone, Copy)]
pub struct Exception {
    pub reason: &'static str,
    fails: fn(Way) -> bool,
    names: &'static [&'static str],
}

impl Exception {
    /// These checks, whose names may leave out a parameter in brackets.
    pub const fn of(self, names: &'static [&'static str]) -> Exception {
        Exception { names, ..self }
    }

    pub fn covers(&self, way: Way, name: &str) -> bool {
        let bare = name.split('[').next().unwrap_or(name);
        (self.fails)(way) && (self.names.contains(&name) || self.names.contains(&bare))
    }
}

const fn landlock(reason: &'static str) -> Exception {
    Exception {
        reason,
        fails: |way| !way.namespaces(),
        names: &[],
    }
}

pub const METADATA: Exception = Exception {
    reason: "Landlock does not cover the mode, owner and times of files, and without a uid of its own an episode \
             could change those of all the user's files",
    fails: |way| !way.namespaces() && !way.root,
    names: &[],
};

pub const NOT_IN_PASSWD: Exception = Exception {
    reason: "the slot's own uid is in no file of the host's /etc",
    fails: |way| !way.namespaces() && way.root,
    names: &[],
};

pub const NO_PROC: Exception =
    landlock("/proc of the host shows every process, and Landlock can't tell them apart");

pub const NO_SOCKETS: Exception =
    landlock("Landlock does not keep a Unix socket from connecting to the host's");

pub const NO_SHARED_MEMORY: Exception =
    landlock("/dev/shm, where named semaphores and shared memory are, is one directory for all");

pub const NO_TERMINALS: Exception =
    landlock("/dev/pts is the host's, with the terminals of all its users");

pub const NO_PRIVATE_TMP: Exception =
    landlock("/tmp is the host's; the JVM ignores TMPDIR and needs -Djava.io.tmpdir=$TMPDIR");
