//! Bytes ↔ types: what runner, slot and zygote say to each other.
//!
//! Each slot has one `SOCK_SEQPACKET` Unix socket to the runner, and inside the slot another between init
//! and its zygote. On both, exactly one side speaks at a time:
//!
//! ```text
//! runner → init     Setup                     once: what sandbox to build
//! init   → runner   Reply::Ready | Refused    what is enforced, or which stage failed with which errno
//! runner → init     Request::Episode            the whole episode, all steps
//! init   → runner   Reply::Ended              the facts, sent after the sandbox was cleaned and proven clean
//!
//! runner → init     Request::Open               from now on the slot is that of one session, with these files
//! init   → runner   Reply::Opened
//! runner → init     Request::Step               one execution; what it leaves stays
//! init   → runner   Reply::Ended              the facts
//! runner → init     Request::Cancel             meanwhile: the execution is to end; no answer of its own
//! runner → init     Request::Put | Get          a piece of a file in or out ([`transfer`])
//! init   → runner   Reply::Put | Got
//!
//! runner → init     Request::End                the slot is not needed any more; no answer
//!
//! init   → zygote   Launch + 3 fds            stdin, stdout, stderr of the program
//! zygote → init     Exit                      when the program has ended and was reaped
//! init   → zygote   an empty message          it is released: without that, it ends a little later than the socket
//! ```
//!
//! A message is one postcard-encoded value, cut into packets of at most [`packet::PACKET_BYTES`]; the first
//! byte of a packet says whether more follow. Both ends run the same executable file, so a message that does
//! not decode is a bug or corruption.
//!
//! Any error on a socket (EOF, reset, a message that does not decode) means that the peer is gone or can't be
//! trusted any more. The runner then kills and replaces the slot, and retries the episode it was running; init
//! and zygote then exit at once, which takes the slot's PID namespace with them. Nothing is ever re-sent on a
//! socket that has failed. An answer that decodes but that no honest slot would give counts as such an error
//! too: see [`answer`].

pub mod answer;
pub mod failure;
pub(crate) mod kinds;
pub mod message;
pub mod packet;
pub(crate) mod transfer;

#[cfg(test)]
mod tests;
