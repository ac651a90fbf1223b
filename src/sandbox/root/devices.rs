//! /dev of the private root.

use super::{HOST, NONE, bind, directory};
use crate::sandbox::call::{CallError, on};
use crate::sandbox::layout::{Layout, SHARED_MEMORY};
use crate::sys::mount::MountAttributes;
use nix::mount::{MsFlags, mount};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// A few devices of the host, and as many terminals as this at most.
pub(super) fn make(layout: &Layout, terminals: u64) -> Result<(), CallError> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount(
        Some("dev"),
        "/dev",
        Some("tmpfs"),
        flags,
        Some("size=64k,nr_inodes=64,mode=0755"),
    )
    .map_err(on("mount -t tmpfs", "/dev"))?;
    for name in layout.devices {
        let (host, own) = (
            Path::new(HOST).join("dev").join(name),
            Path::new("/dev").join(name),
        );
        fs::write(&own, "").map_err(on("open", &own))?;
        bind(
            &host,
            &own,
            // Keeps times and modes of the host's nodes; a device is written to all the same.
            MountAttributes {
                read_only: true,
                no_devices: false,
            },
        )?;
    }
    for (name, target) in layout.device_links {
        let own = Path::new("/dev").join(name);
        symlink(target, &own).map_err(on("symlink", &own))?;
    }
    directory(Path::new("/dev/pts"), 0o755)?;
    let options = format!("newinstance,ptmxmode=0666,mode=0620,max={terminals}");
    mount(
        Some("devpts"),
        "/dev/pts",
        Some("devpts"),
        MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
        Some(options.as_str()),
    )
    .map_err(on("mount -t devpts", "/dev/pts"))?;
    directory(Path::new("/dev/shm"), 0o1777)?;
    bind(
        Path::new(SHARED_MEMORY),
        Path::new("/dev/shm"),
        MountAttributes {
            read_only: false,
            no_devices: true,
        },
    )?;
    let read_only = flags | MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    // Terminals can still be opened and made: this keeps the modes of the nodes as they are.
    for place in ["/dev/pts", "/dev"] {
        mount(NONE, place, NONE, read_only, NONE).map_err(on("mount -o remount,ro", place))?;
    }
    Ok(())
}
