//! The system call policy, as data: what an episode may call, what that costs the kernel, and why it is needed. It is an
//! allow-list; a call that is not here is EPERM, or gets the answer of the group in [`answered()`] that it stands in.
//!
//! Not here, and why that matters: mount and its family, unshare, setns, chroot, pivot_root (leaving the sandbox);
//! ptrace, process_vm_*, pidfd_getfd, kcmp (other processes); bpf, perf_event_open, userfaultfd, modules, kexec,
//! keyctl, fanotify, open_by_handle_at, quotactl, syslog, setting clocks (kernel surface that programs under test
//! don't need); POSIX message queues and memfd_secret (memory that no limit sees).

mod answered;
mod conditional;
mod cost;
mod options;
mod sockets;
mod table;

pub use cost::Cost;

use crate::spec::policy::{Network, Tier};
use libc::c_long;

/// One allowed system call.
pub struct Entry {
    pub syscall: c_long,
    pub tiers: Tiers,
    pub cost: Cost,
    pub allow: Allow,
}

/// The tiers an entry holds in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tiers {
    Both,
    /// Only where namespaces already keep the call from reaching anything of the host.
    NamespacesOnly,
    /// The narrower form that is left where there are no namespaces.
    LandlockOnly,
    /// Wherever the episode's files are all that its uid owns, so that the call can reach no others.
    OwnFiles,
    /// The narrower form that is left where the host's files of the same user are within reach: Landlock covers
    /// neither mode nor owner, times or attributes of a file (landlock(7)).
    SharedFiles,
    /// Where sockets of one kind or another can be made.
    Sockets,
    /// Where a network was granted.
    Network,
    /// Where those are Unix sockets alone.
    UnixSockets,
    /// Where those are Unix sockets and those of the network.
    AllSockets,
    /// Where those are the sockets of the network alone.
    NetworkSockets,
}

/// The circumstances that the policy depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    pub tier: Tier,
    /// Whether the slot has a uid of its own.
    pub own_uid: bool,
    pub network: Network,
}

impl Tiers {
    pub fn contains(self, setting: Setting) -> bool {
        let own_files = setting.tier == Tier::Namespaces || setting.own_uid;
        let (namespaces, network) = (
            setting.tier == Tier::Namespaces,
            setting.network != Network::None,
        );
        match self {
            Tiers::Both => true,
            Tiers::NamespacesOnly => setting.tier == Tier::Namespaces,
            Tiers::LandlockOnly => setting.tier == Tier::Landlock,
            Tiers::OwnFiles => own_files,
            Tiers::SharedFiles => !own_files,
            Tiers::Sockets => namespaces || network,
            Tiers::Network => network,
            Tiers::UnixSockets => namespaces && !network,
            Tiers::AllSockets => namespaces && network,
            Tiers::NetworkSockets => !namespaces && network,
        }
    }
}

pub enum Allow {
    /// Whatever the arguments are; the text says what it is for.
    Always(&'static str),
    /// When all checks of at least one case hold.
    When(&'static [Case]),
}

/// Arguments for which a call is allowed, and what those are for.
pub struct Case {
    pub checks: &'static [Argument],
    pub reason: &'static str,
}

/// A check of one argument: of its lower 32 bits, which are all that the kernel looks at in an int, or of a
/// whole pointer.
pub struct Argument {
    pub index: u8,
    pub check: Check,
}

pub enum Check {
    Is(u32),
    /// None of these bits is set.
    NoneOf(u32),
    /// These bits have this value.
    Masked(u32, u32),
    /// A null pointer.
    Null,
    NotNull,
}

const fn always(syscall: c_long, cost: Cost, reason: &'static str) -> Entry {
    Entry {
        syscall,
        tiers: Tiers::Both,
        cost,
        allow: Allow::Always(reason),
    }
}

const fn when(syscall: c_long, cost: Cost, cases: &'static [Case]) -> Entry {
    Entry {
        syscall,
        tiers: Tiers::Both,
        cost,
        allow: Allow::When(cases),
    }
}

const fn within(tiers: Tiers, entry: Entry) -> Entry {
    Entry {
        syscall: entry.syscall,
        tiers,
        cost: entry.cost,
        allow: entry.allow,
    }
}

const fn arg(index: u8, check: Check) -> Argument {
    Argument { index, check }
}

/// The calls that are not done but answered, with the error that they get, 0 being success. A group comes before those
/// that follow it, and all of them before the allow-list.
pub fn answered() -> [(i32, &'static [Entry]); 4] {
    [
        (0, answered::PRETENDED),
        (libc::ENOSYS, answered::UNAVAILABLE),
        (libc::EINVAL, answered::INVALID),
        (libc::EOPNOTSUPP, answered::UNSUPPORTED),
    ]
}

/// Every entry of the allow-list. A call may stand in several.
pub fn allowed() -> impl Iterator<Item = &'static Entry> {
    [
        table::FILES,
        table::METADATA,
        table::ATTRIBUTES,
        table::LEGACY_METADATA,
        table::MEMORY,
        table::PROCESSES,
        table::LANDLOCK,
        table::SIGNALS,
        table::TIME,
        table::EVENTS,
        table::SOCKETS,
        sockets::SOCKETS,
        options::SET_SOCKET_OPTION,
        options::GET_SOCKET_OPTION,
        options::IOCTL,
        options::FCNTL,
        options::PRCTL,
        conditional::CONDITIONAL,
        table::SYSTEM_V,
        table::LEGACY,
    ]
    .into_iter()
    .flatten()
}
