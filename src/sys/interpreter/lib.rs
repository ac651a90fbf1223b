//! What a warm interpreter loads: it turns a bash that has done its login start-up, or a Python that has imported its
//! modules, into a zygote.
//!
//! This is a shared object of its own, without dependencies, because it runs inside a process that is not ours.
//! Init (`slot::warm`) talks to it as to the exec zygote: a [`launch::Launch`] with four descriptors comes in, one
//! fork goes out, and the child's end is the answer. The child restricts itself exactly as an exec'd program is
//! restricted (`sandbox::child`) before the interpreter sees the first byte of the episode.
//!
//! It is built once for each interpreter: a bash has none of Python's names, and a Python none of bash's.
//! Everything here is single-threaded, and everything it asks of the interpreter is named in `bash` and `python`.

// What only the other interpreter uses.
#![allow(dead_code)]

#[cfg(interpreter = "bash")]
mod bash;
mod c;
mod child;
mod launch;
mod link;
#[cfg(interpreter = "python")]
mod python;
mod zygote;
