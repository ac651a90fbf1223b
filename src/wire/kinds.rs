//! Numbers that warm interpreters and the runner agree on. What runs inside an interpreter knows neither our enums nor serde, and
//! takes this file as its own (`guest/lib.rs`).

/// `WarmExit::kind`: how a launch ended, or what failed before the program ran.
pub(crate) mod exit {
    pub(crate) const EXITED: u64 = 0;
    pub(crate) const SIGNALED: u64 = 1;
    pub(crate) const FORK: u64 = 2;
    pub(crate) const PROCESS_GROUP: u64 = 3;
    pub(crate) const STDIO: u64 = 4;
    pub(crate) const WORKDIR: u64 = 5;
    pub(crate) const LANDLOCK: u64 = 6;
    pub(crate) const RLIMIT: u64 = 7;
}

/// `WarmNews::kind`: how a parent gets on with the modules that it is to import.
pub(crate) mod news {
    /// The Pythons that can be parents, for people; all others send `VERSION` or `FREE_THREADED`.
    pub(crate) const SUPPORTED: &str = "CPython 3.9 to 3.13";
    /// All were found.
    pub(crate) const FOUND: u64 = 0;
    /// This one was not.
    pub(crate) const MISSING: u64 = 1;
    /// This one is about to be imported.
    pub(crate) const IMPORTING: u64 = 2;
    /// Importing it failed.
    pub(crate) const FAILED: u64 = 3;
    /// Importing it left threads running.
    pub(crate) const THREADS: u64 = 4;
    /// Importing it printed something.
    pub(crate) const PRINTS: u64 = 5;
    /// All are imported.
    pub(crate) const READY: u64 = 6;
    /// This interpreter can't be used.
    pub(crate) const UNUSABLE: u64 = 7;
    /// It is too old, too new, or no CPython.
    pub(crate) const VERSION: u64 = 8;
    /// It has no lock that keeps all threads but one from running.
    pub(crate) const FREE_THREADED: u64 = 9;
}
