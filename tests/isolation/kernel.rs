//! Calls that lead out of the sandbox or deep into the kernel.

#[cfg(target_arch = "x86_64")]
#[path = "kernel/abi.rs"]
mod abi;
#[path = "kernel/attributes.rs"]
mod attributes;
#[path = "kernel/cores.rs"]
mod cores;
#[path = "kernel/devices.rs"]
mod devices;
#[path = "kernel/facilities.rs"]
mod facilities;
#[path = "kernel/ids.rs"]
mod ids;
#[path = "kernel/machine.rs"]
mod machine;
#[path = "kernel/memory.rs"]
mod memory;
#[path = "kernel/mounts.rs"]
mod mounts;
#[path = "kernel/namespaces.rs"]
mod namespaces;
#[path = "kernel/options.rs"]
mod options;
#[path = "kernel/own.rs"]
mod own;
#[path = "kernel/prctls.rs"]
mod prctls;
#[path = "kernel/random.rs"]
mod random;
#[path = "kernel/sweep.rs"]
mod sweep;
