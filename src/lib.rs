#![doc = include_str!("README.md")]
#![deny(unsafe_code)]
#![deny(clippy::undocumented_unsafe_blocks)]
#![warn(unreachable_pub)]

mod cli;
pub mod compression;
mod config;
mod doctor;
mod entry;
mod exit_status;
#[cfg(any(test, clippy))]
#[allow(dead_code, unsafe_code)]
mod guest;
mod help;
mod job;
mod logging;
pub mod pool;
mod provision;
mod run;
pub mod sandbox;
pub mod schedule;
mod serve;
pub mod sink;
pub mod slot;
pub mod source;
pub mod spec;
#[allow(unsafe_code)]
mod sys;
pub mod wire;

pub use entry::main;
