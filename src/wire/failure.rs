//! Why a slot could not do its part: a stage, a call and an errno. One `match` renders it for people.

use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::io;

/// A step of building a sandbox or of launching a program in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Leaving the runner's process group, terminal and signals behind.
    Detach,
    Namespaces,
    Loopback,
    MapIds,
    ChangeIds,
    PrivateRoot,
    SystemDirectory,
    HostSocket,
    GrantedPath,
    Proc,
    Quotas,
    Cgroup,
    Devices,
    Scratch,
    Subreaper,
    Signals,
    /// Between the processes of the slot.
    Sockets,
    Thread,
    /// That on which a child runs until it execs.
    Stack,
    Fork,
    /// Waiting for events, or for a child.
    Wait,
    /// A program's pipes, and the file that is its stdin.
    Pipes,
    /// A program's terminal.
    Terminal,
    ProcessGroup,
    Stdio,
    /// The one of these that an episode names.
    Workdir,
    Landlock,
    Seccomp,
    Capabilities,
    Rlimit,
    Baseline,
    /// A message to a zygote that it can't read.
    Order,
    Zygote,
    Interpreter,
    Abandoned,
    ResizeDisk,
    Clean,
}

/// What failed on our side of an episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub stage: Stage,
    /// 0 when no system call failed.
    pub errno: i32,
    /// Which call that was and on what, as in `mount /usr`, where the stage does not say it. Nothing that runs between a fork and an
    /// exec gives one: it may not allocate.
    pub call: Option<String>,
}

/// What a stage fails of.
pub trait Cause {
    fn errno(&self) -> i32;

    fn call(self) -> Option<String>
    where
        Self: Sized,
    {
        None
    }
}

impl Cause for Errno {
    fn errno(&self) -> i32 {
        *self as i32
    }
}

impl Cause for io::Error {
    fn errno(&self) -> i32 {
        self.raw_os_error().unwrap_or(libc::EIO)
    }
}

impl Stage {
    /// What an error is when it is met here; for `map_err`.
    pub fn failed<C: Cause>(self) -> impl Fn(C) -> Failure + Copy {
        move |cause| Failure {
            stage: self,
            errno: cause.errno(),
            call: cause.call(),
        }
    }
}

impl Failure {
    pub fn new(stage: Stage, errno: i32) -> Self {
        Failure {
            stage,
            errno,
            call: None,
        }
    }

    /// Whether it says that this machine does not grant what the tier is made of, as opposed to a passing fault.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self.stage,
            Stage::Namespaces
                | Stage::Loopback
                | Stage::MapIds
                | Stage::ChangeIds
                | Stage::PrivateRoot
                | Stage::SystemDirectory
                | Stage::Proc
                | Stage::Quotas
                | Stage::Devices
                | Stage::Landlock
                | Stage::Seccomp
        )
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.stage {
            Stage::Detach => {
                "the slot could not leave the runner's process group, terminal and signals"
            }
            Stage::Namespaces => "the kernel refused to create namespaces",
            Stage::Loopback => "the slot's own loopback interface could not be brought up",
            Stage::MapIds => "the user namespace could not be given its uid and gid",
            Stage::ChangeIds => "the slot could not change to its own uid and gid",
            Stage::PrivateRoot => "the private root could not be mounted",
            Stage::SystemDirectory => "a system directory could not be mounted read-only",
            Stage::HostSocket => "a socket of the host could not be covered",
            Stage::GrantedPath => "a path of fs_readable or fs_writable could not be mounted",
            Stage::Proc => "/proc could not be mounted for the slot",
            Stage::Quotas => "the limits of the slot's user namespace could not be set",
            Stage::Cgroup => "a zygote could not join the memory cgroup of its slot",
            Stage::Devices => "/dev could not be set up for the slot",
            Stage::Scratch => "the scratch directory could not be set up",
            Stage::Subreaper => "init could not become the parent of what programs leave behind",
            Stage::Signals => "the signals of init could not be set up",
            Stage::Sockets => "a socket between the slot's processes could not be made",
            Stage::Thread => "a thread of init could not be started",
            Stage::Stack => "there was no memory for the stack on which programs are started",
            Stage::Fork => "fork failed",
            Stage::Wait => "waiting for events failed",
            Stage::Pipes => "the pipes of a program could not be made",
            Stage::Terminal => "a program could not be given a terminal",
            Stage::ProcessGroup => "a program could not be given a process group",
            Stage::Stdio => "a program could not be given its stdin, stdout and stderr",
            Stage::Workdir => "the working directory could not be entered",
            Stage::Landlock => "Landlock could not be enforced",
            Stage::Seccomp => "the seccomp filter could not be installed",
            Stage::Capabilities => "capabilities could not be dropped",
            Stage::Rlimit => "a resource limit could not be set",
            Stage::Baseline => "the fresh sandbox could not be examined",
            Stage::Order => "the zygote could not read its order",
            Stage::Zygote => "the zygote died",
            Stage::Interpreter => "the interpreter could not be started",
            Stage::Abandoned => "the runner is gone",
            Stage::ResizeDisk => "the disk limit could not be set",
            Stage::Clean => "the sandbox could not be cleaned",
        };
        f.write_str(what)?;
        if let Some(call) = &self.call {
            f.write_str(": ")?;
            // A path may hold line ends, and a message is one line.
            for c in call.chars() {
                if c.is_control() {
                    write!(f, "{}", c.escape_default())?;
                } else {
                    f.write_char(c)?;
                }
            }
        }
        if self.errno != 0 {
            write!(f, ": {}", std::io::Error::from_raw_os_error(self.errno))?;
        }
        Ok(())
    }
}
