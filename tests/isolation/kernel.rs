//! Calls that lead out of the sandbox or deep into the kernel.

#[cfg(target_arch = "x86_64")]
mod abi;
mod attributes;
mod cores;
mod devices;
mod facilities;
mod ids;
mod machine;
mod memory;
mod mounts;
mod namespaces;
mod options;
mod own;
mod prctls;
mod random;
mod sweep;
