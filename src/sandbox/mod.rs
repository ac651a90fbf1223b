//! Policy → kernel, in two phases: *prepare* (allocates, opens, compiles; once per slot or zygote) and
//! *enforce* (system calls only; in the forked child of every episode).

pub(crate) mod call;
pub(crate) mod child;
pub mod layout;
pub(crate) mod namespaces;
pub(crate) mod network;
pub(crate) mod privileges;
pub(crate) mod quotas;
pub(crate) mod root;
pub(crate) mod ruleset;
pub(crate) mod seccomp;
pub(crate) mod sequence;
pub mod syscalls;
pub(crate) mod tier;
