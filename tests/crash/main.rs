//! Promise: whatever dies, and however the run is stopped, nothing that was finished is lost, every line is whole,
//! and nothing stays behind: no process, no mount, no directory.

#[path = "../common/mod.rs"]
mod common;

mod killed;
mod left;
mod memory;
mod output;
mod relatives;
mod scratch;
mod stopped;
