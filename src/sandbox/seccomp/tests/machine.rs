//! The part of the classic BPF machine that seccompiler's programs use (bpf(4), seccomp(2)), and which way each of their
//! conditional jumps has gone.

use seccompiler::{BpfProgram, sock_filter};

/// What the kernel hands to a filter (`struct seccomp_data`).
#[derive(Debug)]
pub(super) struct Call {
    pub number: u32,
    pub arch: u32,
    pub arguments: [u64; 6],
}

impl Call {
    /// The 32 bits at an offset of `struct seccomp_data`, on a little-endian machine.
    fn load(&self, offset: u32) -> u32 {
        match offset {
            0 => self.number,
            4 => self.arch,
            16..64 => {
                let argument = self.arguments[(offset as usize - 16) / 8];
                (argument >> (8 * (offset % 8))) as u32
            }
            _ => panic!("no field at {offset}"),
        }
    }
}

pub(super) struct Machine<'a> {
    program: &'a BpfProgram,
    /// Whether the jump at this place was taken, and whether it was not.
    went: Vec<[bool; 2]>,
}

const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const IF_EQUAL: u16 = 0x15;
const IF_GREATER: u16 = 0x25;
const IF_GREATER_OR_EQUAL: u16 = 0x35;
const RETURN: u16 = 0x06;
const ARCH: u32 = 4;

impl<'a> Machine<'a> {
    pub(super) fn new(program: &'a BpfProgram) -> Self {
        Machine {
            program,
            went: vec![[false; 2]; program.len()],
        }
    }

    /// What the program returns.
    pub(super) fn run(&mut self, call: &Call) -> u32 {
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = self.program[at];
            let holds = match code {
                LOAD => {
                    accumulator = call.load(k);
                    None
                }
                AND => {
                    accumulator &= k;
                    None
                }
                RETURN => return k,
                JUMP => {
                    at += k as usize;
                    None
                }
                IF_EQUAL => Some(accumulator == k),
                IF_GREATER => Some(accumulator > k),
                IF_GREATER_OR_EQUAL => Some(accumulator >= k),
                _ => panic!("an instruction {code:#x}"),
            };
            if let Some(holds) = holds {
                self.went[at][usize::from(holds)] = true;
                at += usize::from(if holds { jt } else { jf });
            }
            at += 1;
        }
    }

    /// The conditional jumps that have always gone one way. The joined programs after the first look at the
    /// architecture again, and find it right.
    pub(super) fn branches_not_taken(&self) -> Vec<usize> {
        let after_arch = |at: usize| {
            let before = &self.program[at - 1];
            at > 1 && (before.code, before.k) == (LOAD, ARCH)
        };
        let is_jump = |at: &usize| {
            matches!(
                self.program[*at].code,
                IF_EQUAL | IF_GREATER | IF_GREATER_OR_EQUAL
            )
        };
        let one_way = |at: &usize| self.went[*at] != [true, true] && !after_arch(*at);
        (0..self.program.len())
            .filter(is_jump)
            .filter(one_way)
            .collect()
    }
}
