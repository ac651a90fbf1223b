//! How often a program can wake init.
//!
//! Init has precedence over programs, and its time is nobody's. A program that writes byte by byte, or sends it signals,
//! could keep it busy with nothing else, and take from its neighbours what they would have had. So init rests when it is
//! woken too often for little: output gathers in the pipe meanwhile. What it has used by then counts as the program's own.

use crate::sys::clock::cpu_us;
use std::time::Duration;

const WINDOW_NS: u64 = 10_000_000;
/// Wake-ups in a window that cost nothing: some 5 % of a core.
const FREE: u32 = 50;
/// Output in one wake-up that is worth it: a quarter of a pipe (pipe(7)). A flood is read as fast as it comes.
const WORTH_BYTES: u64 = 16 << 10;
const REST: Duration = Duration::from_millis(1);

pub(super) struct Pace {
    /// CPU time of this process when it was first woken.
    begin_cpu_us: Option<u64>,
    window_ns: u64,
    woken: u32,
    /// Whether it was woken too often in any window.
    is_busy: bool,
}

impl Pace {
    pub(super) fn new(now_ns: u64) -> Self {
        Pace {
            begin_cpu_us: None,
            window_ns: now_ns,
            woken: 0,
            is_busy: false,
        }
    }

    /// To be called each time that it has woken, with how many bytes of output it has read; how long to rest.
    pub(super) fn woken(&mut self, now_ns: u64, brought: u64) -> Option<Duration> {
        self.begin_cpu_us.get_or_insert_with(cpu_us);
        if now_ns.saturating_sub(self.window_ns) > WINDOW_NS {
            (self.window_ns, self.woken) = (now_ns, 0);
        }
        self.woken += 1;
        let is_often = self.woken > FREE;
        self.is_busy |= is_often;
        (is_often && brought < WORTH_BYTES).then_some(REST)
    }

    /// CPU time of this process, in microseconds, that is to be charged to who has kept it busy.
    pub(super) fn charge_us(&self) -> u64 {
        match self.begin_cpu_us {
            Some(begin_us) if self.is_busy => cpu_us().saturating_sub(begin_us),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_woken_too_often_rests_until_the_window_is_over() {
        let mut pace = Pace::new(0);
        assert!((0..FREE).all(|n| pace.woken(u64::from(n), 1).is_none()));
        assert_eq!(pace.woken(100, 1), Some(REST));
        assert_eq!(pace.woken(WINDOW_NS + 1, 1), None);
    }

    #[test]
    fn who_fills_its_pipe_each_time_is_read_without_a_rest() {
        let mut pace = Pace::new(0);
        assert!((0..10 * FREE).all(|_| pace.woken(0, 64 << 10).is_none()));
    }

    #[test]
    fn who_made_init_rest_pays_for_its_time_and_nobody_else_does() {
        let works = || (0..2_000_000u64).fold(0, |sum, n| sum ^ std::hint::black_box(n));
        let mut pace = Pace::new(0);
        works();
        assert_eq!(pace.charge_us(), 0);
        assert!((0..=FREE).any(|_| pace.woken(0, 1).is_some()));
        works();
        assert!(pace.charge_us() > 0);
    }
}
