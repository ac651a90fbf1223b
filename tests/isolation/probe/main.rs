//! Attacks on a sandbox, one per run: `probe NAME [ARGUMENT…]`.
//!
//! Prints `reached` and what it got hold of, or `denied` and the error. The same program runs inside the sandbox,
//! where it must be denied, and outside for control, where it must reach what it is after.
//!
//! To cargo it is a test, so that it is built with the tests: one that does nothing.

mod files;
mod kernel;
mod metadata;
mod network;
mod processes;
mod raw;

use nix::errno::Errno;

/// What an attack got hold of, or the error that stopped it.
pub type Attempt = Result<String, Errno>;
/// A name for the command line, and the attack; it gets the arguments after its name.
pub type Probe = (&'static str, fn(&[String]) -> Attempt);

fn main() {
    let mut arguments = std::env::args();
    // The tests run a copy, and end its name in "probe". Cargo, which starts the test by itself, ends that in a number: then
    // `cargo test reboot` means tests of that name, not the attack.
    let is_copy = arguments.next().is_some_and(|own| own.ends_with("probe"));
    if !is_copy {
        return;
    }
    let arguments: Vec<String> = arguments.collect();
    let (name, rest) = arguments.split_first().expect("usage: probe NAME");
    let all = [
        files::PROBES,
        metadata::PROBES,
        network::PROBES,
        processes::PROBES,
    ];
    let (_, probe) = all
        .iter()
        .chain(kernel::PROBES)
        .flat_map(|group| group.iter())
        .find(|(known, _)| known == name)
        .unwrap_or_else(|| panic!("no probe is called {name}"));
    match probe(rest) {
        Ok(what) => println!("reached {what}"),
        Err(errno) => println!("denied {errno:?}"),
    }
}

/// The error of the standard library's own wrappers.
pub fn errno(error: std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}
