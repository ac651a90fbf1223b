//! Nothing but what the policy names gets through, whatever its number is.

use crate::case::inside;
use crate::common::Way;
use runner::sandbox::syscalls::{Allow, Check, Entry, Setting, allowed, answered};
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

#[test]
fn every_option_of_prctl_that_the_policy_does_not_name_is_denied() {
    let entry = allowed()
        .find(|entry| entry.syscall == libc::SYS_prctl)
        .unwrap();
    let Allow::When(cases) = entry.allow else {
        panic!("prctl is allowed for some options only")
    };
    let named: Vec<i64> = cases
        .iter()
        .map(|case| match case.checks[0].check {
            Check::Is(option) => i64::from(option),
            _ => panic!("an option by its number"),
        })
        .collect();
    for way in Way::all() {
        for (from, to) in [
            (0, 150),
            (0x5961_6d61, 0x5961_6d61),
            (0x4155_5856, 0x4155_5856),
        ] {
            for (option, answer) in answers(way, "prctls", from, to) {
                let denied = answer == "EPERM";
                assert!(
                    denied || named.contains(&option),
                    "{way:?}: option {option} {answer}"
                );
            }
        }
    }
}
