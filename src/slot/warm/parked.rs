//! An interpreter of a slot's own from its exec until it stands still, ready to be forked.

use super::interpreter::hand_over;
use super::process::{Forked, STARTUP_TIMEOUT_S};
use super::startup::PARKED_IN;
use crate::sandbox::ruleset::{Ruleset, Scene};
use crate::sandbox::tier;
use crate::slot::link::Link;
use crate::slot::open::open_in_root;
use crate::slot::space::Space;
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

/// Where start-up files could leave something.
const WRITABLE: [&str; 3] = [PARKED_IN, "/tmp", HOME];
pub(super) const HOME: &str = "/home/runner";

/// One that waits for launches.
pub(super) struct Parked {
    link: Link,
    /// None where it has enforced it on itself.
    ruleset: Option<OwnedFd>,
}

impl Parked {
    /// Starts it, with these files in its home directory meanwhile, and waits until it stands still. None where that can't be had, or
    /// where its start has effects that a fork would not repeat.
    pub(super) fn start(
        forked: Forked,
        setup: &Setup,
        space: &Space,
        argv: &[&str],
        files: &[(&str, &[u8])],
    ) -> Option<Parked> {
        // What is in a grant is the host's, and others write to it meanwhile.
        if !WRITABLE.iter().all(|place| is_own(space, place)) {
            return None;
        }
        let before = entries(space);
        let placed: Option<Vec<Placed>> = files
            .iter()
            .map(|(name, content)| place(space, name, content))
            .collect();
        let link = placed
            .as_ref()
            .and_then(|_| park(forked.link, setup, space, argv));
        drop(placed);
        // Every program would find them made anew.
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
        Some(Parked {
            ruleset: hand_over(ruleset, &link, setup.tier).ok()?,
            link,
        })
    }

    /// As [`Interpreter::zygote`](super::interpreter::Interpreter::zygote).
    pub(super) fn zygote(&mut self) -> (&mut Link, Option<RawFd>) {
        let ruleset = self.ruleset.as_ref().map(AsRawFd::as_raw_fd);
        (&mut self.link, ruleset)
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

/// Lets it start, and waits for it to say that it is there.
fn park(mut link: Link, setup: &Setup, space: &Space, argv: &[&str]) -> Option<Link> {
    let output = memfd_create("startup", MFdFlags::MFD_CLOEXEC).ok()?;
    let processes = tier::of(setup.tier).process_namespace().ok()?;
    let real = |path: &str| space.real(path).to_string_lossy().into_owned();
    let env = space.layout.environment(real);
    let start = WarmStart {
        argv: argv
            .iter()
            .map(|argument| String::from(*argument))
            .collect(),
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
