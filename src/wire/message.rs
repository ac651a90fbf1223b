//! The messages. The order in which they may come is in the parent module.

use super::failure::{Failure, Stage};
use super::kinds::exit;
use super::transfer::{Get, NotDone, Piece, Put};
use crate::spec::episode::Episode;
use crate::spec::execution::{Execution, NotPrepared};
use crate::spec::policy::{Enforced, Grants, Tier};
use crate::spec::sandbox::Sandbox;
use crate::spec::step::{InputFile, Step};
use crate::spec::warm::PerSlot;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::PathBuf;

/// The sandbox a slot is to build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// The slot's number in its pool, for process names.
    pub slot: u32,
    pub tier: Tier,
    pub ids: Ids,
    /// Landlock tier only: the slot's own directory on the host, to be created and removed by init.
    pub scratch: Option<PathBuf>,
    /// Sockets of the host, which are to be covered where every slot sees them.
    pub host_sockets: Vec<PathBuf>,
    pub grants: Grants,
    /// Whether episodes may name places outside of the usual ones ([`paths::is_usual`]): then each program is
    /// restricted apart, because what it may write to is known only when it starts.
    ///
    /// [`paths::is_usual`]: crate::spec::paths::is_usual
    pub unusual_places: bool,
    /// Whether programs may write anywhere in the private root, as in a container, and not only in the places made for
    /// it. Such a slot is never cleaned. Namespaces tier only.
    pub open_root: bool,
    /// Slots of the pool at one time, which share what the kernel gives to the machine.
    pub slots: u32,
    /// Processes that other slots of the same uid may have at once, where RLIMIT_NPROC can't tell them apart.
    pub headroom: u32,
    /// Whether the processes that start programs are to be real-time processes, where the runner may make them so.
    pub real_time: bool,
    /// Whether the slot has a memory cgroup of its own. Then five descriptors are the first to travel with this message:
    /// through which to join it, its limit, how often that was met, kills in it, and what it holds.
    pub cgroup: bool,
    /// Interpreters that the slot starts by itself and keeps warm.
    pub warm: Vec<PerSlot>,
    /// Pythons that are kept warm; the sockets to them travel with this message, in the same order.
    pub warm_pythons: Vec<PreloadedPython>,
}

/// Filters of a slot: of its zygote, and of two warm interpreters.
const FILTERS: u32 = 3;
/// How many filters may go at one time. The kernel frees each in a work item of its own, under locks that all of the
/// machine needs; some 8,000 at once have been seen to hang it.
const MAX_FILTERS_AT_ONCE: u32 = 200;
/// More than the kernel needs for as many.
pub const INTERVAL_MS: u32 = 100;
/// How many slots may end in one interval.
pub const SLOTS_AT_ONCE: u32 = MAX_FILTERS_AT_ONCE / FILTERS;

/// Which of the groups, that end one after the other, a slot belongs to.
fn group(slot: u32, slots: u32) -> u32 {
    let groups = slots.div_ceil(SLOTS_AT_ONCE);
    slot % groups.max(1)
}

/// Processes that every slot has, as RLIMIT_NPROC counts them: init, its second thread and the zygote. Each warm
/// interpreter is one more.
pub const OWN_PROCESSES: u32 = 3;

impl Setup {
    /// How long the slot's zygotes go on when the runner has died, and all of its slots end at once, in milliseconds.
    pub fn end_delay_ms(&self) -> u32 {
        group(self.slot, self.slots) * INTERVAL_MS
    }

    /// How many slots share this one's uid, and with it what the kernel gives to a user.
    pub fn sharing(&self) -> u32 {
        if self.ids.change { 1 } else { self.slots }
    }
}

/// An interpreter whose preloaded parent the runner has started.
///
/// Alone it is a message to that parent; its answers are [`WarmNews`], and then each socket that comes, alone in an empty packet, is
/// forked a zygote for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreloadedPython {
    /// As a program would name it: absolute, links not followed.
    pub path: String,
    /// What it has imported.
    pub modules: Vec<String>,
}

