//! The only module with `unsafe`: system calls that `nix` does not wrap, and those whose safety depends on what
//! the process is (single-threaded, just forked); and what both sides of the wire need of the file tree. Everything it exports is safe to call within its stated rules.

pub mod clock;
pub mod cores;
pub mod exec;
pub mod fork;
pub mod kcmp;
pub mod landlock;
pub mod mode;
pub mod mount;
pub mod network;
pub mod plain;
pub mod procfs;
pub mod remove;
pub mod sched;
pub mod signal;
pub mod sock_diag;
pub mod socket;
pub mod stdio;
pub mod sysv;
pub mod terminal;
pub mod wait;
pub mod xattr;
