//! `runner`: all of it is in the library, which the tests and benches share.

use std::process::ExitCode;

fn main() -> ExitCode {
    runner::main()
}
