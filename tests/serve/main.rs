//! Promise: a session is a sandbox that stays open between commands, ends with its connection, and disturbs no other.

#[path = "../common/mod.rs"]
mod common;

mod bad;
mod ends;
mod files;
mod limits;
mod many;
mod sessions;
mod socket;
