//! How much time an execution has.
//!
//! Its timeout, and what the host kept from it, up to so many times the timeout. A program that sleeps or waits has lost
//! nothing, and ends at its timeout.

use super::{Order, Running};
use crate::slot::stalled::Stalled;
use crate::sys::procfs::Stat;
use std::time::Duration;

/// How long a zygote may take to say that its program has ended.
const REPORT_TIMEOUT_NS: u64 = 10_000_000_000;

pub(super) struct Time {
    begin_ns: u64,
    timeout_ns: u64,
    longest_ns: u64,
    /// That of the whole episode, CLOCK_MONOTONIC.
    deadline_ns: u64,
    stalled: Stalled,
}

impl Time {
    pub(super) fn new(now_ns: u64, order: &Order<'_>) -> Time {
        let ns = |time: Duration| time.as_nanos().min(u64::MAX.into()) as u64;
        Time {
            begin_ns: now_ns,
            timeout_ns: ns(order.timeout),
            longest_ns: ns(order.longest.max(order.timeout)),
            deadline_ns: order.deadline_ns.unwrap_or(u64::MAX),
            stalled: Stalled::new(now_ns, order.timeout),
        }
    }

    /// When there is something to do about it, CLOCK_MONOTONIC.
    pub(super) fn next_ns(&self) -> u64 {
        self.stalled.next_ns(self.end_ns())
    }

    pub(super) fn stalled_ns(&self) -> u64 {
        self.stalled.lost_ns()
    }

    /// Processes and threads at the last look.
    pub(super) fn threads(&self) -> u64 {
        self.stalled.threads()
    }

    /// When it ends, by what is known now.
    fn end_ns(&self) -> u64 {
        let stretched_ns = self.timeout_ns.saturating_add(self.stalled.lost_ns());
        let allowed_ns = stretched_ns.min(self.longest_ns);
        self.begin_ns
            .saturating_add(allowed_ns)
            .min(self.deadline_ns)
    }
}

impl Running<'_, '_> {
    /// To be called when the program has been sent for.
    pub(super) fn begin_time(&mut self) {
        let context = &self.context;
        if context.carried.runs {
            let (census, guard) = (context.census, context.look_guard);
            let stalled = &mut self.time.stalled;
            stalled.begin_beside(census, guard, context.machine);
        }
    }

    /// Whether it still runs when its time is over. One that has ended by then waits for its zygote, which may have to wait for
    /// a core, to say so.
    pub(super) fn has_used_up_its_time(&mut self, now_ns: u64) -> bool {
        if let Some(seen_ns) = self.seen_dead_ns {
            return now_ns - seen_ns > REPORT_TIMEOUT_NS;
        }
        if !self.is_out_of_time(now_ns) {
            return false;
        }
        let has_ended = match self.context.census.program().first() {
            Some(leader) => Stat::read(*leader).is_none_or(|stat| stat.is_dead()),
            // Its zygote has reaped it already, unless that has yet to start it.
            None => self.time.stalled.has_begun(),
        };
        self.seen_dead_ns = has_ended.then_some(now_ns);
        !has_ended
    }

    /// Whether its time is over, of which what it lost until now is no part.
    fn is_out_of_time(&mut self, now_ns: u64) -> bool {
        if now_ns < self.time.next_ns() {
            return false;
        }
        let ended_us = self.context.carried.orphans_cpu_us;
        let context = &self.context;
        let stalled = &mut self.time.stalled;
        let (census, guard) = (context.census, context.look_guard);
        let work_us = stalled.look(census, guard, context.machine, ended_us);
        self.charge_look(work_us * 1000, work_us);
        self.threads.see(self.time.threads(), now_ns);
        now_ns >= self.time.end_ns()
    }
}
