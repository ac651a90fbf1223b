//! Signals from people and schedulers: the first asks to stop, the second insists.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(test)]
use tokio::sync::mpsc;

/// Ctrl-C and SIGTERM, in the order they come.
pub struct StopSignals(SignalSource);

enum SignalSource {
    Process {
        interrupt: Signal,
        terminate: Signal,
    },
    #[cfg(test)]
    Channel(mpsc::Receiver<()>),
}

impl StopSignals {
    /// SignalSource now on the signals no longer end the process by themselves.
    pub fn listen() -> io::Result<Self> {
        Ok(StopSignals(SignalSource::Process {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        }))
    }

    /// Takes what is sent for signals. A channel that is closed and empty sends none.
    #[cfg(test)]
    pub fn from_channel(signals: mpsc::Receiver<()>) -> Self {
        StopSignals(SignalSource::Channel(signals))
    }

    /// The next of either. Cancel-safe.
    pub async fn next(&mut self) {
        match &mut self.0 {
            SignalSource::Process {
                interrupt,
                terminate,
            } => tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            },
            #[cfg(test)]
            SignalSource::Channel(signals) => match signals.recv().await {
                Some(()) => {}
                None => std::future::pending().await,
            },
        }
    }
}
