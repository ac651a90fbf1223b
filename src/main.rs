//! `runner`: the command line, or, re-executed with `__init`, the slot side.

use clap::Parser;
use runner::cli::Cli;
use runner::config::Config;
use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|arg| arg == runner::pool::SLOT_SIDE)
    {
        runner::slot::main();
    }
    // A file that outgrows a limit is an error to report (EFBIG), not a signal to die of.
    let _ = runner::sys::signal::ignore(nix::sys::signal::Signal::SIGXFSZ);
    match Config::try_from(Cli::parse()) {
        Ok(config) => runner::job::run(config),
        Err(error) => {
            eprintln!("runner: {error}");
            ExitCode::from(2)
        }
    }
}
