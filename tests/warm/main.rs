//! Promise: a program can't tell a warm interpreter from a new one, except by the time it takes.
//!
//! The cases of `warm/*.jsonl` are episodes without ids. Each runs cold and warm through the built binary; what it
//! printed, how it ended and what it left have to be the same.

#[path = "../common/mod.rs"]
mod common;

mod bash;
mod python;
mod shared;
mod startup;
mod versions;
