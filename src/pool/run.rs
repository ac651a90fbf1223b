//! One episode through the pool: lease, run, return.

use super::attachment::Attachment;
use super::failure::{BuildError, SlotLost};
use super::host_faults::Whose;
use super::host_files::HostFileError;
use super::input::{name_unusual_places, with_host_files};
use super::lease::Lease;
use super::process;
use super::state::Pool;
use super::trace::{Handed, UsedSlot};
use crate::spec::collect::COLLECT_TIMEOUT_SECONDS;
use crate::spec::episode::Episode;
use crate::spec::execution::Execution;
use crate::spec::host_fault::HostFault;
use crate::spec::policy::Network;
use crate::spec::step::Step;
use crate::sys::clock::{left_until, monotonic_ns};
use crate::wire::message::EpisodeRequest;
use nix::unistd::Pid;
use std::time::Duration;
use tokio::time::timeout;
use tracing::{debug, trace};

/// What a slot may take beyond the episode's own timeouts before it counts as hung.
const HUNG_TIMEOUT: Duration = Duration::from_secs(30);
/// What it may take beyond them before it is looked whether it was stopped, and how often that is looked for.
const OVERDUE_TIMEOUT: Duration = Duration::from_secs(1);
const STOPPED_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How often one attempt goes on where a program could not be started for want of processes, each time with one slot less, and
/// how long that slot may take to be gone.
const MAX_REFUSALS: u32 = 5;
const REFUSAL_PAUSE: Duration = Duration::from_millis(20);

/// Why an episode was not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    HostFile(#[from] HostFileError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Lost(#[from] SlotLost),
    #[error("its deadline was over before there was a slot for it")]
    NoSlotInTime,
    #[error(
        "network \"loopback\" needs the namespaces tier, and this run is in the landlock tier; `runner doctor` says \
         what the machine lacks"
    )]
    NoLoopback,
}

impl Pool {
    /// Runs an episode in a slot that fits, waiting for one if all are taken. After an error that slot is gone.
    /// It ends at `deadline_ns` (CLOCK_MONOTONIC) at the latest.
    pub async fn run(
        &self,
        episode: &Episode,
        deadline_ns: Option<u64>,
    ) -> Result<Execution, RunError> {
        self.run_attached(episode, deadline_ns, None).await
    }

    /// The same, while the caller takes part in it.
    pub async fn run_attached(
        &self,
        episode: &Episode,
        deadline_ns: Option<u64>,
        attachment: Option<&Attachment>,
    ) -> Result<Execution, RunError> {
        let mut handed = Handed {
            accepted_ns: monotonic_ns(),
            handed_ns: 0,
            slot: None,
        };
        let ran = self
            .attempt(episode, deadline_ns, attachment, &mut handed)
            .await;
        if let Some(trace) = self.shared.trace.get() {
            trace.attempt(episode, &handed, ran.as_ref().map_err(|error| error as _));
        }
        ran
    }

    async fn attempt(
        &self,
        episode: &Episode,
        deadline_ns: Option<u64>,
        attachment: Option<&Attachment>,
        handed: &mut Handed,
    ) -> Result<Execution, RunError> {
        let sandbox = &episode.sandbox;
        self.check_network(sandbox.grants.network)?;
        let steps = with_host_files(&episode.steps, sandbox).await?;
        let unusual_places = name_unusual_places(sandbox, &steps);
        let fds = attachment.map_or_else(Vec::new, Attachment::fds);
        let host = self.host();
        let mut refusals = 0;
        let (lease, whose, mut execution) = loop {
            let lease = self.lease(&sandbox.grants, unusual_places);
            let lease = timeout(left_until(deadline_ns), lease).await;
            let mut lease = lease.map_err(|_| RunError::NoSlotInTime)??;
            let whose = Whose::of(lease.slot());
            host.before(whose);
            let request = EpisodeRequest {
                deadline_ns,
                attached: attachment.map(Attachment::message),
                ..EpisodeRequest::new(episode, &steps, monotonic_ns())
            };
            trace!(
                id = &*episode.id,
                slot = lease.slot().number,
                "handed to a slot"
            );
            let process = lease.slot().process();
            handed.handed_ns = request.handed_ns;
            handed.slot = Some(UsedSlot {
                number: lease.slot().number,
                pid: process.as_raw(),
            });
            let answer = lease.slot().run(request, &fds);
            let limit = AnswerLimit::of_episode(episode, deadline_ns);
            match limit.answered(process, answer).await {
                Ok(execution) => break (lease, whose, execution),
                // It died while it was idle: that is no attempt of this episode. Its place is free now, so this
                // ends with a new slot at the latest.
                Err(SlotLost::WasDead) => drop(lease),
                Err(lost) => {
                    drop(lease);
                    refusals += 1;
                    // Nor is it one where a program could not be started, as long as others can give up what that takes.
                    let is_over = refusals > MAX_REFUSALS
                        || left_until(deadline_ns).is_zero()
                        // What earlier steps printed has been shown.
                        || attachment.is_some() && episode.steps.len() > 1;
                    if is_over || !lost.is_scarcity() || !self.settle_for_fewer() {
                        return Err(lost.into());
                    }
                    tokio::time::sleep(REFUSAL_PAUSE).await;
                }
            }
        };
        host.explain(whose, &sandbox.limits, &mut execution).await;
        self.give_back_after(lease, episode, &execution);
        Ok(execution)
    }

