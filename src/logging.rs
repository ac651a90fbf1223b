//! What the runner says of its own work: on stderr, above the progress bar, as far as `RUNNER_LOG` asks for it.

use indicatif::ProgressBar;
use std::io::{self, Write};
use std::sync::Mutex;
use tracing_subscriber::EnvFilter;

/// The environment variable that says what is told, as `RUST_LOG` does elsewhere: `debug`, or `runner::pool=trace,info`.
pub(crate) const VARIABLE: &str = "RUNNER_LOG";

/// What draws on the terminal, if anything does.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

#[derive(Debug, thiserror::Error)]
#[error(
    "{VARIABLE} can't be read: {0}; write a level (error, warn, info, debug, trace), or MODULE=LEVEL,…"
)]
pub(crate) struct UnreadableFilter(#[from] tracing_subscriber::filter::ParseError);

/// To be called once. Without the variable nothing is told, and next to nothing is spent on it.
pub(crate) fn start() -> Result<(), UnreadableFilter> {
    let Some(wanted) = std::env::var(VARIABLE)
        .ok()
        .filter(|wanted| !wanted.is_empty())
    else {
        return Ok(());
    };
    let filter = EnvFilter::try_new(wanted)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(|| AboveBar)
        .init();
    Ok(())
}

/// Says what draws on the terminal from now on.
pub(crate) fn set_bar(bar: Option<ProgressBar>) {
    if let Ok(mut current) = BAR.lock() {
        *current = bar;
    }
}

/// Prints each line as a whole, with the bar out of its way.
struct AboveBar;

impl Write for AboveBar {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let print = || io::stderr().write_all(line);
        match BAR.lock().ok().as_deref() {
            Some(Some(bar)) => bar.suspend(print)?,
            _ => print()?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
