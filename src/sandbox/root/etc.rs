//! /etc of the private root: the host's, with files of the sandbox's own over it.

use super::{ETC, HOST, NOTHING, OWN_ETC, bind, directory};
use crate::sandbox::call::{CallError, on};
use crate::sandbox::layout::Layout;
use crate::sandbox::network::RESOLVER;
use crate::spec::policy::Network;
use crate::sys::mount::MountAttributes;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// A directory of the sandbox's own that shows of the host's only what may be read there. Elsewhere Landlock makes
/// the choice; it can't where all of the root is open.
pub(super) fn open(layout: &Layout, network: Network) -> Result<(), CallError> {
    directory(Path::new(ETC), 0o755)?;
    let resolver = (network == Network::Host).then_some(RESOLVER);
    let on_host = |path: &str| Path::new(HOST).join(path.trim_start_matches('/'));
    let readable = layout.etc_readable(&on_host(ETC)).into_iter();
    for host in readable.chain(resolver.map(on_host)) {
        let path = Path::new("/").join(host.strip_prefix(HOST).unwrap_or(&host));
        let Ok(meta) = fs::symlink_metadata(&host) else {
            continue;
        };
        if let Some(parent) = path.parent() {
            directory(parent, 0o755)?;
        }
        if meta.is_symlink() {
            let target = fs::read_link(&host).map_err(on("readlink", &host))?;
            symlink(target, &path).map_err(on("symlink", &path))?;
            continue;
        }
        if meta.is_dir() {
            directory(&path, 0o755)?
        } else {
            fs::write(&path, "").map_err(on("open", &path))?
        }
        bind(
            &host,
            &path,
            MountAttributes {
                read_only: true,
                no_devices: true,
            },
        )?;
    }
    Ok(())
}

/// Lays the sandbox's own passwd, group, hosts and hostname over the host's. They are read-only under their
/// own name too: Landlock does not keep their owner from changing their mode.
pub(super) fn cover_own(layout: &Layout, network: Network) -> Result<(), CallError> {
    let attributes = MountAttributes {
        read_only: true,
        no_devices: true,
    };
    directory(Path::new(OWN_ETC), 0o755)?;
    for (name, text) in layout.own_etc() {
        // Names that the host gives to its network.
        if name == "hosts" && network == Network::Host {
            continue;
        }
        let (own, seen) = (Path::new(OWN_ETC).join(name), Path::new("/etc").join(name));
        if seen.exists() {
            fs::write(&own, text).map_err(on("write", &own))?;
            bind(&own, &seen, attributes)?;
        }
    }
    fs::write(NOTHING, "").map_err(on("open", NOTHING))?;
    fs::set_permissions(NOTHING, Permissions::from_mode(0o000)).map_err(on("chmod", NOTHING))?;
    bind(Path::new(OWN_ETC), Path::new(OWN_ETC), attributes)
}
