//! One episode: its steps in order, then the end of everything it left.

use super::attachment::Attachment;
use super::capture::OutputCapture;
use super::carried::Carried;
use super::census::Census;
use super::clean::Cleaner;
use super::collect::collect;
use super::forker::Forkers;
use super::link::Link;
use super::look_guard::LookGuard;
use super::out_of_memory::OutOfMemory;
use super::placement::Placement;
use super::space::Space;
use super::stalled::Machine;
use super::step::{self, Order, StepContext};
use super::warm::{ForkRequest, Interpreter};
use crate::sandbox::quotas::{self, OwnLimits};
use crate::sandbox::root;
use crate::sandbox::ruleset::{self, Ruleset, Scene};
use crate::spec::execution::{Collected, End, Execution, NotPrepared, StepExecution, Unclean};
use crate::spec::host_fault::{CountedBy, HostFault};
use crate::spec::limits::Limits;
use crate::spec::policy::Enforced;
use crate::spec::sandbox::Sandbox;
use crate::spec::step::{InputFile, OnFailure, Step};
use crate::spec::warm::Start;
use crate::sys::clock::monotonic_ns;
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::{EpisodeRequest, Launch, Rlimit, Setup};
use nix::sys::signalfd::SignalFd;
use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// How a step stands to the others of its episode or session.
#[derive(Clone, Copy)]
pub(super) struct StepOptions {
    /// When all of the episode is to end, CLOCK_MONOTONIC.
    pub deadline_ns: Option<u64>,
    /// Whether its programs are to be out of the reach of those of other steps.
    pub out_of_reach: bool,
    /// Whether a timeout is the end of this step only.
    pub ends_alone: bool,
}

/// A built slot, as init sees it.
pub(super) struct BuiltSlot {
    pub setup: Setup,
    /// What keeps programs of one episode apart, once it was needed.
    pub scope: Option<OwnedFd>,
    pub enforced: Enforced,
    pub runner: Link,
    pub zygote: Link,
    pub warm: Vec<Box<dyn Interpreter>>,
    pub space: Space,
    pub census: Census,
    pub look_guard: LookGuard,
    pub cleaner: Cleaner,
    pub children: SignalFd,
    pub disk_bytes: u64,
    pub cores: u64,
    pub machine: Machine,
    pub buffer: Vec<u8>,
    pub own_limits: OwnLimits,
    /// Processes of the slot that count against RLIMIT_NPROC of its uid.
    pub own_processes: u32,
    pub out_of_memory: OutOfMemory,
}

impl BuiltSlot {
    /// Runs one episode. An error means that the slot can't be trusted any more.
    pub(super) fn run(
        &mut self,
        request: &EpisodeRequest<'_>,
        attachment: Attachment,
    ) -> Result<Execution, Failure> {
        let received_ns = monotonic_ns();
        self.prepare(&request.sandbox.limits)?;
        self.admit_warm(&request.steps);
        let mut steps = Vec::with_capacity(request.steps.len());
        let mut carried = Carried {
            live: attachment.live,
            terminal: attachment.terminal,
            ..Carried::default()
        };
        for (i, step) in request.steps.iter().enumerate() {
            let more = i + 1 < request.steps.len() && step.on_failure == OnFailure::Continue;
            // What has not run has not ended well, however the one before did.
            let is_over = || {
                let end_ns = request.deadline_ns;
                end_ns.is_some_and(|end_ns| monotonic_ns() >= end_ns)
            };
            let is_late = i > 0 && is_over();
            let done = if is_late {
                never_ran(End::Timeout)
            } else {
                let options = StepOptions {
                    deadline_ns: request.deadline_ns,
                    out_of_reach: request.steps.len() > 1,
                    ends_alone: more,
                };
                self.step(&request.sandbox, step, options, &mut carried)?
            };
            carried.spent_cpu_us = carried.spent_cpu_us.saturating_add(done.cpu_us);
            carried.runs = true;
            let stop = done.end != End::Exited(0) && step.on_failure == OnFailure::Stop
                || carried.was_killed;
            steps.push(done);
            if stop {
                break;
            }
        }
        // What has run has its verdict, whatever becomes of the slot.
        let killed = self.cleaner.kill_rest(&self.census);
        if let Some(last) = steps.last_mut() {
            let others = carried.orphans_cpu_us + killed.as_ref().unwrap_or(&0);
            last.cpu_us = last.cpu_us.saturating_add(others);
        }
        carried.background.clear();
        let collected = match &*request.collect {
            [] => Collected::default(),
            patterns => collect(&self.space, &request.sandbox.workdir, patterns),
        };
        let unclean = match killed {
            Err(unclean) => Some(unclean),
            Ok(_) if self.out_of_memory.has_killed() => Some(Unclean::KernelKilled),
            Ok(_) => self.cleaner.wipe(carried.extra.len()).err(),
        };
        Ok(Execution {
            enforced: self.enforced,
            unclean,
            steps,
            collected,
            handed_ns: request.handed_ns,
            received_ns,
            cleaned_ns: monotonic_ns(),
        })
    }

