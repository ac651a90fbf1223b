//! `runner`: the command line, or, re-executed with `__init`, the slot side.

use crate::cli::Cli;
use crate::config::Task;
use crate::exit_status::ExitStatus;
use clap::Parser;
use std::process::ExitCode;

/// What the binary does, from its arguments to its exit status.
pub fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|arg| arg == crate::pool::SLOT_SIDE)
    {
        crate::slot::main();
    }
    if std::env::args_os()
        .nth(1)
        .is_some_and(|arg| arg == crate::pool::PARENT_SIDE)
    {
        crate::slot::parent_main();
    }
    // In the landlock tier programs may run under our uid, and our memory holds other episodes (prctl(2)).
    let _ = nix::sys::prctl::set_dumpable(false);
    // A file that outgrows a limit is an error to report (EFBIG), not a signal to die of.
    let _ = crate::sys::signal::ignore(nix::sys::signal::Signal::SIGXFSZ);
    let cli = Cli::parse();
    if let Err(error) = crate::logging::start() {
        eprintln!("runner: {error}");
        return ExitStatus::Usage.into();
    }
    match Task::try_from(cli) {
        Ok(Task::Job(config)) => crate::job::run(config),
        Ok(Task::Help(topic)) => crate::help::run(topic.as_deref()),
        Ok(Task::Run(config)) => crate::run::run(config),
        Ok(Task::Doctor(config)) => crate::doctor::run(config),
        Ok(Task::Serve(config)) => crate::serve::run(config),
        Err(error) => {
            eprintln!("runner: {error}");
            ExitStatus::Usage.into()
        }
    }
}
