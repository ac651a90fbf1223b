//! The server: its pool, its listeners, its end.

use super::answer::{self, Code, RequestError};
use super::connection;
use super::id::Id;
use super::listen::{ListenError, Socket};
use super::server::Server;
use super::stats::Stats;
use crate::config::ServeConfig;
use crate::exit_status::ExitStatus;
use crate::pool::{self};
use crate::provision::{self, ProvisionError, Wanted};
use crate::schedule::stop::StopSignals;
use crate::spec::parse::FileContext;
use crate::sys::stdio;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinSet, LocalSet};

/// How soon a connection is accepted again after one could not be.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// How long the sessions, and then the slots, may take to end. What is not over by then the kernel ends with us: no
/// client, and no process that can't be killed, holds the server up.
const END_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    #[error(
        "--stdio: stdin or stdout is closed, so there is no client; open both, or listen with --socket PATH"
    )]
    StdioClosed,
    #[error("signals can't be handled: {0}")]
    System(#[from] io::Error),
}

/// Serves until a signal, or the end of stdin, says that it is enough.
pub(crate) fn run(config: ServeConfig) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let served = runtime.map_err(ServeError::from).and_then(|runtime| {
        let served = LocalSet::new().block_on(&runtime, serve(config));
        // A read of stdin may never end.
        runtime.shutdown_background();
        served
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("runner: {error}");
            ExitCode::from(match error {
                ServeError::Listen(_) | ServeError::StdioClosed => ExitStatus::Usage,
                ServeError::Provision(error) => error.exit_status(),
                ServeError::System(_) => ExitStatus::CantEnforce,
            })
        }
    }
}

async fn serve(config: ServeConfig) -> Result<(), ServeError> {
    if config.stdio && (stdio::stdin_was_closed() || stdio::stdout_was_closed()) {
        return Err(ServeError::StdioClosed);
    }
    let mut stop = StopSignals::listen()?;
    pool::adopt_orphans().map_err(io::Error::from)?;
    provision::raise_open_files();
    let socket = config.socket.as_deref().map(Socket::listen).transpose()?;
    let wanted = Wanted {
        tier: config.tier,
        warm: &config.warm,
        // Each slot has one session.
        warm_episodes: u32::MAX,
        slots: config.sessions,
        spare: config.spare,
        open_root: true,
        defaults: &config.defaults,
    };
    let (pool, enforced) = provision::build(&wanted, |note| eprintln!("{note}")).await?;
    let (ending, _) = watch::channel(false);
    let server = Rc::new(Server {
        enforced,
        context: FileContext::new("request".into(), Path::new("."), config.defaults.clone()),
        places: Arc::new(Semaphore::new(pool.size())),
        building: Semaphore::new(config.spare),
        stats: Stats::new(),
        held: Rc::default(),
        pool: pool.clone(),
        ending,
        config,
    });
    let mut connections = JoinSet::new();
    tokio::select! {
        () = stop.next() => {}
        () = accept(&server, socket.as_ref(), &mut connections) => {}
        () = on_stdio(&server) => {}
    }
    drop(socket);
    server.ending.send_replace(true);
    let all_over = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(END_TIMEOUT, all_over).await;
    drop(connections);
    let _ = tokio::time::timeout(END_TIMEOUT, pool.shut_down()).await;
    Ok(())
}

/// The client on stdin and stdout, with whose end everything ends.
async fn on_stdio(server: &Rc<Server>) {
    if server.config.stdio {
        let (stdin, stdout) = (tokio::io::stdin(), tokio::io::stdout());
        let counted = server.stats.connection();
        connection::serve(server.clone(), counted, stdin, stdout).await;
    } else {
        std::future::pending().await
    }
}

async fn accept(server: &Rc<Server>, socket: Option<&Socket>, connections: &mut JoinSet<()>) {
    let Some(socket) = socket else {
        return std::future::pending().await;
    };
    loop {
        match socket.listener.accept().await {
            Ok((stream, _)) if server.stats.connections() >= server.config.connections => {
                refuse(server, &stream);
            }
            Ok((stream, _)) => {
                let (reader, writer) = stream.into_split();
                let counted = server.stats.connection();
                let served = connection::serve(server.clone(), counted, reader, writer);
                connections.spawn_local(served);
            }
            // No descriptor is free, say: clients wait, and those that are served notice nothing.
            Err(_) => tokio::time::sleep(ACCEPT_RETRY_INTERVAL).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Says why a client is not served, in place of the greeting; the connection then closes.
fn refuse(server: &Server, stream: &UnixStream) {
    let message = format!(
        "{} clients are connected, and there may be no more; close some connections, or give the server more with \
         --connections",
        server.config.connections
    );
    let line = answer::refusal(&Id::none(), RequestError::new(Code::Busy, message));
    // Nothing has been written to it yet, so a line has room; and whoever is gone needs none.
    let _ = stream.try_write(&line);
}
