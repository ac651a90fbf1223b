//! How the runner takes part in an episode while it runs: it is shown what programs print, or sits at their terminal.

use super::live::Live;
use crate::sys::{socket, terminal};
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::Attached;
use nix::errno::Errno;
use nix::pty::Winsize;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// What init has of it, before the first step.
#[derive(Default)]
pub(super) struct Attachment {
    pub live: Option<Live>,
    /// The end of the first program.
    pub terminal: Option<OwnedFd>,
}

impl Attachment {
    /// With the descriptors that came with the request.
    pub(super) fn of(attached: Option<Attached>, fds: Vec<OwnedFd>) -> Result<Attachment, Failure> {
        let failed = |stage| move |errno: Errno| Failure::new(stage, errno as i32);
        match attached {
            None => Ok(Attachment::default()),
            Some(Attached::Output) => {
                let live = pipes(fds).map_err(failed(Stage::Pipes))?;
                Ok(Attachment {
                    live: Some(live),
                    terminal: None,
                })
            }
            Some(Attached::Terminal { rows, columns }) => {
                let terminal = terminal(fds, rows, columns).map_err(failed(Stage::Terminal))?;
                Ok(Attachment {
                    live: None,
                    terminal: Some(terminal),
                })
            }
        }
    }
}

fn pipes(fds: Vec<OwnedFd>) -> Result<Live, Errno> {
    let [stdout, stderr] = fds.try_into().map_err(|_| Errno::EBADMSG)?;
    Live::new(stdout, stderr)
}

/// Makes a terminal where programs can find it by its name: in the namespaces tier that is the slot's own devpts. The runner gets
/// the other end.
fn terminal(fds: Vec<OwnedFd>, rows: u16, columns: u16) -> Result<OwnedFd, Errno> {
    let [to_runner] = <[OwnedFd; 1]>::try_from(fds).map_err(|_| Errno::EBADMSG)?;
    let (user_end, program_end) = terminal::open_pair()?;
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    terminal::set_size(&user_end, size)?;
    socket::send(to_runner.as_fd(), b"t", b"", &[user_end.as_raw_fd()])?;
    Ok(program_end)
}
