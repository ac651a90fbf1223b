//! Compiles the syscall policy to BPF and installs it. Done once per zygote; its children inherit the filter.
//!
//! Filters are stacked, because a filter has one answer for all it denies. The first answers the calls in [`PRETENDED`]
//! with success, without doing them. The second gives ENOSYS for those in [`syscalls::unavailable`], so that programs
//! and libraries fall back as they would on an older kernel. The third is the allow-list: whatever it does not name is
//! EPERM; it lets the others' calls pass, and the last of several errors counts (seccomp(2)). It has to come last,
//! because it denies seccomp.

use super::syscalls::{self, Allow, Argument, Check, PRETENDED, Setting};
use crate::wire::failure::{Failure, Stage};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};
use std::collections::BTreeMap;

/// Filters ready to be installed.
pub struct Filters {
    allow: BpfProgram,
    unavailable: BpfProgram,
    pretended: BpfProgram,
}

impl Filters {
    /// Compiles the policy of a setting. Fails only on a table that seccompiler refuses.
    pub fn compile(setting: Setting) -> Result<Self, seccompiler::Error> {
        let arch: TargetArch = std::env::consts::ARCH.try_into()?;
        let mut allowed: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
        for entry in syscalls::allowed().filter(|entry| entry.tiers.contains(setting)) {
            allowed.insert(entry.syscall, rules(&entry.allow)?);
        }
        let unavailable: BTreeMap<_, _> = syscalls::unavailable(setting)
            .map(|call| (call, vec![]))
            .collect();
        allowed.extend(unavailable.clone());
        let mut pretended: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
        for entry in PRETENDED {
            pretended.insert(entry.syscall, rules(&entry.allow)?);
        }
        let errno = |e: i32| SeccompAction::Errno(e as u32);
        let allow = SeccompFilter::new(allowed, errno(libc::EPERM), SeccompAction::Allow, arch)?;
        let unavailable =
            SeccompFilter::new(unavailable, SeccompAction::Allow, errno(libc::ENOSYS), arch)?;
        let pretended = SeccompFilter::new(pretended, SeccompAction::Allow, errno(0), arch)?;
        Ok(Filters {
            allow: allow.try_into()?,
            unavailable: unavailable.try_into()?,
            pretended: pretended.try_into()?,
        })
    }

    /// All in the order they are to be installed, as arrays of `struct sock_filter`: for a process that installs them
    /// by itself.
    pub fn to_bytes(&self) -> [Vec<u8>; 3] {
        [&self.pretended, &self.unavailable, &self.allow].map(|program| {
            let bytes = program.iter().map(|instruction| {
                let [code0, code1] = instruction.code.to_ne_bytes();
                let [k0, k1, k2, k3] = instruction.k.to_ne_bytes();
                [code0, code1, instruction.jt, instruction.jf, k0, k1, k2, k3]
            });
            bytes.flatten().collect()
        })
    }

    /// Installs them on this thread, for good. Needs `no_new_privs`.
    pub fn install(&self) -> Result<(), Failure> {
        for program in [&self.pretended, &self.unavailable, &self.allow] {
            apply_filter(program).map_err(|error| {
                let errno = match error {
                    seccompiler::Error::Prctl(e) | seccompiler::Error::Seccomp(e) => {
                        e.raw_os_error()
                    }
                    _ => None,
                };
                Failure::new(Stage::Seccomp, errno.unwrap_or(0))
            })?;
        }
        Ok(())
    }
}

fn rules(allow: &Allow) -> Result<Vec<SeccompRule>, seccompiler::Error> {
    let alternatives: &[&[Argument]] = match allow {
        // No rule at all means that the call matches whatever its arguments are.
        Allow::Always => return Ok(vec![]),
        Allow::When(alternatives) => alternatives,
    };
    let rule = |arguments: &&[Argument]| {
        let conditions = arguments.iter().map(condition).collect::<Result<_, _>>()?;
        Ok(SeccompRule::new(conditions)?)
    };
    alternatives.iter().map(rule).collect()
}

fn condition(argument: &Argument) -> Result<SeccompCondition, seccompiler::Error> {
    // Comparing 32 bits of an int leaves no variant with high bits set.
    let (op, value) = match argument.check {
        Check::Is(value) => (Op::Eq, value),
        Check::Not(value) => (Op::Ne, value),
        Check::NoneOf(bits) => (Op::MaskedEq(bits as u64), 0),
        Check::Masked(bits, value) => (Op::MaskedEq(bits as u64), value),
        Check::Null | Check::NotNull => {
            let op = match argument.check {
                Check::Null => Op::Eq,
                _ => Op::Ne,
            };
            return SeccompCondition::new(argument.index, Length::Qword, op, 0).map_err(Into::into);
        }
    };
    Ok(SeccompCondition::new(
        argument.index,
        Length::Dword,
        op,
        value as u64,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::policy::{Network, Tier};

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

    #[test]
    fn the_policy_compiles_for_every_setting() {
        for setting in settings() {
            let filters = Filters::compile(setting).unwrap();
            assert!(
                filters.allow.len() > 200,
                "{} instructions",
                filters.allow.len()
            );
        }
    }

    #[test]
    fn no_call_is_both_unconditionally_allowed_and_unavailable() {
        for setting in settings() {
            for syscall in syscalls::unavailable(setting) {
                let mut here = syscalls::allowed().filter(|e| e.tiers.contains(setting));
                assert!(here.all(|entry| entry.syscall != syscall), "{syscall}");
            }
        }
    }

    #[test]
    fn every_entry_has_a_reason_and_stands_once() {
        for setting in settings() {
            let mut seen = std::collections::BTreeSet::new();
            for entry in syscalls::allowed().filter(|entry| entry.tiers.contains(setting)) {
                assert!(!entry.reason.is_empty());
                assert!(seen.insert(entry.syscall), "{} stands twice", entry.syscall);
            }
        }
    }
}
