//! Compiles the syscall policy to one BPF program and installs it. Done once per zygote; its children inherit the filter.
//!
//! A program of seccompiler's has one answer for all that it names, so there is one for each group of
//! [`syscalls::answered`], and the allow-list, which answers EPERM to whatever it does not name. They are joined into one:
//! what one of them lets pass goes on to the next. Each process that carries a filter holds one program of the kernel's,
//! and those are freed one by one when it ends.

use super::syscalls::{self, Allow, Argument, Check, Entry, Setting};
use crate::wire::failure::{Failure, Stage};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};
use std::collections::BTreeMap;

/// A filter ready to be installed.
pub(crate) struct Filter {
    program: BpfProgram,
}

impl Filter {
    /// Compiles the policy of a setting. Fails only on a table that seccompiler refuses.
    pub(crate) fn compile(setting: Setting) -> Result<Self, seccompiler::Error> {
        let mut programs = Vec::new();
        for (errno, entries) in syscalls::answered() {
            let answer = SeccompAction::Errno(errno as u32);
            programs.push(compile(
                entries.iter(),
                setting,
                SeccompAction::Allow,
                answer,
            )?);
        }
        let otherwise = SeccompAction::Errno(libc::EPERM as u32);
        programs.push(compile(
            syscalls::allowed(),
            setting,
            otherwise,
            SeccompAction::Allow,
        )?);
        Ok(Filter {
            program: join(programs),
        })
    }

    /// As an array of `struct sock_filter`: for a process that installs it by itself.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let bytes = self.program.iter().map(|instruction| {
            let [code0, code1] = instruction.code.to_ne_bytes();
            let [k0, k1, k2, k3] = instruction.k.to_ne_bytes();
            [code0, code1, instruction.jt, instruction.jf, k0, k1, k2, k3]
        });
        bytes.flatten().collect()
    }

    /// Installs it on this thread, for good. Needs `no_new_privs`.
    pub(crate) fn install(&self) -> Result<(), Failure> {
        apply_filter(&self.program).map_err(|error| {
            let errno = match error {
                seccompiler::Error::Prctl(e) | seccompiler::Error::Seccomp(e) => e.raw_os_error(),
                _ => None,
            };
            Failure::new(Stage::Seccomp, errno.unwrap_or(0))
        })
    }
}

fn compile(
    entries: impl Iterator<Item = &'static Entry>,
    setting: Setting,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, seccompiler::Error> {
    let arch: TargetArch = std::env::consts::ARCH.try_into()?;
    let mut all: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for entry in entries.filter(|entry| entry.tiers.contains(setting)) {
        let rules = rules(&entry.allow)?;
        all.entry(entry.syscall).or_default().extend(rules);
    }
    SeccompFilter::new(all, otherwise, matched, arch)?
        .try_into()
        .map_err(Into::into)
}

/// `BPF_RET | BPF_K` and `BPF_JMP | BPF_JA` of <linux/bpf_common.h>, and the value that allows a call (seccomp(2)).
const RETURN: u16 = 0x06;
const JUMP: u16 = 0x05;
const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

/// One program of several: where one of them would allow a call, the next one begins.
fn join(programs: Vec<BpfProgram>) -> BpfProgram {
    let last = programs.len() - 1;
    let mut joined = BpfProgram::new();
    for (i, program) in programs.into_iter().enumerate() {
        let next = joined.len() + program.len();
        for mut instruction in program {
            if i < last && instruction.code == RETURN && instruction.k == ALLOW {
                // Counted from the instruction after this one.
                instruction.code = JUMP;
                instruction.k = (next - joined.len() - 1) as u32;
            }
            joined.push(instruction);
        }
    }
    joined
}

fn rules(allow: &Allow) -> Result<Vec<SeccompRule>, seccompiler::Error> {
    let cases = match allow {
        // No rule at all means that the call matches whatever its arguments are.
        Allow::Always(_) => return Ok(vec![]),
        Allow::When(cases) => cases.iter(),
    };
    let rule = |case: &syscalls::Case| {
        let conditions = case
            .checks
            .iter()
            .map(condition)
            .collect::<Result<_, _>>()?;
        Ok(SeccompRule::new(conditions)?)
    };
    cases.map(rule).collect()
}

fn condition(argument: &Argument) -> Result<SeccompCondition, seccompiler::Error> {
    // Comparing 32 bits of an int leaves no variant with high bits set.
    let (op, value) = match argument.check {
        Check::Is(value) => (Op::Eq, value),
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
mod tests;
