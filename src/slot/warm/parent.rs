//! From a fresh re-exec of this program to the preloaded parent of warm Pythons.
//!
//! It is outside of every slot and keeps the runner's privileges, with which its copies enter the slots; it runs
//! nothing but the interpreter and the modules that `--warm` names.

use super::process::SOCKET;
use crate::sandbox::layout::HOST_LAYOUT;
use crate::sandbox::privileges;
use crate::slot::link::Link;
use crate::slot::process::quiet_down;
use crate::sys::exec::Image;
use crate::sys::fork::{self, SingleThreaded};
use crate::sys::sched::{self, Ordinary};
use crate::sys::socket;
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::PreloadedPython;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::{chdir, write};
use std::os::fd::AsRawFd;

/// What the interpreter loads.
const INTERPRETER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/python.so"));
/// Where no user has modules of their own. Each program gets the environment of its episode.
const HOME: &str = "/nonexistent";

/// Runs the parent's side of this program; the control socket is on descriptor 0. Never returns.
pub fn main() -> ! {
    if SingleThreaded::begin().is_err() {
        fork::exit_now(2);
    }
    if let Ok(control) = socket::take_stdin() {
        // The runner sees the end of the socket, and goes on without us.
        let _ = become_parent(Link::new(control));
    }
    fork::exit_now(2)
}

fn become_parent(mut runner: Link) -> Result<(), Failure> {
    let failed = Stage::Interpreter.failed();
    let gone = |_| Failure::new(Stage::Interpreter, 0);
    let python: PreloadedPython = runner.recv().map_err(gone)?;
    quiet_down().map_err(failed)?;
    privileges::forbid_cores()?;
    privileges::fixed_rlimits()?;
    privileges::forbid_new()?;
    chdir("/").map_err(failed)?;
    let ordinary = sched::prefer_latency();
    let library = memfd_create("interpreter", MFdFlags::empty()).map_err(failed)?;
    if write(&library, INTERPRETER) != Ok(INTERPRETER.len()) {
        return Err(Failure::new(Stage::Interpreter, libc::ENOSPC));
    }
    // Beyond the numbers that modules close or use. This and the library are for the interpreter.
    socket::hand_on_as(&runner, SOCKET).map_err(failed)?;
    fcntl(&library, FcntlArg::F_SETFD(FdFlag::empty())).map_err(failed)?;
    let env = environment(&python, ordinary, library.as_raw_fd());
    let argv = [python.path.clone()];
    let image = Image::new(argv.to_vec(), &argv, &env)
        .map_err(|_| Failure::new(Stage::Interpreter, libc::EINVAL))?;
    Err(failed(image.exec()))
}

/// What Python and the C library read at their start, as it is in a slot, and our own orders.
fn environment(python: &PreloadedPython, ordinary: Ordinary, library: i32) -> Vec<String> {
    let base = HOST_LAYOUT.environment(str::to_owned);
    let mut env: Vec<String> = base
        .into_iter()
        .map(|(name, value)| match name.as_str() {
            "HOME" => format!("HOME={HOME}"),
            _ => format!("{name}={value}"),
        })
        .collect();
    let modules = python.modules.join(",");
    let (slice, nice) = (ordinary.slice.as_ns(), ordinary.nice);
    env.push(format!(
        "RUNNER_WARM_PYTHON={SOCKET} {slice} {nice} {modules}"
    ));
    env.push(format!("LD_PRELOAD=/proc/self/fd/{library}"));
    env
}