/// How a parent gets on. It does not know our enums: `kind` is one of [`kinds::news`](super::kinds::news).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmNews {
    pub kind: u64,
    pub module: String,
    /// The exception, what was printed, or what the interpreter is.
    pub detail: String,
}

/// From init to a Python zygote that has sent its [`WarmGreeting`]; the slot's namespaces travel with it, the user
/// namespace first. The zygote answers with an empty message, and from then on serves as warm bashes do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmEnter {
    pub slot: u32,
    /// Whether to take on the uid and gid.
    pub change: bool,
    pub uid: u32,
    pub gid: u32,
    /// Whether it becomes the parent of what programs leave behind: the landlock tier, where init is not above it.
    pub reaps: bool,
    /// As [`Setup::real_time`].
    pub real_time: bool,
    /// As [`Setup::end_delay_ms`].
    pub end_delay_ms: u32,
    /// A program for seccomp.
    pub filter: serde_bytes::ByteBuf,
    /// `NAME=value`: the environment of programs that ask for no variables.
    pub env: Vec<String>,
}

/// Which interpreter a Python zygote is, by its pid and file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmGreeting {
    pub pid: u64,
    pub device: u64,
    pub inode: u64,
    /// Packages and modules that a new Python would not have loaded, without their submodules.
    pub loaded: Vec<String>,
    /// Variables that were looked up while they were loaded; `*` stands for all.
    pub looked_up: Vec<String>,
}

/// Who an episode is, on the host and inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ids {
    /// Never the host's root.
    pub uid: u32,
    pub gid: u32,
    /// Whether the runner is root and the slot has to change to `uid`.
    pub change: bool,
}

/// What init is told to do. What is large is lent by the runner, and init's own once it has been read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request<'a> {
    Episode(EpisodeRequest<'a>),
    /// From now on the slot is that of one session, with these files.
    Open {
        sandbox: Cow<'a, Sandbox>,
        files: Cow<'a, [InputFile]>,
    },
    /// One execution of the session.
    Step(StepRequest<'a>),
    /// Ends the execution that runs as its timeout would. It is not answered, and too late it means nothing.
    Cancel,
    Put(Put),
    Get(Get),
    /// The slot is not needed any more. Without this, the end of the socket means that the runner has died.
    End,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    Ready(Enforced),
    /// The sandbox could not be built, or the episode could not be run in it; the slot ends itself.
    Refused(Failure),
    Ended(Box<Execution>),
    Opened(Result<(), NotPrepared>),
    Put(Result<(), NotDone>),
    Got(Result<Piece, NotDone>),
}

/// One whole episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeRequest<'a> {
    /// CLOCK_MONOTONIC nanoseconds at which the runner sent this.
    pub handed_ns: u64,
    /// CLOCK_MONOTONIC nanoseconds at which the episode ends, whatever it does then.
    pub deadline_ns: Option<u64>,
    pub sandbox: Cow<'a, Sandbox>,
    pub steps: Cow<'a, [Step]>,
    pub collect: Cow<'a, [String]>,
    /// How the runner takes part while it runs.
    pub attached: Option<Attached>,
}

impl<'a> EpisodeRequest<'a> {
    /// `steps` are those of the episode, with the content of host files in place of their paths.
    pub fn new(episode: &'a Episode, steps: &'a [Step], handed_ns: u64) -> EpisodeRequest<'a> {
        EpisodeRequest {
            handed_ns,
            deadline_ns: None,
            sandbox: Cow::Borrowed(&episode.sandbox),
            steps: Cow::Borrowed(steps),
            collect: Cow::Borrowed(&episode.collect),
            attached: None,
        }
    }
}

/// How the runner takes part in an episode while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attached {
    /// What programs print is passed on while it comes, to two pipes that travel with the request: for stdout, or for both streams
    /// where they are not captured apart, and for stderr.
    Output,
    /// The first program has a terminal of its own in place of stdin, stdout and stderr. A socket travels with the request; over it
    /// init sends the other end of the terminal.
    Terminal { rows: u16, columns: u16 },
}

