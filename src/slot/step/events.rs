//! What a running program is waited for with: its end, its output, the runner, and the next look.

use super::{KILL_INTERVAL_NS, Running};
use crate::sys::clock::monotonic_ns;
use crate::wire::failure::{Failure, Stage};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use std::os::fd::AsFd;
use std::time::Duration;

/// What has happened.
pub(super) struct Ready {
    /// The zygote says that the program has ended, or is gone.
    pub exit: bool,
    pub runner_gone: bool,
    pub cancelled: bool,
    /// Processes without a parent have ended.
    pub children: bool,
}

impl Running<'_, '_> {
    /// Waits until something happened, or it is time to look.
    pub(super) fn wait(&mut self) -> Result<Ready, Failure> {
        // All that the runner may send meanwhile is a cancel. It stays in the socket until this has been answered, and is then
        // read without effect.
        let said = match self.cause {
            None if self.order.ends_alone => PollFlags::POLLIN,
            _ => PollFlags::empty(),
        };
        let mut fds: Vec<PollFd<'_>> = vec![
            PollFd::new(self.context.zygote.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.context.runner.as_fd(), said),
            PollFd::new(self.context.children.as_fd(), PollFlags::POLLIN),
        ];
        if self.order.capture.has_room() {
            let outputs = self.pipes.outputs();
            fds.extend(outputs.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        }
        let full = self.order.capture.full();
        fds.extend(full.map(|fd| PollFd::new(fd, PollFlags::POLLOUT)));
        fds.extend(
            self.context
                .carried
                .background
                .iter()
                .map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)),
        );
        let wake_ns = match self.cause {
            Some(_) => monotonic_ns() + KILL_INTERVAL_NS,
            None if self.seen_dead_ns.is_some() => monotonic_ns() + KILL_INTERVAL_NS,
            None => self.time.next_ns().min(self.watch.next_ns()),
        };
        let pause = Duration::from_nanos(wake_ns.saturating_sub(monotonic_ns()));
        // poll(2) would round up to whole milliseconds.
        match ppoll(&mut fds, Some(TimeSpec::from_duration(pause)), None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Failure::new(Stage::Wait, errno as i32)),
        }
        let got = |i: usize, flags| fds[i].revents().is_some_and(|r| r.intersects(flags));
        let any = PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR;
        Ok(Ready {
            exit: got(0, any),
            runner_gone: got(1, PollFlags::POLLHUP | PollFlags::POLLERR),
            cancelled: got(1, PollFlags::POLLIN),
            children: got(2, any),
        })
    }
}
