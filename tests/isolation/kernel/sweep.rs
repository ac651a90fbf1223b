//! Nothing but what the policy names gets through, whatever its number is.

use crate::case::inside;
use crate::common::Way;
use runner::sandbox::syscalls::{Allow, Case, Check, Entry, Setting, allowed, answered};
use runner::spec::policy::{Network, Tier};
use std::collections::{BTreeMap, BTreeSet};

/// The kernel lets these past every filter since Linux 6.14 (`seccomp: passthrough uretprobe systemcall`). Outside
/// of a trampoline that only a debugger's probe makes, one is SIGILL and the other ENXIO.
#[cfg(target_arch = "x86_64")]
const UNFILTERED: [i64; 2] = [335, 336];
#[cfg(not(target_arch = "x86_64"))]
const UNFILTERED: [i64; 0] = [];

fn setting(way: Way) -> Setting {
    Setting {
        tier: if way.namespaces() {
            Tier::Namespaces
        } else {
            Tier::Landlock
        },
        own_uid: way.root,
        network: Network::None,
    }
}

fn answers(way: Way, probe: &str, from: i64, to: i64) -> BTreeMap<i64, String> {
    let text = inside(way, &[probe, &from.to_string(), &to.to_string()]);
    let text = text
        .strip_prefix("reached ")
        .unwrap_or_else(|| panic!("{way:?}: {text}"));
    let pairs = text
        .split(' ')
        .map(|pair| pair.split_once('=').expect("number=answer"));
    let answers: BTreeMap<i64, String> =
        pairs.map(|(n, a)| (n.parse().unwrap(), a.into())).collect();
    assert_eq!(answers.len() as i64, to - from + 1, "{way:?}");
    answers
}

#[test]
fn every_system_call_that_the_policy_does_not_name_is_denied() {
    for way in Way::all() {
        let here = |entry: &&Entry| entry.tiers.contains(setting(way));
        let named: BTreeSet<i64> = allowed().filter(here).map(|entry| entry.syscall).collect();
        for (number, answer) in answers(way, "calls", 0, 1023) {
            // What an allowed call answers to nonsense is the kernel's business.
            if named.contains(&number) || UNFILTERED.contains(&number) {
                continue;
            }
            let group = answered().into_iter().find(|(_, entries)| {
                let mut entries = entries.iter().filter(here);
                entries.any(|entry| entry.syscall == number)
            });
            let expected = match group {
                Some((libc::ENOSYS, _)) => "ENOSYS",
                // Success, or an error that other calls have too.
                Some(_) => "answered",
                None => "EPERM",
            };
            assert_eq!(answer, expected, "{way:?}: system call {number}");
        }
    }
}

/// The same sweep tells an allowed call from a denied one, or it would prove nothing.
#[test]
fn every_system_call_that_the_policy_allows_gets_an_answer() {
    for way in Way::all() {
        let always = allowed()
            .filter(|entry| entry.tiers.contains(setting(way)))
            .filter(|entry| matches!(entry.allow, Allow::Always(_)));
        let answers = answers(way, "calls", 0, 1023);
        for entry in always {
            assert_eq!(
                answers[&entry.syscall], "answered",
                "{way:?}: system call {}",
                entry.syscall
            );
        }
    }
}

#[test]
fn no_number_outside_the_table_gets_through() {
    let ranges = [
        (-64, -2),
        (0x4000_0000, 0x4000_0000 + 700),
        (i64::from(i32::MAX) - 64, i64::from(i32::MAX)),
    ];
    for way in Way::all() {
        for (from, to) in ranges {
            for (number, answer) in answers(way, "calls", from, to) {
                assert_eq!(answer, "EPERM", "{way:?}: system call {number:#x}");
            }
        }
    }
}

/// The kernel looks at 32 bits of the number, and so does the filter.
#[test]
fn high_bits_of_a_number_change_nothing() {
    for way in Way::all() {
        let plain = answers(way, "calls", 150, 180);
        let high = answers(way, "calls", (1 << 32) + 150, (1 << 32) + 180);
        assert!(
            plain.values().eq(high.values()),
            "{way:?}: {plain:?} {high:?}"
        );
    }
}

/// What the tables allow of a call, or have an answer to, by the number that this argument has. Of options of sockets those
/// of SOL_SOCKET.
fn named(call: i64, index: u8) -> BTreeSet<i64> {
    let answered = answered().into_iter().flat_map(|(_, entries)| entries);
    let cases = allowed()
        .chain(answered)
        .filter(|entry| entry.syscall == call)
        .flat_map(|entry| match entry.allow {
            Allow::When(cases) => cases,
            Allow::Always(_) => panic!("{call} is allowed for some options only"),
        });
    let number = |case: &'static Case, index| {
        let mut checks = case.checks.iter();
        checks.find_map(|argument| match argument.check {
            Check::Is(value) if argument.index == index => Some(value),
            _ => None,
        })
    };
    let here =
        |case: &&'static Case| index != 2 || number(case, 1) == Some(libc::SOL_SOCKET as u32);
    cases
        .filter(here)
        .map(|case| i64::from(number(case, index).expect("an option by its number")))
        .collect()
}

/// A probe, the call that is many in one, the argument that says which, and the ranges in which the kernel has some.
type Sweep = (&'static str, i64, u8, &'static [(i64, i64)]);

const SWEPT: [Sweep; 5] = [
    (
        "prctls",
        libc::SYS_prctl,
        0,
        &[
            (0, 150),
            (0x5961_6d61, 0x5961_6d61),
            (0x4155_5856, 0x4155_5856),
        ],
    ),
    ("fcntls", libc::SYS_fcntl, 1, &[(0, 63), (1024, 1060)]),
    (
        "ioctls",
        libc::SYS_ioctl,
        1,
        &[(0x5400, 0x54ff), (0x8900, 0x89ff)],
    ),
    ("get-socket-options", libc::SYS_getsockopt, 2, &[(0, 127)]),
    ("set-socket-options", libc::SYS_setsockopt, 2, &[(0, 127)]),
];

#[test]
fn every_option_that_the_policy_does_not_name_is_denied() {
    for (probe, call, index, ranges) in SWEPT {
        let named = named(call, index);
        for way in Way::all() {
            let mut got_through = 0;
            for (from, to) in ranges {
                for (option, answer) in answers(way, probe, *from, *to) {
                    let denied = answer == "EPERM";
                    assert!(
                        denied || named.contains(&option),
                        "{way:?}: {probe} {option}: {answer}"
                    );
                    got_through += usize::from(!denied);
                }
            }
            // Or it would prove nothing.
            assert!(got_through > 3, "{way:?}: {probe}: {named:?}");
        }
    }
}

/// Programs that the kernel compiles and runs for each packet, and what keeps them in place: SO_ATTACH_FILTER,
/// SO_LOCK_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF and _EBPF.
#[test]
fn the_policy_names_no_option_that_attaches_a_program_to_a_socket() {
    let named = named(libc::SYS_setsockopt, 2);
    for option in [26, 44, 50, 51, 52] {
        assert!(!named.contains(&option), "{option}");
    }
}
