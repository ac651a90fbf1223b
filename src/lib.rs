#![doc = include_str!("README.md")]
#![deny(unsafe_code)]
#![deny(clippy::undocumented_unsafe_blocks)]

pub mod cli;
pub mod compression;
pub mod config;
pub mod doctor;
pub mod exit_status;
#[cfg(any(test, clippy))]
#[allow(dead_code, unsafe_code)]
mod guest;
pub mod help;
pub mod job;
pub mod logging;
pub mod pool;
pub mod provision;
pub mod run;
pub mod sandbox;
pub mod schedule;
pub mod serve;
pub mod sink;
pub mod slot;
pub mod source;
pub mod spec;
#[allow(unsafe_code)]
pub mod sys;
pub mod wire;
