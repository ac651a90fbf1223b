//! A slot that belongs to one session until its end: executions and files come as they are asked for, and nothing is
//! cleaned in between. When the runner lets go of it, init ends, and with it all that the session was.
//!
//! Between executions, what they left running is supervised as during them: its memory is looked at, its output is
//! drained, its orphans are reaped.

use super::carried::Carried;
use super::disk::Count;
use super::episode::{BuiltSlot, StepOptions};
use super::kill;
use super::link::LinkBroken;
use super::pace::Pace;
use super::pipes::discard;
use super::transfer::Transfers;
use super::watch::{Due, Reading, Watch};
use crate::spec::execution::{Collected, Execution};
use crate::spec::limits::Limits;
use crate::spec::sandbox::Sandbox;
use crate::spec::step::InputFile;
use crate::sys::{clock::monotonic_ns, wait};
use crate::wire::failure::Failure;
use crate::wire::message::{Reply, Request, StepRequest};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use std::os::fd::AsFd;
use std::time::Duration;

/// How far apart looks at a tree get that does not change; a thousand idle sessions are then some hundredth of a core.
const MAX_INTERVAL_NS: u64 = 250_000_000;

/// Serves the session until the runner has no need of it any more, or is gone.
pub(super) fn serve(
    slot: &mut BuiltSlot,
    sandbox: Sandbox,
    files: Vec<InputFile>,
) -> Result<(), LinkBroken> {
    if let Err(failure) = slot.prepare(&sandbox.limits) {
        slot.runner.send(&Reply::Refused(failure))?;
        return Err(LinkBroken);
    }
    let mut carried = Carried::default();
    let placed = slot.place(None, &files, &mut carried.extra);
    // A session is long, and they can be large.
    drop(files);
    slot.runner.send(&Reply::Opened(placed))?;
    let mut session = Session {
        sandbox,
        carried,
        transfers: Transfers::default(),
    };
    loop {
        session.wait_for_order(slot)?;
        match slot.runner.recv()? {
            Request::Step(request) => match session.exec(slot, &request) {
                Ok(done) => slot.runner.send(&Reply::Ended(Box::new(done)))?,
                Err(failure) => {
                    slot.runner.send(&Reply::Refused(failure))?;
                    return Err(LinkBroken);
                }
            },
            Request::Put(piece) => {
                let put = session.transfers.put(&slot.space, piece);
                slot.runner.send(&Reply::Put(put))?;
            }
            Request::Get(what) => {
                let disk_bytes = session.sandbox.limits.disk_bytes;
                let got = session.transfers.get(&slot.space, what, disk_bytes);
                slot.runner.send(&Reply::Got(got))?;
            }
            Request::End => return Ok(()),
            // What it meant has just ended by itself.
            Request::Cancel => {}
            Request::Episode(_) | Request::Open { .. } => return Err(LinkBroken),
        }
    }
}

struct Session {
    sandbox: Sandbox,
    carried: Carried,
    transfers: Transfers,
}

impl Session {
    fn exec(
        &mut self,
        slot: &mut BuiltSlot,
        request: &StepRequest<'_>,
    ) -> Result<Execution, Failure> {
        let received_ns = monotonic_ns();
        slot.admit_warm(std::slice::from_ref(&request.step));
        // What the kernel killed before is no doing of this.
        self.carried.was_killed |= slot.out_of_memory.at_limit().is_some();
        slot.out_of_memory.host_has_killed();
        let options = StepOptions {
            deadline_ns: None,
            // What runs in a session belongs together, and a timeout ends nothing that earlier executions left.
            out_of_reach: false,
            ends_alone: true,
        };
        let step = slot.step(&self.sandbox, &request.step, options, &mut self.carried)?;
        self.carried.spent_cpu_us = self.carried.spent_cpu_us.saturating_add(step.cpu_us);
        Ok(Execution {
            enforced: slot.enforced,
            unclean: None,
            steps: vec![step],
            collected: Collected::default(),
            handed_ns: request.handed_ns,
            received_ns,
            cleaned_ns: monotonic_ns(),
        })
    }

