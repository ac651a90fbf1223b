//! After the exit: how the program ended, and what came of it.

use super::Running;
use crate::slot::space;
use crate::spec::execution::{
    DiskEvidence, End, Finish, NotPrepared, SHELL_SAYS_KILLED, StepExecution,
};
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::{Exit, ExitKind};

impl Running<'_, '_> {
    pub(super) fn finish(mut self, mut exit: Exit) -> Result<StepExecution, Failure> {
        exit.cpu_us += self.pace.charge_us().max(self.looks_us) + self.take_orphans();
        self.context.carried.due = self.watch.due();
        let (capture, buffer) = (&mut self.order.capture, &mut *self.context.buffer);
        let ceiling = self.order.limits.output_ceiling();
        self.pipes.drain_rest(capture, ceiling, buffer);
        if self.cause.is_none() {
            self.await_trailing_output();
        }
        let used_us = exit
            .cpu_us
            .saturating_add(self.context.carried.spent_cpu_us);
        // No program gets to the limit before it is first looked at, unless others of the episode have taken most of it.
        let is_likely = self.watch.peak_bytes() > 0
            || !self.context.carried.background.is_empty()
            || matches!(
                exit.ended,
                ExitKind::Signaled(libc::SIGKILL) | ExitKind::Exited(SHELL_SAYS_KILLED)
            );
        let killed = is_likely.then(|| self.killed()).flatten();
        let cause = self.cause.take().or(killed);
        let is_cut_short = cause.is_some();
        let end = self.end_of(cause, exit.ended, used_us)?;
        self.context.carried.was_full = matches!(end, End::DiskLimit(..));
        let peak = match exit.running_ns {
            0 => 0,
            _ => {
                let in_files = self.context.census.files_in_memory();
                self.watch
                    .peak_bytes()
                    .max(exit.max_rss_bytes.saturating_add(in_files))
            }
        };
        let background = self.pipes.into_background();
        self.context.carried.drain_later(background);
        if let Some(live) = self.order.capture.live() {
            live.finish();
        }
        self.context.carried.live = self.order.capture.take_live();
        let produced = self.order.capture.produced();
        let (output, streams, truncated) = self.order.capture.finish(is_cut_short);
        Ok(StepExecution {
            start: self.order.start,
            end,
            prepared_ns: self.order.prepared_ns,
            forked_ns: exit.forked_ns,
            running_ns: exit.running_ns,
            ended_ns: exit.ended_ns.min(self.seen_dead_ns.unwrap_or(u64::MAX)),
            cpu_us: exit.cpu_us,
            stalled_ns: self.time.stalled_ns(),
            peak_memory_bytes: peak,
            output,
            streams,
            output_bytes: produced,
            truncated,
        })
    }

    /// CPU time of what ended while this ran, or with it, and had no parent to wait for it, in microseconds.
    fn take_orphans(&mut self) -> u64 {
        // What was killed with it may not have been reaped yet.
        if self.cause.is_some() {
            self.reap_orphans();
        }
        std::mem::take(&mut self.context.carried.orphans_cpu_us)
    }

    /// How it ended: for our reasons, if there are some, or as its zygote says.
    fn end_of(&self, cause: Option<End>, ended: ExitKind, used_us: u64) -> Result<End, Failure> {
        Ok(match (cause, ended) {
            (_, ExitKind::Failed(failure)) => match failure.stage {
                // The working directory is the one thing of these that the episode itself names.
                Stage::Workdir => End::NotPrepared(NotPrepared {
                    path: self.order.workdir.to_owned(),
                    errno: failure.errno,
                }),
                _ => return Err(failure),
            },
            (Some(cause), _) => cause,
            (None, ExitKind::Exited(0)) => End::Exited(0),
            (None, ExitKind::NotExecutable(errno)) => End::NotExecutable { errno },
            (None, ExitKind::Exited(code)) => self.failed(Finish::Exited(code)),
            // Elsewhere no file's size is limited.
            (None, ExitKind::Signaled(libc::SIGXFSZ)) if !self.context.tier.has_private_root() => {
                End::DiskLimit(DiskEvidence::FileSize, Finish::Signaled(libc::SIGXFSZ))
            }
            (None, ExitKind::Signaled(libc::SIGXCPU)) if self.watch.is_over_cpu(used_us) => {
                End::CpuLimit { used_us }
            }
            (None, ExitKind::Signaled(signal)) => self.failed(Finish::Signaled(signal)),
        })
    }

    /// It failed by itself, but maybe for want of something.
    fn failed(&self, finish: Finish) -> End {
        let evidence = self.disk_evidence(finish);
        evidence
            .or_else(|| self.process_evidence(finish))
            .unwrap_or_else(|| finish.into())
    }

    /// A failed program with as many processes as it may have may have been refused one. Those that died of SIGKILL did not
    /// die of that.
    fn process_evidence(&self, finish: Finish) -> Option<End> {
        let was_killed = matches!(
            finish,
            Finish::Signaled(libc::SIGKILL) | Finish::Exited(SHELL_SAYS_KILLED)
        );
        if was_killed || !self.context.counts_alone {
            return None;
        }
        let limit = self.order.limits.processes;
        // The program itself was one more than it has left behind.
        let is_full = |count: u64| count >= u64::from(limit);
        let full = is_full(self.threads.most()) || is_full(self.context.census.threads() + 1);
        full.then_some(End::ProcessLimit {
            count: limit,
            finish,
        })
    }

    /// A failed program with no block or no inode left did not fail by itself.
    fn disk_evidence(&self, finish: Finish) -> Option<End> {
        space::exhausted(self.context.tier, self.order.limits, self.context.root)
            .map(|evidence| End::DiskLimit(evidence, finish))
    }
}
