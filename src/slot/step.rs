//! One execution, from launch to exit: its deadline and its limits.

mod events;
mod finish;
mod time;
mod trailing_output;

use super::capture::OutputCapture;
use super::carried::Carried;
use super::census::Census;
use super::crowd::Crowd;
use super::disk::Count;
use super::kill;
use super::link::{Link, LinkBroken};
use super::look_guard::LookGuard;
use super::out_of_memory::OutOfMemory;
use super::pace::Pace;
use super::pipes::{Pipes, discard};
use super::stalled::Machine;
use super::stdin::Stdin;
use super::watch::{DiskReading, LONG_LOOK_NS, Reading, Watch};
use crate::sandbox::tier;
use crate::spec::execution::{End, StepExecution};
use crate::spec::limits::Limits;
use crate::spec::policy::Tier;
use crate::spec::warm::Start;
use crate::sys::clock::{cpu_us, monotonic_ns};
use crate::sys::{sched, wait};
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::{Exit, ExitKind, Launch, WarmExit};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signalfd::SignalFd;
use nix::sys::time::TimeSpec;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::time::Duration;
use time::Time;

/// How soon a program that was killed is killed again if it is still there.
const KILL_INTERVAL_NS: u64 = 5_000_000;
/// How long a zygote may take to answer when its program has been given up. On a busy machine it waits for a core.
const GIVE_UP_TIMEOUT_NS: u64 = 10_000_000_000;
/// How long it is killed alone, where only its step is to end. If it is still there then, others of the episode keep it from
/// getting a core to end on, and all of them are killed.
const KILL_ALONE_TIMEOUT_NS: u64 = 3_000_000_000;

/// What a step needs of its slot.
pub(super) struct StepContext<'a> {
    pub tier: Tier,
    pub runner: &'a Link,
    pub zygote: &'a mut Link,
    pub census: &'a Census,
    pub look_guard: &'a LookGuard,
    pub children: &'a SignalFd,
    pub root: &'a Path,
    pub cores: u64,
    pub machine: &'a Machine,
    /// Whether RLIMIT_NPROC counts nobody's processes but the slot's.
    pub counts_alone: bool,
    /// Where output is read into; `pipes::READ_BYTES` long.
    pub buffer: &'a mut Vec<u8>,
    pub out_of_memory: &'a mut OutOfMemory,
    pub carried: &'a mut Carried,
}

/// What to run.
pub(super) struct Order<'a> {
    /// Which kind of zygote it is for.
    pub start: Start,
    pub launch: Launch,
    /// The working directory as the episode names it.
    pub workdir: &'a str,
    /// What the program is restricted by, where it is not what its zygote has.
    pub ruleset: Option<RawFd>,
    pub limits: &'a Limits,
    pub capture: OutputCapture,
    pub stdin: &'a [u8],
    /// What the program has in place of stdin, stdout and stderr.
    pub terminal: Option<OwnedFd>,
    pub timeout: Duration,
    /// How long it may take where the host kept it from running.
    pub longest: Duration,
    /// That of the whole episode, CLOCK_MONOTONIC.
    pub deadline_ns: Option<u64>,
    /// Whether a timeout ends this step only, because the next one is to follow.
    pub ends_alone: bool,
    pub prepared_ns: u64,
}

struct Running<'a, 'b> {
    context: &'b mut StepContext<'a>,
    order: Order<'b>,
    pipes: Pipes,
    /// Given back when this has ended.
    _stdin: Stdin,
    watch: Watch,
    disk: Count,
    time: Time,
    pace: Pace,
    /// CPU time of ours for looks that took long, in microseconds.
    looks_us: u64,
    /// Processes and threads of all of the program.
    threads: Crowd,
    /// Why we ended it.
    cause: Option<End>,
    /// When that was.
    ended_ns: u64,
    /// Whether only this step's own processes are to end.
    ends_alone: bool,
    /// When its time was over, where the program had ended by then and its zygote had not said so.
    seen_dead_ns: Option<u64>,
}

