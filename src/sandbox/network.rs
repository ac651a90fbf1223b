//! The network of a slot: what is brought up in its namespace, and what shows that an episode left nothing there.

use super::call::on;
use super::layout::Layout;
use crate::spec::policy::Network;
use crate::sys::network::raise_loopback;
use crate::wire::failure::{Failure, Stage};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Where name servers are configured; read only by slots with the host's network.
pub(crate) const RESOLVER: &str = "/etc/resolv.conf";

/// Brings up what the slot's own namespace has. To be called as PID 1, with its own /proc mounted.
pub(crate) fn bring_up(network: Network) -> Result<(), Failure> {
    if network != Network::Loopback {
        return Ok(());
    }
    // A closed connection would hold on to its port for a minute, and keep the next episode from binding it
    // (tcp_max_tw_buckets, Documentation/networking/ip-sysctl).
    let path = "/proc/sys/net/ipv4/tcp_max_tw_buckets";
    fs::write(path, "0")
        .map_err(on("write", path))
        .map_err(Stage::Loopback.failed())?;
    raise_loopback().map_err(Stage::Loopback.failed())
}

/// Where the kernel counts the sockets of this network namespace, those in flight and those that no process holds any more
/// included (proc_net(5)).
pub(crate) const SOCKETS: &str = "/proc/net/sockstat";

/// How many there are now, by that file, which begins anew at each reading.
pub(crate) fn sockets_in(counts: &File) -> Option<u64> {
    let mut buffer = [0; 64];
    let length = counts.read_at(&mut buffer, 0).ok()?;
    let text = std::str::from_utf8(&buffer[..length]).ok()?;
    text.strip_prefix("sockets: used ")?
        .lines()
        .next()?
        .parse()
        .ok()
}

/// The same, once.
pub(crate) fn sockets() -> Option<u64> {
    sockets_in(&File::open(SOCKETS).ok()?)
}

/// The file that /etc/resolv.conf leads to, where that lies outside of what every slot sees of the host.
pub(crate) fn resolver_elsewhere(layout: &Layout, network: Network) -> Option<PathBuf> {
    if network != Network::Host {
        return None;
    }
    let file = Path::new(RESOLVER).canonicalize().ok()?;
    (!layout.is_system(&file)).then_some(file)
}