    /// Lets the processes that fork programs end at once. When the runner has died they are not told, and wait.
    pub(super) fn release_zygotes(&mut self) {
        // One that is gone has no need of it.
        let _ = self.zygote.send(&());
        for interpreter in &mut self.warm {
            let _ = interpreter.zygote().0.send(&());
        }
    }

    /// Makes the slot ready for somebody with these limits.
    pub(super) fn prepare(&mut self, limits: &Limits) -> Result<(), Failure> {
        self.out_of_memory.begin(limits.memory_bytes);
        if self.enforced.tier.has_private_root() && limits.disk_bytes != self.disk_bytes {
            root::resize(limits.disk_bytes)?;
            self.disk_bytes = limits.disk_bytes;
        }
        Ok(())
    }

    /// Lets those warm interpreters in that these steps may run in. To be called while nothing runs.
    pub(super) fn admit_warm(&mut self, steps: &[Step]) {
        let warm = self.warm.iter_mut();
        for arrived in warm.filter_map(|interpreter| interpreter.arrive(steps)) {
            self.census.add_zygote(arrived);
            self.own_processes += 1;
        }
    }

    /// Runs one step to its end.
    pub(super) fn step(
        &mut self,
        sandbox: &Sandbox,
        step: &Step,
        options: StepOptions,
        carried: &mut Carried,
    ) -> Result<StepExecution, Failure> {
        if let Err(missing) = self.place(Some(&step.workdir), &step.files, &mut carried.extra) {
            return Ok(never_ran(End::NotPrepared(missing)));
        }
        let limits = &sandbox.limits;
        let rlimits = self.rlimits(limits);
        let workdir = self.space.real(&step.workdir);
        let scope = self.scope(options.out_of_reach)?;
        let own = self.own_ruleset(&carried.extra)?;
        let forkers = Forkers::new(&mut self.zygote, &mut self.warm);
        let terminal = carried.terminal.take();
        let forkers = match terminal {
            Some(_) => forkers.cold(),
            None => forkers.within(limits),
        };
        // A program that enforces its slot's ruleset by itself is apart from others already.
        let cold_scope = scope.filter(|_| !self.setup.unusual_places);
        let argv = step.program.argv();
        let forker = forkers.choose(ForkRequest {
            step,
            argv: &argv,
            workdir: &workdir,
            extra: &carried.extra,
        });
        let launch = Launch {
            argv,
            env: environment(forker.has_base_environment, &self.space, &step.env),
            workdir: workdir.to_string_lossy().into_owned(),
            rlimits,
            terminal: terminal.is_some(),
        };
        let ruleset = forker.ruleset.or(if forker.start.is_warm() {
            scope
        } else {
            own.as_ref().map(AsRawFd::as_raw_fd).or(cold_scope)
        });
        let order = Order {
            start: forker.start,
            launch,
            workdir: &step.workdir,
            ruleset,
            limits,
            capture: capture(sandbox, carried),
            stdin: &step.stdin,
            terminal,
            timeout: step.timeout,
            longest: step.longest(sandbox.stretch),
            deadline_ns: options.deadline_ns,
            ends_alone: options.ends_alone,
            prepared_ns: monotonic_ns(),
        };
        let mut context = StepContext {
            tier: self.enforced.tier,
            runner: &self.runner,
            zygote: forker.zygote,
            census: &self.census,
            look_guard: &self.look_guard,
            children: &self.children,
            root: self.space.root_path(),
            cores: self.cores,
            machine: &self.machine,
            counts_alone: self.enforced.tier.has_own_processes() || self.setup.ids.change,
            buffer: &mut self.buffer,
            out_of_memory: &mut self.out_of_memory,
            carried,
        };
        let ran = step::run(&mut context, order);
        self.after_kills(ran, limits, carried)
    }

