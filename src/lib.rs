#![deny(unsafe_code)]
pub mod spec;
