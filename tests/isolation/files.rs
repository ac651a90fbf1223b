//! Files of the host: unseen unless granted, and then as granted.

mod grants;
mod host;
mod links;
mod never_granted;
mod others;
mod read_only;
mod unseen;
