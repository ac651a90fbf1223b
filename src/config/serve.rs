//! The configuration of `runner serve`.

use super::{
    ConfigError, MAX_SECONDS, MAX_SLOTS, SESSION_TIMES, default_concurrency, defaults, in_range,
    own_files, tier, warm,
};
use crate::cli::Serve;
use crate::spec::parse::Defaults;
use crate::spec::policy::Tier;
use crate::spec::warm::Warm;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A connection takes a descriptor, and there are no more of them.
const MAX_CONNECTIONS: usize = 1 << 20;

/// What `runner serve` needs to know.
#[derive(Debug)]
pub(crate) struct ServeConfig {
    /// At least one of `socket` and `stdio`.
    pub socket: Option<PathBuf>,
    /// Whether stdin and stdout are a client, with whose end everything ends.
    pub stdio: bool,
    /// Sessions at one time.
    pub sessions: usize,
    /// Clients that may be connected at one time.
    pub connections: usize,
    /// Slots that are kept ready for the next sessions.
    pub spare: usize,
    /// How long a `start` may wait for a slot.
    pub wait: Duration,
    /// After how long without a request a session ends; `None` for never.
    pub idle: Option<Duration>,
    /// `None` for the best this machine grants.
    pub tier: Option<Tier>,
    pub warm: Warm,
    pub defaults: Arc<Defaults>,
}

impl TryFrom<Serve> for ServeConfig {
    type Error = ConfigError;

    fn try_from(flags: Serve) -> Result<Self, ConfigError> {
        in_range("--sessions", flags.sessions, 1..=MAX_SLOTS)?;
        let connections = flags.connections.unwrap_or(4 * flags.sessions.max(16));
        in_range("--connections", connections, 1..=MAX_CONNECTIONS)?;
        in_range("--wait-s", flags.wait_s, 0.0..=MAX_SECONDS)?;
        in_range("--idle-s", flags.idle_s, 0.0..=MAX_SECONDS)?;
        let own_files = own_files(flags.socket.iter().cloned());
        let mut defaults = defaults(&flags.sandbox, SESSION_TIMES, own_files)?;
        // There is no jobs file whose directory could be meant.
        defaults.allow_paths.get_or_insert_default();
        Ok(ServeConfig {
            socket: flags.socket,
            stdio: flags.stdio,
            sessions: flags.sessions,
            connections,
            spare: default_concurrency().min(flags.sessions),
            wait: Duration::from_secs_f64(flags.wait_s),
            idle: (flags.idle_s > 0.0).then(|| Duration::from_secs_f64(flags.idle_s)),
            tier: tier(flags.sandbox.isolation),
            warm: warm(&flags.sandbox, "bash")?,
            defaults: Arc::new(defaults),
        })
    }
}
