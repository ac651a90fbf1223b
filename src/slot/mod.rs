//! The slot side: a re-exec of this program that builds one sandbox and runs one episode after the other in it.
//!
//! Two single-threaded processes: *init* sequences, supervises, reaps, cleans and proves clean; the *zygote*
//! carries the seccomp filter and forks the episode's programs. In the namespaces tier init is PID 1 of the
//! slot's PID namespace, and the zygote is its parent, outside: an episode can neither see nor signal it, and
//! `kill(-1)` by init ends exactly the episode. In the landlock tier the zygote is a child of init, which is the
//! subreaper of everything below.
//!
//! Beside the zygote, which executes programs, there may be warm interpreters that fork them ([`warm`]).
//!
//! None of them outlives the runner: all end at EOF on their socket, which takes the PID namespace with it.

mod attachment;
mod boot;
mod capture;
mod carried;
mod census;
mod cgroup;
mod clean;
mod collect;
mod crowd;
mod disk;
mod episode;
mod forker;
mod give_up;
mod init;
mod kept;
mod kernel_memory;
mod kill;
mod link;
mod live;
mod look_guard;
mod mark;
mod memory;
mod open;
mod out_of_memory;
mod pace;
mod pipes;
mod placement;
mod process;
mod search_path;
mod session;
mod shared_memory;
mod signals;
mod space;
mod stalled;
mod stdin;
mod step;
mod transfer;
mod warm;
mod watch;
mod zygote;

pub use boot::main;
pub use warm::parent_main;
