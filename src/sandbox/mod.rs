//! Policy → kernel, in two phases: *prepare* (allocates, opens, compiles; once per slot or zygote) and
//! *enforce* (system calls only; in the forked child of every episode).

pub mod child;
pub mod layout;
pub mod namespaces;
pub mod network;
pub mod privileges;
pub mod quotas;
pub mod root;
pub mod ruleset;
pub mod seccomp;
pub mod sequence;
pub mod syscalls;
pub mod tier;
