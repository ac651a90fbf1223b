//! What the tables say of a call, without any program, and the calls that are worth asking about.

use crate::sandbox::syscalls::{Allow, Argument, Case, Check, Entry, Setting, allowed, answered};

const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;

/// The value that a filter has to return.
pub(super) fn decide(setting: Setting, number: i64, arguments: &[u64; 6]) -> u32 {
    let matches = |entry: &Entry| {
        entry.syscall == number
            && entry.tiers.contains(setting)
            && match entry.allow {
                Allow::Always(_) => true,
                Allow::When(cases) => cases.iter().any(|case| meets(case, arguments)),
            }
    };
    for (errno, entries) in answered() {
        if entries.iter().any(matches) {
            return libc::SECCOMP_RET_ERRNO | errno as u32;
        }
    }
    if allowed().any(matches) {
        libc::SECCOMP_RET_ALLOW
    } else {
        EPERM
    }
}

fn meets(case: &Case, arguments: &[u64; 6]) -> bool {
    case.checks.iter().all(|Argument { index, check }| {
        let whole = arguments[usize::from(*index)];
        let low = whole as u32;
        match check {
            Check::Is(value) => low == *value,
            Check::NoneOf(bits) => low & bits == 0,
            Check::Masked(bits, value) => low & bits == *value,
            Check::NotNull => whole != 0,
            Check::Null => whole == 0,
        }
    })
}

/// Arguments that mean nothing in particular.
pub(super) fn nonsense() -> [[u64; 6]; 4] {
    [[0; 6], [u64::MAX; 6], [1 << 32; 6], [0x8000_0000; 6]]
}

/// For every case of every entry: calls that meet it, and calls that differ from those in one bit of an argument that it
/// looks at.
pub(super) fn near_cases(setting: Setting) -> Vec<(i64, [u64; 6])> {
    let entries = answered().into_iter().flat_map(|(_, entries)| entries);
    let mut calls = Vec::new();
    for entry in allowed()
        .chain(entries)
        .filter(|e| e.tiers.contains(setting))
    {
        let Allow::When(cases) = entry.allow else {
            continue;
        };
        for case in cases {
            for background in [[0; 6], [u64::MAX; 6]] {
                let met = meeting(case, background);
                calls.push((entry.syscall, met));
                for (checked, bit) in case
                    .checks
                    .iter()
                    .flat_map(|c| (0..64).map(move |b| (c, b)))
                {
                    let mut near = met;
                    near[usize::from(checked.index)] ^= 1 << bit;
                    calls.push((entry.syscall, near));
                }
            }
        }
    }
    calls
}

fn meeting(case: &Case, mut arguments: [u64; 6]) -> [u64; 6] {
    for Argument { index, check } in case.checks {
        let argument = &mut arguments[usize::from(*index)];
        let high = *argument & !0xffff_ffff;
        let low = *argument as u32;
        *argument = match check {
            Check::Is(value) => high | u64::from(*value),
            Check::NoneOf(bits) => high | u64::from(low & !bits),
            Check::Masked(bits, value) => high | u64::from(low & !bits | value),
            Check::NotNull => (*argument).max(1),
            Check::Null => 0,
        };
    }
    arguments
}
