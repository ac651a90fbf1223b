//! Files of the host: unseen unless granted, and then as granted.

#[path = "files/grants.rs"]
mod grants;
#[path = "files/host.rs"]
mod host;
#[path = "files/links.rs"]
mod links;
#[path = "files/never_granted.rs"]
mod never_granted;
#[path = "files/others.rs"]
mod others;
#[path = "files/read_only.rs"]
mod read_only;
#[path = "files/unseen.rs"]
mod unseen;