    /// What the kernel's kills make of how a step ended.
    fn after_kills(
        &mut self,
        ran: Result<StepExecution, Failure>,
        limits: &Limits,
        carried: &Carried,
    ) -> Result<StepExecution, Failure> {
        let mut done = match ran {
            // What earlier programs had left running was at the limit, and the kernel took the zygote for it.
            Err(failure) if failure.stage == Stage::Zygote && carried.was_killed => {
                never_ran(End::MemoryLimit {
                    used_bytes: self.out_of_memory.limit_bytes(),
                })
            }
            other => other?,
        };
        let host_has_killed = self.out_of_memory.host_has_killed();
        if host_has_killed && done.was_killed() {
            done.blame_host(HostFault::Killed(CountedBy::SlotCgroup), limits);
        }
        Ok(done)
    }

    /// Puts a working directory and files in place.
    pub(super) fn place(
        &self,
        workdir: Option<&str>,
        files: &[InputFile],
        extra: &mut Vec<String>,
    ) -> Result<(), NotPrepared> {
        let mut placing = Placement::new(&self.space, std::mem::take(extra));
        let placed = workdir
            .map_or(Ok(()), |path| placing.workdir(path))
            .and_then(|()| files.iter().try_for_each(|file| placing.file(file)));
        *extra = placing.into_extra();
        placed.map_err(NotPrepared::from)
    }

    /// The ruleset that keeps the programs of several steps out of each other's reach, where the tier does not do so. Those
    /// of a session belong together.
    fn scope(&mut self, wanted: bool) -> Result<Option<RawFd>, Failure> {
        if !wanted || self.enforced.tier.has_domain_per_program() {
            return Ok(None);
        }
        if self.scope.is_none() {
            self.scope = Some(ruleset::scoping_only()?);
        }
        Ok(self.scope.as_ref().map(AsRawFd::as_raw_fd))
    }

    /// That of an episode which names places of its own.
    fn own_ruleset(&self, extra: &[String]) -> Result<Option<OwnedFd>, Failure> {
        match extra {
            [] => Ok(None),
            extra => Ok(Some(
                Ruleset::prepare(&Scene::of(&self.setup, extra))?.into_fd()?,
            )),
        }
    }

    fn rlimits(&self, limits: &Limits) -> Vec<Rlimit> {
        let limit = |resource, value| Rlimit { resource, value };
        let mut list = vec![
            limit(
                libc::RLIMIT_NPROC,
                u64::from(limits.processes + self.own_processes),
            ),
            limit(
                libc::RLIMIT_NOFILE,
                quotas::open_files(u64::from(limits.open_files), self.own_limits.open_files),
            ),
            limit(
                libc::RLIMIT_SIGPENDING,
                quotas::pending_signals(self.setup.sharing(), self.own_limits.pending_signals),
            ),
        ];
        if let Some(bytes) = limits.stack_bytes {
            list.push(limit(libc::RLIMIT_STACK, bytes));
        }
        if let Some(cpu) = limits.cpu_time {
            // The watch ends the tree on time; this is the backstop for a single process.
            list.push(limit(libc::RLIMIT_CPU, cpu.as_secs() + 2));
        }
        if !self.enforced.tier.has_private_root() {
            list.push(limit(libc::RLIMIT_FSIZE, limits.disk_bytes));
        }
        list
    }
}

/// Where a step's output goes.
fn capture(sandbox: &Sandbox, carried: &mut Carried) -> OutputCapture {
    let cap_bytes = sandbox.limits.output_bytes;
    let mut capture = OutputCapture::new(sandbox.capture, sandbox.output_keep, cap_bytes);
    capture.pass_on(carried.live.take());
    capture
}

/// What a program is sent of its environment, as execve(2) takes it: what is the same for all, where it does not have that from
/// its zygote, and what its step was given.
fn environment(has_base: bool, space: &Space, given: &BTreeMap<String, String>) -> Vec<String> {
    let real = |path: &str| space.real(path).to_string_lossy().into_owned();
    let mut variables: BTreeMap<String, String> = if has_base {
        BTreeMap::new()
    } else {
        space.layout.environment(real).into_iter().collect()
    };
    variables.extend(given.clone());
    let text = |(name, value)| format!("{name}={value}");
    variables.into_iter().map(text).collect()
}

fn never_ran(end: End) -> StepExecution {
    let now = monotonic_ns();
    StepExecution {
        start: Start::Exec,
        end,
        prepared_ns: now,
        forked_ns: 0,
        running_ns: 0,
        ended_ns: now,
        cpu_us: 0,
        stalled_ns: 0,
        peak_memory_bytes: 0,
        output: Vec::new(),
        streams: None,
        output_bytes: 0,
        truncated: false,
    }
}