/// Runs it to its end.
pub(super) fn run(
    context: &mut StepContext<'_>,
    mut order: Order<'_>,
) -> Result<StepExecution, Failure> {
    let failed = Stage::Pipes.failed();
    let (pipes, ends) = Pipes::open(order.capture.is_split()).map_err(failed)?;
    let (stdin, stdin_end) = Stdin::open(order.stdin).map_err(failed)?;
    let now = monotonic_ns();
    let terminal = order.terminal.take();
    let theirs = match &terminal {
        Some(terminal) => [terminal; 3],
        None => {
            let stderr_end = ends.stderr.as_ref().unwrap_or(&ends.stdout);
            [&stdin_end, &ends.stdout, stderr_end]
        }
    };
    let mut theirs = Vec::from(theirs.map(AsRawFd::as_raw_fd));
    theirs.extend(order.ruleset);
    context
        .zygote
        .send_with(&order.launch, &theirs)
        .map_err(|_| Failure::new(Stage::Zygote, 0))?;
    drop((ends, stdin_end, terminal));
    let on_disk = !context.tier.has_private_root();
    context.carried.spend_orphans();
    let watch =
        Watch::new(order.limits, context.cores, on_disk, now).no_later_than(context.carried.due);
    let mut running = Running {
        watch: if context.carried.was_full {
            watch.forgive_disk()
        } else {
            watch
        },
        disk: Count::default(),
        time: Time::new(now, &order),
        pace: Pace::new(now),
        context,
        order,
        pipes,
        _stdin: stdin,
        looks_us: 0,
        threads: Crowd::default(),
        cause: None,
        ended_ns: 0,
        ends_alone: false,
        seen_dead_ns: None,
    };
    running.begin_time();
    match running.until_exit() {
        Ok(exit) => running.finish(exit),
        Err(failure) => {
            running.give_up();
            Err(failure)
        }
    }
}

impl Running<'_, '_> {
    fn until_exit(&mut self) -> Result<Exit, Failure> {
        loop {
            let ready = self.wait()?;
            if ready.runner_gone {
                // Nobody wants the result.
                return Err(Failure::new(Stage::Abandoned, 0));
            }
            if ready.cancelled {
                self.end(End::Timeout, self.order.ends_alone);
            }
            let brought = self.drain();
            if ready.children {
                self.reap_orphans();
            }
            if ready.exit {
                let zygote = &mut self.context.zygote;
                let exit = if self.order.start.is_warm() {
                    zygote.recv::<WarmExit>().map(Exit::from)
                } else {
                    zygote.recv()
                };
                return exit.or_else(|LinkBroken| self.lost_zygote());
            }
            self.enforce();
            if let Some(rest) = self.pace.woken(monotonic_ns(), brought) {
                std::thread::sleep(rest);
            }
        }
    }

    /// Ends the program without a result, where it would not end with us: its zygote may be yet to fork it, and then there would be
    /// nobody left to end it.
    fn give_up(&mut self) {
        if self.context.tier.has_own_processes() {
            return;
        }
        let begin = monotonic_ns();
        while monotonic_ns() - begin < GIVE_UP_TIMEOUT_NS {
            kill::programs(self.context.census);
            let mut answer = [PollFd::new(self.context.zygote.as_fd(), PollFlags::POLLIN)];
            let interval = Duration::from_nanos(KILL_INTERVAL_NS);
            match ppoll(&mut answer, Some(TimeSpec::from_duration(interval)), None) {
                Ok(0) => {}
                // Its program has ended, or the zygote itself.
                Ok(_) => return,
                Err(_) => std::thread::sleep(interval),
            }
        }
        tier::of(self.context.tier).end_processes();
    }

    /// The kernel takes a zygote where the program's processes are small, and what it holds for them is large.
    fn lost_zygote(&mut self) -> Result<Exit, Failure> {
        let end = match self.cause.take() {
            // The kill may have been seen before this.
            Some(end @ End::MemoryLimit { .. }) => end,
            _ => self.killed().ok_or(Failure::new(Stage::Zygote, 0))?,
        };
        self.end(end, false);
        Ok(Exit {
            ended: ExitKind::Signaled(libc::SIGKILL),
            forked_ns: self.order.prepared_ns,
            running_ns: self.order.prepared_ns,
            ended_ns: monotonic_ns(),
            cpu_us: 0,
            max_rss_bytes: 0,
        })
    }

