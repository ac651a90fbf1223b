//! What it takes to reach a fault, in words, and whether the policy grants it.
//!
//! Alternatives are separated by "or", what has to come together by "and". The words:
//!
//! - `call NAME[/NAME…] [INDEX=CONSTANT]`: one of these system calls, with this argument where one is named
//! - `socket FAMILY[:TYPE[:PROTOCOL]]`, `socketpair FAMILY[:TYPE]`, `setsockopt LEVEL NAME`, `ioctl NAME`
//! - `capability NAME`: programs have none, so it takes a user namespace of their own
//! - `read PATH`, `write PATH`: a file or a device node
//! - `host-setup WHAT`: the administrator of the host has set it up, in the host's own network
//! - `absent NAME`: a program that is not part of this one
//! - `inheritable-capabilities`, `inherited-descriptor`, `set-user-id`: what programs are not started with or can't do
//! - `processor`, `unknown`: reached by any program

use runner::sandbox::layout;
use runner::sandbox::syscalls::{Allow, Argument, Check, Entry, Setting, allowed, answered};
use runner::spec::policy::{Network, Tier};
use std::collections::BTreeSet;

/// What is lacking, of all alternatives; none when one of them can be had.
pub fn lacking(takes: &'static str, setting: Setting) -> Option<BTreeSet<&'static str>> {
    let mut lacking = BTreeSet::new();
    for alternative in takes.split(" or ") {
        let unmet = alternative.split(" and ").filter(|n| !met(n, setting));
        let unmet: Vec<&str> = unmet.collect();
        if unmet.is_empty() {
            return None;
        }
        lacking.extend(unmet);
    }
    Some(lacking)
}

/// Every need that the ledger names.
pub fn all(takes: &'static str) -> impl Iterator<Item = &'static str> {
    takes.split(" or ").flat_map(|a| a.split(" and "))
}

pub fn met(need: &str, setting: Setting) -> bool {
    let (word, rest) = need.split_once(' ').unwrap_or((need, ""));
    match word {
        "call" | "socket" | "socketpair" | "setsockopt" | "ioctl" => calls(need)
            .iter()
            .any(|(number, known)| permits(setting, *number, known)),
        "capability" => user_namespace(setting),
        "read" => readable(rest, setting.tier),
        "write" => writable(rest),
        "host-setup" => setting.network == Network::Host,
        "absent" | "inheritable-capabilities" | "inherited-descriptor" | "set-user-id" => false,
        "processor" | "unknown" => true,
        _ => panic!("no such need: {need}"),
    }
}

/// Arguments of a system call, as far as they are known: index and value.
pub type Known = Vec<(u8, u32)>;

/// The system calls of a need, any of which will do; none for what is no call.
pub fn calls(need: &str) -> Vec<(i64, Known)> {
    let (word, rest) = need.split_once(' ').unwrap_or((need, ""));
    let known: Known = match word {
        "call" => {
            let (names, arguments) = rest.split_once(' ').unwrap_or((rest, ""));
            let known: Known = arguments.split_whitespace().map(argument).collect();
            let one = |name| (call(name), known.clone());
            return names.split('/').map(one).collect();
        }
        "socket" | "socketpair" => {
            let parts = (0..).zip(rest.split(':')).filter(|(_, p)| !p.is_empty());
            parts.map(|(i, part)| (i, constant(part))).collect()
        }
        "setsockopt" => {
            let (level, name) = rest.split_once(' ').expect("a level and a name");
            vec![(1, constant(level)), (2, constant(name))]
        }
        "ioctl" => vec![(1, constant(rest))],
        _ => return Vec::new(),
    };
    vec![(call(word), known)]
}

/// Whether the tables let a call pass for some value of the arguments that are not known.
fn permits(setting: Setting, number: i64, known: &[(u8, u32)]) -> bool {
    let value = |index| known.iter().find(|(i, _)| *i == index).map(|(_, v)| *v);
    let surely = |a: &Argument| value(a.index).is_some_and(|v| holds(&a.check, v));
    let possibly = |a: &Argument| value(a.index).is_none_or(|v| holds(&a.check, v));
    let about = |entry: &&Entry| entry.syscall == number && entry.tiers.contains(setting);
    let instead = |entry: &Entry| match entry.allow {
        Allow::Always(_) => true,
        Allow::When(cases) => cases.iter().any(|c| c.checks.iter().all(surely)),
    };
    let passes = |entry: &Entry| match entry.allow {
        Allow::Always(_) => true,
        Allow::When(cases) => cases.iter().any(|c| c.checks.iter().all(possibly)),
    };
    let mut answers = answered().into_iter().flat_map(|(_, entries)| entries);
    !answers.any(|e| about(&e) && instead(e)) && allowed().filter(about).any(passes)
}

fn holds(check: &Check, value: u32) -> bool {
    match check {
        Check::Is(is) => value == *is,
        Check::NoneOf(bits) => value & bits == 0,
        Check::Masked(bits, is) => value & bits == *is,
        Check::Null => value == 0,
        Check::NotNull => value != 0,
    }
}

fn argument(text: &str) -> (u8, u32) {
    let (index, value) = text.split_once('=').expect("INDEX=CONSTANT");
    (index.parse().expect("an index"), constant(value))
}

/// A program has no capability, in any namespace, unless it can make a user namespace or enter another.
fn user_namespace(setting: Setting) -> bool {
    let flag = [(0, libc::CLONE_NEWUSER as u32)];
    permits(setting, libc::SYS_unshare, &flag)
        || permits(setting, libc::SYS_clone, &flag)
        || permits(setting, libc::SYS_clone3, &[])
        || permits(setting, libc::SYS_setns, &[])
}

fn readable(path: &str, tier: Tier) -> bool {
    match (path.strip_prefix("/proc/"), tier) {
        (Some(name), Tier::Namespaces) => !layout::HOST_LAYOUT.proc_closed.contains(&name),
        (Some(name), Tier::Landlock) => layout::HOST_LAYOUT.proc_readable.contains(&name),
        (None, _) => writable(path),
    }
}

/// Of /proc and /sys nothing is (`inside` tries it); of /dev the few devices.
fn writable(path: &str) -> bool {
    let device = path.strip_prefix("/dev/");
    device.is_some_and(|name| layout::HOST_LAYOUT.devices.contains(&name))
}

macro_rules! numbers {
    ($($name:ident: $number:ident),+ $(,)?) => {
        &[$((stringify!($name), libc::$number)),+]
    };
}

/// The number of a system call that the ledger names.
fn call(name: &str) -> i64 {
    const CALLS: &[(&str, i64)] = numbers! {
        bpf: SYS_bpf, clone: SYS_clone, execve: SYS_execve, execveat: SYS_execveat, fsconfig: SYS_fsconfig,
        futex: SYS_futex, io_uring_setup: SYS_io_uring_setup, ioctl: SYS_ioctl, mount: SYS_mount, ptrace: SYS_ptrace,
        recvmmsg: SYS_recvmmsg, recvmsg: SYS_recvmsg, sendfile: SYS_sendfile, sendmmsg: SYS_sendmmsg,
        sendmsg: SYS_sendmsg, setsockopt: SYS_setsockopt, socket: SYS_socket, socketpair: SYS_socketpair, splice: SYS_splice,
        timer_create: SYS_timer_create, waitid: SYS_waitid,
    };
    let found = CALLS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no such call: {name}")).1
}

macro_rules! constants {
    ($($name:ident),+ $(,)?) => {
        &[$((stringify!($name), libc::$name as u32)),+]
    };
}

fn constant(name: &str) -> u32 {
    const OF_LIBC: &[(&str, u32)] = constants! {
        AF_ALG, AF_INET, AF_INET6, AF_KEY, AF_NETLINK, AF_PACKET, AF_RXRPC, AF_UNIX, AF_VSOCK, CLOCK_PROCESS_CPUTIME_ID,
        CLOCK_THREAD_CPUTIME_ID, CLONE_NEWUSER,
        FUTEX_CMP_REQUEUE_PI, IPPROTO_IP, IPPROTO_TCP, NETLINK_GENERIC, NETLINK_NETFILTER, NETLINK_ROUTE, NETLINK_XFRM,
        SOCK_DGRAM, SOCK_RAW, SOCK_STREAM, SOL_SOCKET, SO_RCVBUF, TCP_NODELAY, TCP_ULP,
    };
    /// Of headers that libc lacks: linux/netfilter_ipv4/ip_tables.h, linux/ip_vs.h, linux/sockios.h, linux/futex.h.
    const OTHERS: &[(&str, u32)] = &[
        ("IPT_SO_SET_REPLACE", 64),
        ("IP_VS_SO_SET_ADD", 64 + 1024 + 64 + 2),
        ("SIOCBONDENSLAVE", 0x8990),
        (
            "FUTEX_CMP_REQUEUE_PI_PRIVATE",
            (libc::FUTEX_CMP_REQUEUE_PI | libc::FUTEX_PRIVATE_FLAG) as u32,
        ),
    ];
    let mut all = OF_LIBC.iter().chain(OTHERS);
    let found = all.find(|(known, _)| *known == name);
    found
        .unwrap_or_else(|| panic!("no such constant: {name}"))
        .1
}
