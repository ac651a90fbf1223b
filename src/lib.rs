//! Runs untrusted, model-written episodes in sandboxes that are built once and reused.
//!
//! ```text
//! runner (tokio: scheduler, pool, sinks)            trusted, multi-threaded, never forks bare
//!  │  one SOCK_SEQPACKET socket per slot
//!  ├─ slot 0: zygote        outside the slot's PID namespace; carries the seccomp filter
//!  │    ├─ init             PID 1 of the namespace: sequences, supervises, cleans, proves clean
//!  │    ├─ bash             warm: forks a child into the namespace for each command
//!  │    └─ the program      forked by the zygote into the namespace; Landlock, rlimits, exec
//!  │         └─ whatever it starts; killed when the episode ends
//!  ├─ python             preloaded; forks into each slot a copy that forks programs there
//!  ├─ slot 1 …
//! ```
//!
//! Data flows one way, and so do imports:
//!
//! ```text
//! spec → source → schedule → pool ⇄(wire)⇄ slot → sandbox → the program
//!                     └───────→ sink
//! ```
//!
//! - [`spec`]: pure data: episodes, limits, executions, outcomes, parsing
//! - [`source`]: jobs files to checked episodes, in bounded memory
//! - [`schedule`]: which episode runs when; retries; stopping
//! - [`pool`]: the runner's side of the slots: lease, return, replace
//! - [`wire`]: bytes ↔ types between `pool` and `slot`, which never import each other
//! - [`slot`]: the other side: init and zygote, single-threaded
//! - [`sandbox`]: policy → kernel
//! - [`sink`]: result lines, statistics, progress
//! - [`compression`]: gzip and Zstandard, for `source` and `sink`
//! - [`sys`]: the only `unsafe`
//! - [`provision`]: the pool in the best tier there is; [`serve`]: sessions for clients
//! - [`job`]: the main job put together; [`run`]: one episode, shown while it runs; [`doctor`]: what this machine can enforce, found out with the same pool
//! - [`cli`] and [`config`]: what was asked; [`exit_status`]: what the caller is told; [`logging`]: what `RUNNER_LOG` shows

#![deny(unsafe_code)]
#![deny(clippy::undocumented_unsafe_blocks)]

pub mod cli;
pub mod compression;
pub mod config;
pub mod doctor;
pub mod exit_status;
pub mod job;
pub mod logging;
pub mod pool;
pub mod provision;
pub mod run;
pub mod sandbox;
pub mod schedule;
pub mod serve;
pub mod sink;
pub mod slot;
pub mod source;
pub mod spec;
#[allow(unsafe_code)]
pub mod sys;
pub mod wire;
