//! Pure data: what an episode asks for, what a sandbox grants, what came of it.
//!
//! Nothing here opens a file, forks or knows tokio. Everything else imports from here.

pub mod bytes;
pub mod collect;
pub mod digest;
pub mod episode;
pub mod execution;
pub mod field;
pub mod fields;
pub mod host;
pub mod limits;
pub mod names;
pub mod outcome;
pub mod parse;
pub mod paths;
pub mod policy;
mod returned;
pub mod sandbox;
pub mod step;
pub mod verdict;
pub mod warm;