    /// How this ends if the kernel has killed at the slot's limit of memory.
    fn killed(&mut self) -> Option<End> {
        let used_bytes = self.context.out_of_memory.at_limit()?;
        self.context.carried.was_killed = true;
        Some(End::MemoryLimit { used_bytes })
    }

    /// Ends the program when a limit was crossed.
    fn enforce(&mut self) {
        if self.cause.is_some() {
            // A limit may strike before the zygote has forked: then there was nobody to kill yet.
            self.kill();
            return;
        }
        let now = monotonic_ns();
        if self.is_over_output() {
            let produced_bytes = self.order.capture.produced();
            self.end(End::OutputLimit { produced_bytes }, self.order.ends_alone);
            return;
        }
        if self.has_used_up_its_time(now) {
            self.end(End::Timeout, self.order.ends_alone);
            return;
        }
        if now >= self.watch.next_ns() {
            let slice = sched::prefer_finishing();
            let reading = self.read_usage();
            let crossed = self.watch.take(&reading, monotonic_ns());
            if let Some(end) = crossed.or_else(|| self.killed()) {
                self.end(end, false);
            }
            sched::set_slice(slice);
        }
    }

    fn is_over_output(&self) -> bool {
        self.order.capture.produced() > self.order.limits.output_ceiling()
    }

    fn read_usage(&mut self) -> Reading {
        let begin_us = cpu_us();
        let usage = self.context.look_guard.read(
            self.context.census,
            self.order.limits.memory_bytes,
            self.watch.needs_cpu(),
        );
        self.threads.see(usage.threads, monotonic_ns());
        self.charge_look(usage.took_ns, cpu_us().saturating_sub(begin_us));
        Reading {
            memory_bytes: usage.memory_bytes,
            took_ns: usage.took_ns,
            cpu_us: usage.cpu_us
                + self.looks_us
                + self.context.carried.orphans_cpu_us
                + self.context.carried.spent_cpu_us,
            disk: self.read_disk(),
        }
    }

    /// Whoever has so much to be looked at that it takes long pays for it.
    fn charge_look(&mut self, took_ns: u64, work_us: u64) {
        if took_ns > LONG_LOOK_NS {
            self.looks_us += work_us;
        }
    }

    /// What the episode has on disk, if it is time to look.
    fn read_disk(&mut self) -> Option<DiskReading> {
        let due = self.watch.needs_disk(monotonic_ns());
        due.then(|| {
            self.context
                .census
                .on_disk(&mut self.disk, self.context.root, self.order.limits)
        })
    }

    fn end(&mut self, cause: End, ends_alone: bool) {
        self.cause = Some(cause);
        self.ended_ns = monotonic_ns();
        self.ends_alone = ends_alone;
        self.kill();
    }

    fn kill(&mut self) {
        self.ends_alone &= monotonic_ns() - self.ended_ns < KILL_ALONE_TIMEOUT_NS;
        if self.ends_alone {
            kill::program(self.context.census);
        } else {
            self.context.carried.orphans_cpu_us += kill::programs(self.context.census);
        }
    }

    fn reap_orphans(&mut self) {
        // Once: all that have ended are one signal (signal(7)), and a program can send more as fast as they are read.
        let _ = self.context.children.read_signal();
        while let Ok(Some(reaped)) = wait::try_wait() {
            self.context.carried.orphans_cpu_us += reaped.cpu_us;
        }
    }

    /// Reads what the program has written; how many bytes that were.
    fn drain(&mut self) -> u64 {
        let before = self.order.capture.produced();
        let (capture, buffer) = (&mut self.order.capture, &mut *self.context.buffer);
        let ceiling = self.order.limits.output_ceiling();
        self.pipes.drain(capture, ceiling, buffer);
        let background = &mut self.context.carried.background;
        background.retain(|fd| !discard(fd.as_fd(), buffer));
        self.order.capture.produced() - before
    }
}
