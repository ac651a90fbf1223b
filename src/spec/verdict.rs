//! From the facts of an execution to the verdict of the contract.
//!
//! The verdict of an episode with several steps is that of the last step that ran: with `on_failure: stop` the
//! one that failed, with `continue` the last of the list. Times add up over the steps.

mod evidence;

use super::bytes::Text;
use super::episode::{Episode, Program, Step};
use super::execution::{End, Execution, Finish, StepExecution};
use super::limits::MB;
use super::outcome::{Outcome, Phases, Status, StepOutcome, Verdict};
use super::paths;
use super::policy::Tier;
use super::returned::returned;
use std::time::Duration;

/// Exit code of a timeout, as timeout(1) gives it.
const TIMED_OUT: i32 = 124;

impl Outcome {
    /// The result of an episode that a slot ran. `earlier`: why each attempt before this one came to nothing; `accepted_ns`:
    /// when it began to wait for a slot.
    pub fn of(
        episode: &Episode,
        execution: Execution,
        earlier: Vec<String>,
        accepted_ns: u64,
    ) -> Outcome {
        let phases = phases(&execution);
        let enforced = execution.enforced;
        let mut steps: Vec<StepOutcome> = Vec::with_capacity(execution.steps.len());
        for (i, (step, facts)) in episode.steps.iter().zip(execution.steps).enumerate() {
            let startup_ms = startup_ms(
                &facts,
                if i == 0 {
                    execution.handed_ns
                } else {
                    facts.prepared_ns
                },
            );
            let context = Context {
                episode,
                step,
                index: i,
                is_first: i == 0 && !episode.goes_on,
                tier: enforced.tier,
            };
            steps.push(StepOutcome {
                name: step.name.clone(),
                verdict: context.verdict(facts),
                startup_ms,
            });
        }
        let first_startup = steps.first().and_then(|s| s.startup_ms);
        let mut verdict = match episode.multi_step {
            true => deciding(&steps).map(|s| s.verdict.clone()),
            false => steps.pop().map(|s| s.verdict),
        }
        .expect("an execution has at least one step");
        if episode.multi_step {
            verdict.wall_ms = round(steps.iter().map(|s| s.verdict.wall_ms).sum());
            verdict.cpu_ms = round(steps.iter().map(|s| s.verdict.cpu_ms).sum());
            verdict.stalled_ms = round(steps.iter().map(|s| s.verdict.stalled_ms).sum());
            verdict.peak_memory_mb = steps
                .iter()
                .map(|s| s.verdict.peak_memory_mb)
                .fold(0.0, f64::max);
        }
        let (files, not_collected) = returned(execution.collected);
        Outcome {
            id: episode.id.clone(),
            verdict,
            attempts: attempts(&earlier),
            attempt_errors: earlier,
            queue_ms: ms(execution.handed_ns.saturating_sub(accepted_ns)),
            startup_ms: first_startup,
            sandbox: Some(enforced),
            files: (!episode.collect.is_empty()).then_some(files),
            not_collected,
            steps: episode.multi_step.then_some(steps),
            audit: None,
            group: episode.echo.group.clone(),
            meta: episode.echo.meta.clone(),
            spec_digest: episode.echo.spec_digest,
            phases,
        }
    }

    /// The result of an episode that our side could not run; `earlier` as in [`Outcome::of`].
    pub fn infra(episode: &Episode, error: String, earlier: Vec<String>) -> Outcome {
        let mut outcome = Outcome::nothing(
            episode.id.clone(),
            episode.echo.clone(),
            Status::InfraError,
            error,
        );
        outcome.attempts = attempts(&earlier);
        outcome.attempt_errors = earlier;
        outcome
    }

    /// The result of a line that is not a valid episode.
    pub fn invalid(id: String, echo: super::episode::Echo, error: String) -> Outcome {
        Outcome::nothing(id, echo, Status::Invalid, error)
    }

    fn nothing(id: String, echo: super::episode::Echo, status: Status, error: String) -> Outcome {
        Outcome {
            id,
            verdict: Verdict {
                status,
                exit_code: None,
                output: Text::default(),
                stdout: None,
                stderr: None,
                output_bytes: 0,
                truncated: false,
                signal: None,
                fault: status.fault(),
                error: Some(error),
                wall_ms: 0.0,
                cpu_ms: 0.0,
                stalled_ms: 0.0,
                peak_memory_mb: 0.0,
                start: None,
            },
            attempts: 0,
            attempt_errors: Vec::new(),
            queue_ms: 0.0,
            startup_ms: None,
            sandbox: None,
            files: None,
            not_collected: Vec::new(),
            steps: None,
            audit: None,
            group: echo.group,
            meta: echo.meta,
            spec_digest: echo.spec_digest,
            phases: None,
        }
    }
}

/// The step whose verdict is the episode's: the last one, unless the host kept something from an earlier one.
fn deciding(steps: &[StepOutcome]) -> Option<&StepOutcome> {
    let is_infra = |step: &&StepOutcome| step.verdict.status == Status::InfraError;
    steps.iter().find(is_infra).or(steps.last())
}