    /// Returns when the runner has something to say, or is gone.
    fn wait_for_order(&mut self, slot: &mut BuiltSlot) -> Result<(), LinkBroken> {
        let mut idle = Idle::new(&self.sandbox.limits, slot, self.carried.due);
        let mut pace = Pace::new(monotonic_ns());
        loop {
            let runs = slot.census.is_anything_left();
            let pause = runs.then(|| {
                let pause_ns = idle.next_ns.saturating_sub(monotonic_ns());
                TimeSpec::from_duration(Duration::from_nanos(pause_ns))
            });
            let mut fds = vec![
                PollFd::new(slot.runner.as_fd(), PollFlags::POLLIN),
                PollFd::new(slot.children.as_fd(), PollFlags::POLLIN),
            ];
            let background = self.carried.background.iter();
            fds.extend(background.map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)));
            match ppoll(&mut fds, pause, None) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return Err(LinkBroken),
            }
            let is_wanted = fds[0].any().unwrap_or(true);
            // Before any order, for these can follow each other without a pause.
            if runs && monotonic_ns() >= idle.next_ns && idle.look(slot, &mut self.carried) {
                self.carried.orphans_cpu_us += kill::programs(&slot.census);
            }
            if is_wanted {
                self.carried.orphans_cpu_us += pace.charge_us();
                self.carried.runs = runs;
                self.carried.due = if runs { idle.due() } else { Due::default() };
                return Ok(());
            }
            if let Some(rest) = pace.woken(monotonic_ns(), 0) {
                std::thread::sleep(rest);
            }
            self.reap(slot);
            let buffer = &mut slot.buffer;
            self.carried
                .background
                .retain(|fd| !discard(fd.as_fd(), buffer));
        }
    }

    fn reap(&mut self, slot: &BuiltSlot) {
        // Once: all that have ended are one signal (signal(7)), and a program can send more as fast as they are read.
        let _ = slot.children.read_signal();
        while let Ok(Some(reaped)) = wait::try_wait() {
            self.carried.orphans_cpu_us += reaped.cpu_us;
        }
    }
}

/// The watch over what runs between two executions.
struct Idle {
    watch: Watch,
    disk: Count,
    limits: Limits,
    next_ns: u64,
    pause_ns: u64,
    last_bytes: u64,
}

impl Idle {
    fn new(limits: &Limits, slot: &BuiltSlot, due: Due) -> Idle {
        let now = monotonic_ns();
        let disk = !slot.enforced.tier.has_private_root();
        let watch = Watch::new(limits, slot.cores, disk, now).no_later_than(due);
        Idle {
            next_ns: watch.next_ns(),
            pause_ns: 0,
            last_bytes: 0,
            limits: limits.clone(),
            watch,
            disk: Count::default(),
        }
    }

    fn due(&self) -> Due {
        Due {
            memory_ns: self.next_ns,
            ..self.watch.due()
        }
    }

    /// Looks once; whether a limit was crossed.
    fn look(&mut self, slot: &mut BuiltSlot, carried: &mut Carried) -> bool {
        let usage = slot.look_guard.read(
            &slot.census,
            self.limits.memory_bytes,
            self.watch.needs_cpu(),
        );
        let now = monotonic_ns();
        let reading = Reading {
            memory_bytes: usage.memory_bytes,
            took_ns: usage.took_ns,
            cpu_us: usage.cpu_us + carried.orphans_cpu_us + carried.spent_cpu_us,
            disk: self.watch.needs_disk(now).then(|| {
                slot.census
                    .on_disk(&mut self.disk, slot.space.root_path(), &self.limits)
            }),
        };
        let crossed = self.watch.take(&reading, now).is_some();
        let killed = slot.out_of_memory.at_limit().is_some();
        carried.was_killed |= killed;
        let soonest = self.watch.next_ns().saturating_sub(now);
        let unchanged = reading.memory_bytes == self.last_bytes;
        self.pause_ns = if unchanged {
            (self.pause_ns * 2).min(MAX_INTERVAL_NS).max(soonest)
        } else {
            soonest
        };
        self.last_bytes = reading.memory_bytes;
        self.next_ns = now + self.pause_ns;
        crossed || killed
    }
}