    /// Gives a slot back, unless it is not to be used again.
    fn give_back_after(&self, lease: Lease, episode: &Episode, execution: &Execution) {
        // What the kernel killed may have been more than the program. To be refused a process harms no slot.
        let is_kill = |fault| matches!(fault, HostFault::Killed(_));
        let was_killed = execution.host_faults().any(is_kill);
        let was_refused = execution.host_faults().any(|fault| !is_kill(fault));
        if was_refused {
            self.settle_after_refusal();
        }
        if execution.unclean.is_none() && !was_killed {
            lease.end();
        } else {
            debug!(
                id = &*episode.id,
                unclean = ?execution.unclean, was_killed, "its slot is given up"
            );
        }
    }

    /// Whether slots of this pool can have such a network.
    pub(super) fn check_network(&self, network: Network) -> Result<(), RunError> {
        if network == Network::Loopback && !self.tier().has_own_network(network) {
            return Err(RunError::NoLoopback);
        }
        Ok(())
    }
}

/// How long a slot may take over what it was asked.
pub(super) struct AnswerLimit {
    /// By its own timeouts, where the host keeps it from running, and by its deadline.
    allowed: Duration,
    /// How much longer before the slot counts as hung: files are searched for and read after the end.
    slack: Duration,
}

impl AnswerLimit {
    pub(super) fn of_step(step: &Step, stretch: f64) -> AnswerLimit {
        AnswerLimit {
            allowed: step.longest(stretch),
            slack: HUNG_TIMEOUT,
        }
    }

    fn of_episode(episode: &Episode, deadline_ns: Option<u64>) -> AnswerLimit {
        let steps = episode.steps.iter();
        let by_timeouts: Duration = steps
            .map(|step| step.longest(episode.sandbox.stretch))
            .sum();
        let collecting = match episode.collect.as_slice() {
            [] => Duration::ZERO,
            _ => 2 * Duration::from_secs(COLLECT_TIMEOUT_SECONDS),
        };
        AnswerLimit {
            allowed: by_timeouts.min(left_until(deadline_ns)),
            slack: HUNG_TIMEOUT + collecting,
        }
    }

    /// The slot's answer. A slot that is overdue because it was stopped is killed: left alone, its program would go on after
    /// its timeout for as long as we wait. One that is busy is waited for.
    pub(super) async fn answered<T>(
        &self,
        slot: Pid,
        answer: impl Future<Output = Result<T, SlotLost>>,
    ) -> Result<T, SlotLost> {
        let stopped = async {
            tokio::time::sleep(self.allowed + OVERDUE_TIMEOUT).await;
            while !process::is_stopped(slot) {
                tokio::time::sleep(STOPPED_POLL_INTERVAL).await;
            }
        };
        tokio::select! {
            biased;
            answer = timeout(self.allowed + self.slack, answer) => answer.unwrap_or(Err(SlotLost::Silent)),
            () = stopped => {
                process::end(slot);
                Err(SlotLost::Stopped)
            }
        }
    }
}
