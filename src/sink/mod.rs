//! Where finished episodes go: result lines, figures, and what people see on stderr.
//!
//! ```text
//!  scheduler ──Outcome──▶ Statistics ──▶ RunReport ──▶ summary (stderr), StatsFile (--stats)
//!      │                      └────────▶ Progress (every 100 ms)
//!      └──(Ticket), Outcome──▶ Sink ══bounded channel══▶ thread "sink" ──whole lines──▶ Destination
//! ```
//!
//! The scheduler never waits for a disk or a pipe: it hands an outcome to the [`Sink`] and goes on,
//! until the channel is full, which is how a slow reader slows the run down instead of filling memory.
//! [`open_output`] decides, before anything runs, whether a file may be written and what it already holds.

mod audit;
mod counts;
mod decoded;
mod destination;
mod done;
mod failure;
mod open_error;
mod ordered;
mod progress;
mod report;
mod results_file;
mod resume;
mod scan;
mod stats;
mod stats_file;
mod summary;
mod usage;
mod weight;
mod writer;

pub use audit::{AuditReport, Flip};
pub use counts::Counts;
pub use destination::{Destination, Written};
pub use done::DoneIds;
pub use failure::SinkError;
pub use open_error::OpenError;
pub use ordered::{Ticket, Window};
pub use progress::{Progress, ProgressMode};
pub use report::{Ending, Percentiles, PhaseReport, RunReport, StartReport, Startup};
pub use resume::{Held, Opened, hold_output, open_output};
pub use scan::Earlier;
pub use stats::Statistics;
pub use stats_file::{StatsFile, StatsFileError, log_path};
pub use usage::Usage;
pub use weight::weight;
pub use writer::{Abandoner, Sink};

#[cfg(test)]
mod testing;
