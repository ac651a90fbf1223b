//! Init's side of the warm bash: how it is started, and what it may be given.

use super::interpreter::{ForkRequest, Interpreter};
use super::parked::{HOME, Parked};
use super::process::{Forked, SOCKET};
use super::startup::{PARKED_IN, StartUp};
use crate::slot::link::Link;
use crate::slot::mark::Mark;
use crate::slot::space::Space;
use crate::spec::warm::Start;
use crate::wire::message::Setup;
use std::fs;
use std::os::fd::RawFd;

/// What the interpreter loads.
const INTERPRETER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/interpreter.so"));
/// Its name in the home directory, for as long as that takes.
const LIBRARY: &str = ".runner-interpreter.so";
/// What a login bash reads first of its user's; the others only where this one is missing (bash(1), INVOCATION).
const PROFILE: &str = ".bash_profile";
const PROFILES: [&str; 3] = [PROFILE, ".bash_login", ".profile"];

/// A login bash, parked at the end of its start-up files.
pub(super) struct Bash {
    parked: Parked,
    /// As it was without any start-up file.
    home: Mark,
    startup: StartUp,
}

impl Bash {
    /// Starts it and waits until it is parked. None where that can't be had, or where its start-up has effects that a
    /// fork would not repeat: then every command starts a bash of its own.
    pub(super) fn start(forked: Forked, setup: &Setup, space: &Space) -> Option<Bash> {
        let home = space.real(HOME);
        let hook = format!(
            "runner_status=$? runner_last=$_\nenable -f {library} runner || kill -9 $$\n\
             runner {SOCKET} {slice} {nice} {end_delay} {workdir} $runner_status \"$runner_last\"\n",
            library = home.join(LIBRARY).display(),
            slice = forked.ordinary.slice.as_ns(),
            nice = forked.ordinary.nice,
            end_delay = setup.end_delay_ms(),
            workdir = space.real(PARKED_IN).display(),
        );
        let files = [(LIBRARY, INTERPRETER), (PROFILE, hook.as_bytes())];
        Some(Bash {
            parked: Parked::start(forked, setup, space, &["bash", "-lc", ":"], &files)?,
            home: Mark::new(&home).ok()?,
            startup: StartUp::read()?,
        })
    }
}

impl Interpreter for Bash {
    fn start(&self) -> Start {
        Start::WarmBash
    }

    fn fits(&self, request: ForkRequest<'_>) -> bool {
        let step = request.step;
        // What starts like an option is one, even after -c.
        let is_command = matches!(request.argv, [bash, l, line] if bash == "bash" && l == "-lc" && !line.starts_with(['-', '+']));
        let is_there = |name: &&str| fs::symlink_metadata(self.home.path.join(name)).is_ok();
        let has_profile = || !self.home.holds() && PROFILES.iter().any(is_there);
        is_command
            && request.extra.is_empty()
            && self.startup.ignores_place(&step.workdir, &self.home.path)
            && step
                .env
                .iter()
                .all(|(name, value)| self.startup.ignores(name, value))
            && !has_profile()
    }

    fn zygote(&mut self) -> (&mut Link, Option<RawFd>) {
        self.parked.zygote()
    }

    fn has_base_environment(&self) -> bool {
        true
    }
}
