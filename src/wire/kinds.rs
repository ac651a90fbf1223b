//! Numbers that warm interpreters and the runner agree on. What runs inside an interpreter knows neither our enums nor serde, and
//! takes this file as its own (`guest/lib.rs`).

/// `WarmExit::kind`: how a launch ended, or what failed before the program ran.
pub mod exit {
    pub const EXITED: u64 = 0;
    pub const SIGNALED: u64 = 1;
    pub const FORK: u64 = 2;
    pub const PROCESS_GROUP: u64 = 3;
    pub const STDIO: u64 = 4;
    pub const WORKDIR: u64 = 5;
    pub const LANDLOCK: u64 = 6;
    pub const RLIMIT: u64 = 7;
}

/// `WarmNews::kind`: how a parent gets on with the modules that it is to import.
pub mod news {
    /// All were found.
    pub const FOUND: u64 = 0;
    /// This one was not.
    pub const MISSING: u64 = 1;
    /// This one is about to be imported.
    pub const IMPORTING: u64 = 2;
    /// Importing it failed.
    pub const FAILED: u64 = 3;
    /// Importing it left threads running.
    pub const THREADS: u64 = 4;
    /// Importing it printed something.
    pub const PRINTS: u64 = 5;
    /// All are imported.
    pub const READY: u64 = 6;
    /// This interpreter can't be used.
    pub const UNUSABLE: u64 = 7;
}
