//! Which episode runs when: concurrency, retries, the ordered window, stopping.

pub mod attempt;
pub mod executor;
pub mod stop;
mod sweep;

pub use sweep::{Settings, Sweep, SweepEnd};

#[cfg(test)]
mod tests;
