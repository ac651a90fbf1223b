//! System calls with random numbers and arguments: what a fuzzer does. For the sandbox only, never outside.

use crate::raw::number;
use crate::{Attempt, Probe};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};

pub const PROBES: &[Probe] = &[("random-calls", |arguments| {
    random_calls(number(&arguments[0]), number(&arguments[1]))
})];

/// Calls of one process, before the next one goes on with a clean slate.
const CALLS: u64 = 300;
/// More than there are.
const NUMBERS: u64 = 480;

/// `random-calls SEED PROCESSES`. Each process ends after its calls, by one of them, or after a second.
fn random_calls(seed: u64, processes: u64) -> Attempt {
    let mut random = Random(seed | 1);
    let mut ended = 0;
    for _ in 0..processes {
        let seed = random.next();
        // SAFETY: the probe is single-threaded, so the child may do all that the parent could.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => child(seed),
            Ok(ForkResult::Parent { child }) => {
                let _ = waitpid(child, None);
                ended += 1;
            }
            // What earlier ones have left running may take all there is.
            Err(_) => {}
        }
    }
    Ok(format!("the end of {ended} processes"))
}

fn child(seed: u64) -> ! {
    nix::unistd::alarm::set(1);
    let mut random = Random(seed | 1);
    let mut memory = vec![0u8; 1 << 16];
    for _ in 0..CALLS {
        let call = (random.next() % NUMBERS) as i64;
        let arguments: [u64; 6] = std::array::from_fn(|_| random.argument(&mut memory));
        let [a, b, c, d, e, f] = arguments;
        // SAFETY: whatever this does to the process is what it is for; the process does nothing else and ends by _exit.
        unsafe { libc::syscall(call, a, b, c, d, e, f) };
    }
    // SAFETY: ends the process without running the parent's exit handlers a second time.
    unsafe { libc::_exit(0) }
}

/// xorshift64*, by Sebastiano Vigna.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A descriptor, a small number, a flag, an address of memory or of nothing, or anything at all.
    fn argument(&mut self, memory: &mut [u8]) -> u64 {
        let value = self.next();
        match value % 8 {
            0 => value >> 8 & 0xf,
            1 => value >> 8 & 0xfff,
            2 => 1 << (value >> 8 & 63),
            3 | 4 => {
                let at = (value >> 8) as usize % (memory.len() - 64);
                memory[at..at + 8].copy_from_slice(&self.next().to_ne_bytes());
                memory[at..].as_mut_ptr() as u64
            }
            5 => 0,
            6 => u64::MAX - (value >> 8 & 0xff),
            _ => value,
        }
    }
}
