//! The root of the shared object (`src/build.rs`). The same files are a module of the runner where they are checked and tested, so
//! that every path means the same in both; what they share with the runner is named here.

// What only the other interpreter uses.
#![allow(dead_code)]

#[path = "mod.rs"]
mod guest;

#[path = "../wire"]
mod wire {
    pub mod kinds;
}

#[path = "../sandbox"]
mod sandbox {
    pub mod sequence;
}
