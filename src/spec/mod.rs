//! Pure data: what an episode asks for, what a sandbox grants, what came of it.
//!
//! Nothing here opens a file, forks or knows tokio. Everything else imports from here.

pub(crate) mod bytes;
pub(crate) mod collect;
pub(crate) mod digest;
pub mod episode;
pub mod execution;
pub(crate) mod field;
pub(crate) mod fields;
pub(crate) mod host_fault;
pub mod limits;
pub(crate) mod names;
pub mod outcome;
pub mod parse;
pub(crate) mod paths;
pub mod policy;
mod returned;
pub mod sandbox;
pub mod step;
pub(crate) mod verdict;
pub mod warm;