/// One execution of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRequest<'a> {
    /// As of an episode.
    pub handed_ns: u64,
    pub step: Cow<'a, Step>,
}

/// What a zygote is to run; stdin, stdout and stderr travel with it as file descriptors, and after them the program's
/// Landlock ruleset where it is not the one that the zygote has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Launch {
    pub argv: Vec<String>,
    /// The whole environment, as `NAME=value`.
    pub env: Vec<String>,
    pub workdir: String,
    pub rlimits: Vec<Rlimit>,
    /// Whether the three descriptors are a terminal, which is to be the program's own. A warm interpreter is not asked for that, and
    /// does not read it.
    pub terminal: bool,
}

/// One `setrlimit`; soft and hard are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// `RLIMIT_…`, getrlimit(2).
    pub resource: u32,
    pub value: u64,
}

/// How a launched program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    pub ended: ExitKind,
    pub forked_ns: u64,
    /// 0 when the program never ran.
    pub running_ns: u64,
    pub ended_ns: u64,
    pub cpu_us: u64,
    /// Highest resident set of any single process of the program, in bytes (`ru_maxrss`).
    pub max_rss_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitKind {
    Exited(i32),
    Signaled(i32),
    /// No candidate on PATH could be executed; the errno that execvp(3) would report.
    NotExecutable(i32),
    /// Our own work before exec failed.
    Failed(Failure),
}

/// What a warm interpreter is to be started with; where its start-up output goes travels with it, and in the
/// namespaces tier the slot's PID namespace. It answers with an empty message when it is ready. An empty message to it
/// brings the ruleset that it is to enforce on itself; otherwise one travels with each [`Launch`], after the three
/// descriptors of the program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WarmStart {
    pub argv: Vec<String>,
    pub env: Vec<String>,
    pub workdir: String,
}

/// The end of a [`Launch`] by a warm interpreter, which knows neither our enums nor serde
/// (`guest/launch.rs`): plain integers. For it, `Launch::env` is what goes beyond the base environment, and
/// the ruleset's descriptor comes after the other three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmExit {
    /// One of [`kinds::exit`](super::kinds::exit).
    pub kind: u64,
    /// The exit code, the signal, or the errno.
    pub value: u64,
    pub forked_ns: u64,
    pub running_ns: u64,
    pub ended_ns: u64,
    pub cpu_us: u64,
    pub max_rss_bytes: u64,
}

impl From<WarmExit> for Exit {
    fn from(warm: WarmExit) -> Exit {
        let value = warm.value as i32;
        let failed = |stage| ExitKind::Failed(Failure::new(stage, value));
        Exit {
            ended: match warm.kind {
                exit::EXITED => ExitKind::Exited(value),
                exit::SIGNALED => ExitKind::Signaled(value),
                exit::FORK => failed(Stage::Fork),
                exit::PROCESS_GROUP => failed(Stage::ProcessGroup),
                exit::STDIO => failed(Stage::Stdio),
                exit::WORKDIR => failed(Stage::Workdir),
                exit::LANDLOCK => failed(Stage::Landlock),
                exit::RLIMIT => failed(Stage::Rlimit),
                _ => failed(Stage::Order),
            },
            forked_ns: warm.forked_ns,
            running_ns: warm.running_ns,
            ended_ns: warm.ended_ns,
            cpu_us: warm.cpu_us,
            max_rss_bytes: warm.max_rss_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_end_in_groups_of_two_hundred_filters_and_a_small_pool_at_once() {
        assert!((0..66).all(|slot| group(slot, 66) == 0));
        let groups: Vec<u32> = (0..1000).map(|slot| group(slot, 1000)).collect();
        for number in 0..=14 {
            let size = groups.iter().filter(|group| **group == number).count() as u32;
            assert!((60..=67).contains(&size), "{number}: {size}");
        }
    }
}
