//! Calls that lead out of the sandbox or deep into the kernel.

#[cfg(target_arch = "x86_64")]
mod abi;
mod devices;
mod facilities;
mod ids;
mod machine;
mod memory;
mod mounts;
mod namespaces;
mod options;
mod prctls;
mod random;
mod sweep;

use crate::Probe;

pub const PROBES: &[&[Probe]] = &[
    #[cfg(target_arch = "x86_64")]
    abi::PROBES,
    devices::PROBES,
    facilities::PROBES,
    ids::PROBES,
    machine::PROBES,
    memory::PROBES,
    mounts::PROBES,
    namespaces::PROBES,
    options::PROBES,
    prctls::PROBES,
    random::PROBES,
    sweep::PROBES,
];