struct Context<'a> {
    episode: &'a Episode,
    step: &'a Step,
    index: usize,
    /// Whether nothing has run before that could have made or removed what it names.
    is_first: bool,
    tier: Tier,
}

/// Status, exit code, signal and sentence of one end.
struct Ruling {
    status: Status,
    exit_code: Option<i32>,
    signal: Option<i32>,
    error: Option<String>,
}

impl Context<'_> {
    fn verdict(&self, facts: StepExecution) -> Verdict {
        let ran = facts.running_ns != 0;
        let starved = starvation(self.step.timeout, self.episode.stretch, &facts);
        let ruling = match starved {
            Some(error) => Ruling {
                status: Status::InfraError,
                exit_code: Some(TIMED_OUT),
                signal: Some(libc::SIGKILL),
                error: Some(error),
            },
            None => self.rule(&facts.end),
        };
        let (stdout, stderr) = match facts.streams {
            Some(streams) => (Some(Text(streams.stdout)), Some(Text(streams.stderr))),
            None => (None, None),
        };
        Verdict {
            status: ruling.status,
            exit_code: ruling.exit_code,
            output: Text(facts.output),
            stdout,
            stderr,
            output_bytes: facts.output_bytes,
            truncated: facts.truncated,
            signal: ruling.signal,
            fault: ruling.status.fault(),
            error: ruling.error,
            wall_ms: if ran {
                ms(facts.ended_ns.saturating_sub(facts.running_ns))
            } else {
                0.0
            },
            cpu_ms: round(facts.cpu_us as f64 / 1e3),
            stalled_ms: ms(facts.stalled_ns),
            peak_memory_mb: round(facts.peak_memory_bytes as f64 / MB as f64),
            start: ran.then_some(facts.start),
        }
    }

    fn rule(&self, end: &End) -> Ruling {
        let limits = &self.episode.limits;
        let killed = |status, evidence: String| Ruling {
            status,
            exit_code: Some(128 + libc::SIGKILL),
            signal: Some(libc::SIGKILL),
            error: Some(evidence),
        };
        match end {
            End::Exited(0) => Ruling {
                status: Status::Ok,
                exit_code: Some(0),
                signal: None,
                error: None,
            },
            End::Exited(code) => Ruling {
                status: Status::Failed,
                exit_code: Some(*code),
                signal: None,
                error: None,
            },
            End::Signaled(signal) => Ruling {
                status: Status::Signaled,
                exit_code: Some(by_signal(*signal)),
                signal: Some(*signal),
                error: None,
            },
            End::Timeout => Ruling {
                status: Status::Timeout,
                exit_code: Some(TIMED_OUT),
                signal: Some(libc::SIGKILL),
                error: None,
            },
            End::CpuLimit { used_us } => killed(Status::CpuLimit, evidence::cpu(limits, *used_us)),
            End::MemoryLimit { used_bytes } => killed(
                Status::MemoryLimit,
                format!(
                    "used {} MB of memory; the limit is {} MB",
                    used_bytes.div_ceil(MB),
                    limits.memory_bytes / MB
                ),
            ),
            End::OutputLimit { produced_bytes } => killed(
                Status::OutputLimit,
                format!(
                    "printed {produced_bytes} bytes; ended at {} bytes",
                    limits.output_ceiling()
                ),
            ),
            End::DiskLimit(evidence, finish) => {
                let evidence = evidence::disk(limits, *evidence);
                finished(Status::DiskLimit, *finish, evidence)
            }
            End::ProcessLimit { count, finish } => {
                let status = match finish {
                    Finish::Exited(_) => Status::Failed,
                    Finish::Signaled(_) => Status::Signaled,
                };
                finished(status, *finish, evidence::processes(limits, *count))
            }
            End::Host(fault, finish) => finished(Status::InfraError, *finish, fault.to_string()),
            End::NotExecutable { errno } => self.not_executable(*errno),
            End::NotPrepared { path, errno } => self.not_prepared(path, *errno),
        }
    }

    /// In the first step nothing has run that could have made the program, so its absence is the spec's doing.
    fn not_executable(&self, errno: i32) -> Ruling {
        let name = match &self.step.program {
            Program::Argv(argv) => argv[0].as_str(),
            Program::Command(_) => "bash",
        };
        let code = if errno == libc::ENOENT { 127 } else { 126 };
        let why = match errno {
            libc::ENOENT if name.contains('/') => {
                "no such file in the sandbox; add it to files, or check the path"
            }
            libc::ENOENT => {
                "no such program on the sandbox's PATH; install it on the host, or give its full path"
            }
            libc::EACCES => {
                "the file may not be executed; give it \"mode\": \"0755\", or grant its directory"
            }
            libc::ENOEXEC => {
                "the file is neither a binary of this machine nor a script with a #! line"
            }
            _ => "the kernel refused to run it",
        };
        let field = if self.episode.multi_step {
            format!("steps[{}].argv", self.index)
        } else {
            "argv".into()
        };
        let system = std::io::Error::from_raw_os_error(errno);
        let error = Some(format!(
            "{}: `{field}`: {name:?}: {why} ({system})",
            self.episode.origin
        ));
        let spec = self.is_first && errno != libc::ENOEXEC;
        Ruling {
            status: if spec {
                Status::Invalid
            } else {
                Status::Failed
            },
            exit_code: (!spec).then_some(code),
            signal: None,
            error,
        }
    }

    fn not_prepared(&self, path: &str, errno: i32) -> Ruling {
        let what = if path == self.step.workdir {
            "workdir"
        } else {
            "files"
        };
        let field = if self.episode.multi_step {
            format!("steps[{}].{what}", self.index)
        } else {
            what.into()
        };
        let why = match errno {
            libc::ENOSPC | libc::EDQUOT => format!(
                "does not fit under disk_mb {}; raise resources.disk_mb",
                self.episode.limits.disk_bytes / MB
            ),
            // Where every sandbox can be written to, unless its programs have seen to that.
            libc::EACCES if paths::is_usual(path) && !self.is_first => {
                "can't be used: an earlier program has changed who may write there (Permission denied)".into()
            }
            libc::EACCES if self.tier == Tier::Landlock => {
                "can't be made without namespaces, where only /workspace, /tmp and /home/runner exist; \
                 use one of them, or allow user namespaces on this machine"
                    .into()
            }
            libc::EXDEV | libc::EROFS | libc::EACCES => {
                "lies in a directory of the host that the sandbox does not write to; use /workspace".into()
            }
            _ => format!("can't be made: {}", std::io::Error::from_raw_os_error(errno)),
        };
        Ruling {
            status: if self.is_first {
                Status::Invalid
            } else {
                Status::Failed
            },
            exit_code: None,
            signal: None,
            error: Some(format!(
                "{}: `{field}`: {path:?} {why}",
                self.episode.origin
            )),
        }
    }
}

