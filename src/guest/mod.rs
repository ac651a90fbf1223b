//! What a warm interpreter loads: it turns a bash that has done its login start-up, or a Python that has imported its
//! modules, into a zygote.
//!
//! This is a shared object of its own (`lib.rs`), without dependencies, because it runs inside a process that is not ours. The
//! runner has it as a module too, where clippy, rustfmt and unit tests see it.
//! Init (`slot::warm`) talks to it as to the exec zygote: a [`launch::Launch`] with four descriptors comes in, one
//! fork goes out, and the child's end is the answer. The child restricts itself exactly as an exec'd program is
//! restricted (`sandbox::child`) before the interpreter sees the first byte of the episode.
//!
//! It is built once for each interpreter: a bash has none of Python's names, and a Python none of bash's.
//! Everything here is single-threaded, and everything it asks of the interpreter is named in `bash` and `python`.

// A module of the interpreter's names is there where it is built for that interpreter, and for clippy, which links nothing.
#[cfg(any(interpreter = "bash", clippy))]
mod bash;
mod c;
mod child;
mod launch;
mod link;
#[cfg(any(interpreter = "python", clippy))]
mod python;
#[cfg(test)]
mod tests;
#[cfg(any(interpreter = "python", clippy, test))]
mod version;
mod zygote;
