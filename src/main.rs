//! `runner`: the command line, or, re-executed with `__init`, the slot side.

use clap::Parser;
use runner::cli::Cli;
use runner::config::Task;
use runner::exit_status::ExitStatus;
use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|arg| arg == runner::pool::SLOT_SIDE)
    {
        runner::slot::main();
    }
    if std::env::args_os()
        .nth(1)
        .is_some_and(|arg| arg == runner::pool::PARENT_SIDE)
    {
        runner::slot::parent_main();
    }
    // In the landlock tier programs may run under our uid, and our memory holds other episodes (prctl(2)).
    let _ = nix::sys::prctl::set_dumpable(false);
    // A file that outgrows a limit is an error to report (EFBIG), not a signal to die of.
    let _ = runner::sys::signal::ignore(nix::sys::signal::Signal::SIGXFSZ);
    let cli = Cli::parse();
    if let Err(error) = runner::logging::start() {
        eprintln!("runner: {error}");
        return ExitStatus::Usage.into();
    }
    match Task::try_from(cli) {
        Ok(Task::Job(config)) => runner::job::run(config),
        Ok(Task::Help(topic)) => runner::help::run(topic.as_deref()),
        Ok(Task::Run(config)) => runner::run::run(config),
        Ok(Task::Doctor(config)) => runner::doctor::run(config),
        Ok(Task::Serve(config)) => runner::serve::run(config),
        Err(error) => {
            eprintln!("runner: {error}");
            ExitStatus::Usage.into()
        }
    }
}