/// Why this execution came to its end without a verdict, if the host kept it from running for most of its time: what a
/// program that had its timeout's worth of CPU time can't say.
fn starvation(timeout: Duration, stretch: f64, facts: &StepExecution) -> Option<String> {
    let stalled = Duration::from_nanos(facts.stalled_ns);
    let longest = timeout.mul_f64(stretch);
    let is_starved = facts.end == End::Timeout
        && longest > timeout
        && stalled >= longest - timeout
        && stalled >= longest / 2
        && Duration::from_micros(facts.cpu_us) < timeout;
    is_starved.then(|| {
        format!(
            "the machine was too busy: in {:.2} s (timeout_s {} × stretch {stretch}) the program could have run and was kept from \
             it for {:.2} s; it had {:.2} s of CPU time. Run fewer at a time (--concurrency), or raise --stretch",
            longest.as_secs_f64(),
            timeout.as_secs_f64(),
            stalled.as_secs_f64(),
            facts.cpu_us as f64 / 1e6,
        )
    })
}

/// The first reason of that kind in an episode's execution.
pub fn starved(episode: &Episode, execution: &Execution) -> Option<String> {
    let mut steps = episode.steps.iter().zip(&execution.steps);
    steps.find_map(|(step, facts)| starvation(step.timeout, episode.stretch, facts))
}

/// For a program that ended by itself.
fn finished(status: Status, finish: Finish, evidence: String) -> Ruling {
    let (exit_code, signal) = match finish {
        Finish::Exited(code) => (code, None),
        Finish::Signaled(signal) => (by_signal(signal), Some(signal)),
    };
    Ruling {
        status,
        exit_code: Some(exit_code),
        signal,
        error: Some(evidence),
    }
}

/// As shells give it.
fn by_signal(signal: i32) -> i32 {
    signal.saturating_add(128)
}

/// How many there were, if these came before the last.
fn attempts(earlier: &[String]) -> u32 {
    earlier.len() as u32 + 1
}

fn startup_ms(facts: &StepExecution, from_ns: u64) -> Option<f64> {
    (facts.running_ns != 0).then(|| ms(facts.running_ns.saturating_sub(from_ns)))
}

fn phases(execution: &Execution) -> Option<Phases> {
    let first = execution.steps.first()?;
    let last = execution.steps.last()?;
    if first.running_ns == 0 {
        return None;
    }
    Some(Phases {
        dispatch: execution.received_ns.saturating_sub(execution.handed_ns),
        prepare: first.prepared_ns.saturating_sub(execution.received_ns),
        handoff: first.forked_ns.saturating_sub(first.prepared_ns),
        launch: first.running_ns.saturating_sub(first.forked_ns),
        clean: execution.cleaned_ns.saturating_sub(last.ended_ns),
        total: first.running_ns.saturating_sub(execution.handed_ns),
    })
}

fn ms(ns: u64) -> f64 {
    round(ns as f64 / 1e6)
}

/// Microseconds are enough for people and keep result lines short.
fn round(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}
