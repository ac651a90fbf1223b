//! Which of stdin, stdout and stderr were closed when this process was started.
//!
//! Before `main`, Rust's runtime opens /dev/null in the place of each that is closed, so that no file of ours takes its
//! number. From then on a closed stdout can't be told from one that was sent to /dev/null on purpose, so this looks first.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// One bit for each of the three.
static CLOSED: AtomicU8 = AtomicU8::new(0);

// The C library calls what stands in this section before it calls the runtime, with arguments that a function may ignore.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    for fd in 0..3 {
        // SAFETY: F_GETFD takes any number, and touches no memory of this process but errno.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            CLOSED.fetch_or(1 << fd, Relaxed);
        }
    }
}

/// Whether nobody can have given us this stdin: there was none.
pub(crate) fn stdin_was_closed() -> bool {
    was_closed(0)
}

/// Whether what is written to stdout reaches nobody, though nobody asked for that.
pub(crate) fn stdout_was_closed() -> bool {
    was_closed(1)
}

fn was_closed(fd: u8) -> bool {
    CLOSED.load(Relaxed) & 1 << fd != 0
}
