//! Promise: whatever dies, and however the run is stopped, nothing that was finished is lost, every line is whole,
//! and nothing stays behind: no process, no mount, no directory.

mod common;

#[path = "crash/killed.rs"]
mod killed;
#[path = "crash/left.rs"]
mod left;
#[path = "crash/memory.rs"]
mod memory;
#[path = "crash/output.rs"]
mod output;
#[path = "crash/relatives.rs"]
mod relatives;
#[path = "crash/scratch.rs"]
mod scratch;
#[path = "crash/stopped.rs"]
mod stopped;
