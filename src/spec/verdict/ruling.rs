//! What an end means: status, exit code, signal, and the sentence for people.

use super::starved::starvation;
use super::{evidence, ms, round};
use crate::spec::bytes::Text;
use crate::spec::episode::Origin;
use crate::spec::execution::{End, Finish, NotPrepared, StepExecution};
use crate::spec::limits::MB;
use crate::spec::outcome::{Status, Verdict};
use crate::spec::paths;
use crate::spec::policy::Tier;
use crate::spec::sandbox::Sandbox;
use crate::spec::step::{Content, InputFile, Program, Step};

/// Exit code of a timeout, as timeout(1) gives it.
const TIMED_OUT: i32 = 124;

/// Where in a run an execution stands.
pub(super) struct Context<'a> {
    pub sandbox: &'a Sandbox,
    pub step: &'a Step,
    /// Of a step that stands in a jobs file.
    pub origin: Option<&'a Origin>,
    /// Which of its episode's `steps` it is, where the line has those.
    pub index: Option<usize>,
    /// Whether nothing has run before that could have made or removed what it names.
    pub is_first: bool,
    pub tier: Tier,
}

/// Status, exit code, signal and sentence of one end.
struct Ruling {
    status: Status,
    exit_code: Option<i32>,
    signal: Option<i32>,
    error: Option<String>,
}

impl Context<'_> {
    pub(super) fn verdict(&self, facts: StepExecution) -> Verdict {
        let ran = facts.running_ns != 0;
        let starved = starvation(self.step, self.sandbox.stretch, &facts);
        let ruling = match starved {
            Some(error) => Ruling {
                status: Status::InfraError,
                exit_code: Some(TIMED_OUT),
                signal: Some(libc::SIGKILL),
                error: Some(error),
            },
            None => self.rule(&facts.end),
        };
        let wall_ms = ms(facts.wall_ns());
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
            wall_ms,
            cpu_ms: round(facts.cpu_us as f64 / 1e3),
            stalled_ms: ms(facts.stalled_ns),
            peak_memory_mb: round(facts.peak_memory_bytes as f64 / MB as f64),
            start: ran.then_some(facts.start),
        }
    }

    fn rule(&self, end: &End) -> Ruling {
        let limits = &self.sandbox.limits;
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
            End::NotPrepared(missing) => self.not_prepared(missing),
        }
    }

    /// In the first step nothing has run that could have made the program, so its absence is the spec's doing. What
    /// stands in it is not: a script that can't be run is its author's.
    fn not_executable(&self, errno: i32) -> Ruling {
        let name = match &self.step.program {
            Program::Argv(argv) => argv[0].as_str(),
            Program::Command(_) => "bash",
        };
        // As shells give it.
        let code = match errno {
            libc::ENOENT | libc::ELIBACC => 127,
            _ => 126,
        };
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
            libc::ELIBACC => {
                "the file is there, but what its #! line or its header names to run it with is not; \
                 a carriage return at the end of that line belongs to the name"
            }
            _ => "the kernel refused to run it",
        };
        let system = std::io::Error::from_raw_os_error(match errno {
            libc::ELIBACC => libc::ENOENT,
            other => other,
        });
        let error = Some(format!(
            "{}: {name:?}: {why} ({system})",
            self.field("argv")
        ));
        let spec = match errno {
            libc::ENOEXEC => false,
            libc::ELIBACC => self.is_first && !self.is_own_file(name),
            _ => self.is_first,
        };
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

    /// Whether this program's text stands in the episode, so that it is no file of the host's.
    fn is_own_file(&self, program: &str) -> bool {
        program.contains('/')
            && paths::resolve(&self.step.workdir, program).is_ok_and(|resolved| {
                let is_it = |file: &InputFile| {
                    file.path == resolved && matches!(file.content, Content::Bytes(_))
                };
                self.step.files.iter().any(is_it)
            })
    }

    fn not_prepared(&self, missing: &NotPrepared) -> Ruling {
        let NotPrepared { path, errno } = missing;
        let what = if *path == self.step.workdir {
            "workdir"
        } else {
            "files"
        };
        let why = match *errno {
            libc::EACCES if paths::is_usual(path) && !self.is_first => {
                "can't be used: an earlier program has changed who may write there (Permission denied)".into()
            }
            _ => evidence::not_prepared(self.sandbox, self.tier, *errno),
        };
        Ruling {
            status: if self.is_first {
                Status::Invalid
            } else {
                Status::Failed
            },
            exit_code: None,
            signal: None,
            error: Some(format!("{}: {path:?} {why}", self.field(what))),
        }
    }

    /// Where the user wrote what this is about.
    fn field(&self, name: &str) -> String {
        let field = match self.index {
            Some(index) => format!("`steps[{index}].{name}`"),
            None => format!("`{name}`"),
        };
        match self.origin {
            Some(origin) => format!("{origin}: {field}"),
            None => field,
        }
    }
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
