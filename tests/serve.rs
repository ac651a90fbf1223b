//! Promise: a session is a sandbox that stays open between commands, ends with its connection, and disturbs no other.

mod common;

#[path = "serve/bad.rs"]
mod bad;
#[path = "serve/client.rs"]
mod client;
#[path = "serve/ends.rs"]
mod ends;
#[path = "serve/files.rs"]
mod files;
#[path = "serve/limits.rs"]
mod limits;
#[path = "serve/many.rs"]
mod many;
#[path = "serve/sessions.rs"]
mod sessions;
#[path = "serve/socket.rs"]
mod socket;
