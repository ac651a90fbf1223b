//! Init's side of the warm bash: how it is started, and what it may be given.

use super::process::{Forked, SOCKET, STARTUP_TIMEOUT_S};
use super::startup::{PARKED_IN, StartUp};
use super::{ForkRequest, Interpreter, hand_over};
use crate::sandbox::ruleset::{Ruleset, Scene};
use crate::sandbox::tier;
use crate::slot::link::Link;
use crate::slot::mark::Mark;
use crate::slot::open::open_in_root;
use crate::slot::space::Space;
use crate::spec::warm::Start;
use crate::sys::remove::remove;
use crate::wire::message::{Setup, WarmStart};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

/// What the interpreter loads.
const INTERPRETER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/interpreter.so"));
/// Its name in the home directory, for as long as that takes.
const LIBRARY: &str = ".runner-interpreter.so";
/// What a login bash reads first of its user's; the others only where this one is missing (bash(1), INVOCATION).
const PROFILE: &str = ".bash_profile";
const PROFILES: [&str; 3] = [PROFILE, ".bash_login", ".profile"];

/// Where start-up files could leave something.
const WRITABLE: [&str; 3] = [PARKED_IN, "/tmp", HOME];
const HOME: &str = "/home/runner";

/// A login bash, parked at the end of its start-up files.
pub(crate) struct Bash {
    link: Link,
    /// None where it has enforced it on itself.
    ruleset: Option<OwnedFd>,
    /// As it was without any start-up file.
    home: Mark,
    startup: StartUp,
}

impl Bash {
    /// Starts it and waits until it is parked. None where that can't be had, or where its start-up has effects that a
    /// fork would not repeat: then every command starts a bash of its own.
    pub(crate) fn start(forked: Forked, setup: &Setup, space: &Space) -> Option<Bash> {
        let home = space.real(HOME);
        let library = home.join(LIBRARY);
        let hook = format!(
            "runner_status=$? runner_last=$_\nenable -f {library} runner || kill -9 $$\n\
             runner {SOCKET} {slice} {nice} {end_delay} {workdir} $runner_status \"$runner_last\"\n",
            library = library.display(),
            slice = forked.ordinary.slice.as_ns(),
            nice = forked.ordinary.nice,
            end_delay = setup.end_delay_ms(),
            workdir = space.real(PARKED_IN).display(),
        );
        // What is in a grant is the host's, and others write to it meanwhile.
        if !WRITABLE.iter().all(|place| is_own(space, place)) {
            return None;
        }
        let before = entries(space);
        let placed = place(space, LIBRARY, INTERPRETER)
            .and_then(|library| Some((library, place(space, PROFILE, hook.as_bytes())?)));
        let link = placed
            .as_ref()
            .and_then(|_| park(forked.link, setup, space));
        drop(placed);
        // Every command would find them made anew.
        let left: Vec<PathBuf> = entries(space).difference(&before).cloned().collect();
        if !left.is_empty() {
            for path in left {
                let _ = remove(&path);
            }
            return None;
        }
        let link = link?;
        let ruleset = Ruleset::prepare(&Scene::of(setup, &[]))
            .ok()?
            .into_fd()
            .ok()?;
        Some(Bash {
            ruleset: hand_over(ruleset, &link, setup.tier).ok()?,
            link,
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
        let ruleset = self.ruleset.as_ref().map(AsRawFd::as_raw_fd);
        (&mut self.link, ruleset)
    }

    fn has_base_environment(&self) -> bool {
        true
    }
}

/// Whether a place is the slot's own, and no grant was mounted there.
fn is_own(space: &Space, place: &str) -> bool {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
    let inside = space.inside(place);
    inside.is_some_and(|inside| open_in_root(space.root(), &inside, flags, 0).is_ok())
}

/// A file in the home directory, as long as this lives.
struct Placed(PathBuf);

impl Drop for Placed {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes one that was not there. None if something of this name is, or was granted.
fn place(space: &Space, name: &str, content: &[u8]) -> Option<Placed> {
    let inside = space.inside(HOME)?.join(name);
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW;
    let file = open_in_root(space.root(), &inside, flags, 0o644).ok()?;
    let placed = Placed(space.real(HOME).join(name));
    File::from(file).write_all(content).ok()?;
    Some(placed)
}

/// What is in the places where start-up files could leave something.
fn entries(space: &Space) -> BTreeSet<PathBuf> {
    let places = WRITABLE.map(|place| fs::read_dir(space.real(place)));
    let entries = places.into_iter().flatten().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Lets it run its start-up files, and waits for it to say that it is there.
fn park(mut link: Link, setup: &Setup, space: &Space) -> Option<Link> {
    let output = memfd_create("startup", MFdFlags::MFD_CLOEXEC).ok()?;
    let processes = tier::of(setup.tier).process_namespace().ok()?;
    let real = |path: &str| space.real(path).to_string_lossy().into_owned();
    let env = space.layout.environment(real);
    let start = WarmStart {
        argv: ["bash", "-lc", ":"].map(String::from).to_vec(),
        env: env
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        workdir: real(PARKED_IN),
    };
    let fds: Vec<i32> = std::iter::once(output.as_raw_fd())
        .chain(processes.iter().map(AsRawFd::as_raw_fd))
        .collect();
    link.send_with(&start, &fds).ok()?;
    let mut answer = [PollFd::new(link.as_fd(), PollFlags::POLLIN)];
    let longest = PollTimeout::try_from(STARTUP_TIMEOUT_S * 1000 + 1000).ok()?;
    if poll(&mut answer, longest) != Ok(1) {
        return None;
    }
    link.recv::<()>().ok()?;
    // What start-up files print belongs into the output of every command.
    let silent = File::from(output)
        .metadata()
        .is_ok_and(|meta| meta.len() == 0);
    silent.then_some(link)
}
