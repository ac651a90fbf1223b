//! The compiled filter against the tables that it is made of.

mod machine;
mod oracle;

use super::*;
use crate::spec::policy::{Network, Tier};
use machine::Call;

fn settings() -> impl Iterator<Item = Setting> {
    let tiers = [Tier::Namespaces, Tier::Landlock];
    let networks = [Network::None, Network::Loopback, Network::Host];
    tiers.into_iter().flat_map(move |tier| {
        networks.into_iter().flat_map(move |network| {
            [true, false].map(|own_uid| Setting {
                tier,
                own_uid,
                network,
            })
        })
    })
}

/// BPF_MAXINSNS of <linux/bpf_common.h>.
const MAX_INSTRUCTIONS: usize = 4096;

#[test]
fn the_policy_compiles_for_every_setting() {
    for setting in settings() {
        let length = Filter::compile(setting).unwrap().program.len();
        assert!((500..MAX_INSTRUCTIONS).contains(&length), "{length}");
    }
}

#[test]
fn a_call_is_allowed_always_or_for_some_arguments_and_not_both() {
    for setting in settings() {
        let here = || syscalls::allowed().filter(|entry| entry.tiers.contains(setting));
        for entry in here().filter(|entry| matches!(entry.allow, Allow::Always(_))) {
            let others = here().filter(|other| other.syscall == entry.syscall);
            assert_eq!(others.count(), 1, "{}", entry.syscall);
        }
    }
}

#[test]
fn no_call_is_both_allowed_and_answered_always() {
    for setting in settings() {
        let here = |entry: &&Entry| entry.tiers.contains(setting);
        for (_, entries) in syscalls::answered() {
            let always = |entry: &&Entry| matches!(entry.allow, Allow::Always(_));
            for entry in entries.iter().filter(here).filter(always) {
                let mut allowed = syscalls::allowed().filter(here);
                assert!(
                    allowed.all(|other| other.syscall != entry.syscall),
                    "{}",
                    entry.syscall
                );
            }
        }
    }
}

#[test]
fn every_case_has_a_reason() {
    let answered = syscalls::answered()
        .into_iter()
        .flat_map(|(_, entries)| entries);
    for entry in syscalls::allowed().chain(answered) {
        match entry.allow {
            Allow::Always(reason) => assert!(!reason.is_empty(), "{}", entry.syscall),
            Allow::When(cases) => assert!(
                !cases.is_empty() && cases.iter().all(|case| !case.reason.is_empty()),
                "{}",
                entry.syscall
            ),
        }
    }
}

/// Every number, and for every case of the tables arguments that meet it, that just miss it, and that have bits where the
/// kernel does not look; with the numbers of both ABIs. Ends when each conditional jump of the program has gone both ways.
#[test]
fn the_filter_decides_every_call_as_the_tables_do() {
    for setting in settings() {
        let filter = Filter::compile(setting).unwrap();
        let mut machine = machine::Machine::new(&filter.program);
        for number in (0..1100).chain([u32::MAX, u32::MAX - 1, i32::MAX as u32]) {
            for offset in [0, X32] {
                for arguments in oracle::nonsense() {
                    check(
                        &mut machine,
                        setting,
                        number.wrapping_add(offset),
                        arguments,
                    );
                }
            }
        }
        for (number, arguments) in oracle::near_cases(setting) {
            check(&mut machine, setting, number as u32, arguments);
        }
        for arch in [libc_arch::I386, libc_arch::NONE] {
            let call = Call {
                number: 1,
                arch,
                arguments: [0; 6],
            };
            assert_eq!(machine.run(&call), KILL, "{setting:?} {arch:#x}");
        }
        let missed = machine.branches_not_taken();
        assert!(missed.is_empty(), "{setting:?}: {missed:?}");
    }
}

/// `__X32_SYSCALL_BIT` of <asm/unistd.h>.
const X32: u32 = 0x4000_0000;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;

/// `AUDIT_ARCH_…` of <linux/audit.h>.
mod libc_arch {
    pub(super) const I386: u32 = 0x4000_0003;
    pub(super) const NONE: u32 = 0;
    #[cfg(target_arch = "x86_64")]
    pub(super) const OWN: u32 = 0xc000_003e;
    #[cfg(target_arch = "aarch64")]
    pub const OWN: u32 = 0xc000_00b7;
}

#[track_caller]
fn check(machine: &mut machine::Machine<'_>, setting: Setting, number: u32, arguments: [u64; 6]) {
    let call = Call {
        number,
        arch: libc_arch::OWN,
        arguments,
    };
    let decided = machine.run(&call);
    let expected = oracle::decide(setting, i64::from(number as i32), &arguments);
    assert_eq!(decided, expected, "{setting:?}: {call:x?}");
}
