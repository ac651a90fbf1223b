//! The only module with `unsafe`: system calls that `nix` does not wrap, and those whose safety depends on what
//! the process is (single-threaded, just forked); and what both sides of the wire need of the file tree. Everything it exports is safe to call within its stated rules.

pub(crate) mod clock;
pub(crate) mod cores;
pub(crate) mod exec;
pub(crate) mod fork;
pub(crate) mod kcmp;
pub(crate) mod landlock;
pub(crate) mod mode;
pub(crate) mod mount;
pub(crate) mod network;
pub(crate) mod plain;
pub(crate) mod procfs;
pub(crate) mod remove;
pub(crate) mod sched;
pub(crate) mod signal;
pub(crate) mod sock_diag;
pub(crate) mod socket;
pub(crate) mod stdio;
pub(crate) mod sysv;
pub(crate) mod terminal;
pub(crate) mod wait;
pub(crate) mod xattr;
