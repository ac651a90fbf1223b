//! Which episode runs when: concurrency, retries, the ordered window, stopping.

pub(crate) mod attempt;
mod audit;
pub mod executor;
mod load;
mod quiet;
mod slots;
pub mod stop;
mod sweep;

pub use audit::Sample;
pub use executor::NotRun;
pub use sweep::{Settings, Sweep, SweepEnd};

#[cfg(test)]
mod tests;
