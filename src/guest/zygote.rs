//! The zygote's loop: a launch comes in, a child is forked, its end goes out.

use crate::guest::c;
use crate::guest::child::{Ordinary, enforce, restrict};
use crate::guest::launch::{Exit, Launch};
use crate::guest::link::{Link, LinkBroken, wipe};
use crate::wire::kinds::exit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

/// What a child tells its parent, in memory they share.
#[repr(C)]
#[derive(Default)]
struct ChildReport {
    /// When the interpreter took over; 0 as long as it has not.
    running_ns: u64,
    /// What failed before that, or 0.
    failed: u64,
    errno: i32,
}

/// What an interpreter does around a fork.
pub(super) trait AroundFork {
    fn before(&self) {}
    fn parent(&self) {}
    /// In the child, restricted.
    fn child(&self, _launch: &Launch) {}
}

/// An interpreter that wants nothing.
impl AroundFork for () {}

/// Serves launches of an interpreter that needs nothing special.
pub(super) fn serve(socket: i32, ordinary: Ordinary, end_delay_ms: u32) -> Launch {
    Zygote {
        socket,
        ordinary,
        around_fork: &(),
        reaps: false,
        end_delay_ms,
    }
    .serve()
}

pub(super) struct Zygote<'a> {
    pub socket: i32,
    pub ordinary: Ordinary,
    pub around_fork: &'a dyn AroundFork,
    /// Whether what programs leave behind becomes a child of this process.
    pub reaps: bool,
    /// How long it goes on when init is gone without a word, because the runner has died and all slots end at once.
    pub end_delay_ms: u32,
}

impl Zygote<'_> {
    /// Serves launches. Returns in the children alone, each time with what to run; the zygote itself ends with init.
    pub(super) fn serve(&self) -> Launch {
        let report = shared_report();
        // SAFETY: plain system calls: one keeps others of the same user out of this process (ptrace, /proc/<pid>/mem),
        // one takes back the end that start-up files had been threatened with.
        unsafe {
            c::prctl(c::PR_SET_DUMPABLE, 0);
            c::alarm(0);
        }
        // The interpreter would reap our children if it heard of them.
        let mask = block_child_signals();
        match self.until_forked(report, &mask) {
            Ok(launch) => launch,
            Err(LinkBroken) => {
                std::thread::sleep(Duration::from_millis(self.end_delay_ms.into()));
                // SAFETY: _exit(2) has no preconditions.
                unsafe { c::_exit(0) }
            }
        }
    }

    fn until_forked(
        &self,
        report: *mut ChildReport,
        mask: &c::SigSet,
    ) -> Result<Launch, LinkBroken> {
        let mut link = Link::new(self.socket);
        let ended = self.reaps.then(child_events);
        let mut restricted = false;
        // It is ready.
        link.send(&[])?;
        loop {
            if let Some(ended) = ended {
                reap_orphans_until_asked(self.socket, ended);
            }
            let (message, fds) = link.recv()?;
            if message.is_empty() && fds.is_empty() {
                // Init releases us. SAFETY: _exit(2) has no preconditions.
                unsafe { c::_exit(0) }
            }
            if let ([], [ruleset]) = (&*message, &*fds) {
                // For us, and so for all the programs to come.
                match enforce(ruleset.as_raw_fd()) {
                    0 => restricted = true,
                    _ => return Err(LinkBroken),
                }
                continue;
            }
            let launch = Launch::decode(&message).ok_or(LinkBroken)?;
            // SAFETY: `report` is a shared mapping that nothing unmaps, and no child is alive to write to it.
            unsafe { report.write(ChildReport::default()) };
            let forked_ns = c::monotonic_ns();
            self.around_fork.before();
            // SAFETY: this process is single-threaded, so the child may go on as a normal program.
            let pid = unsafe { c::fork() };
            if pid != 0 {
                self.around_fork.parent();
            }
            match pid {
                0 => {
                    self.become_program(&launch, &fds, restricted, report, mask);
                    // The numbers are closed already, and memory that is freed here is memory that is copied first.
                    fds.into_iter().for_each(std::mem::forget);
                    std::mem::forget((message, link));
                    return Ok(launch);
                }
                -1 => link.send(&not_forked(c::errno(), forked_ns).encode())?,
                pid => {
                    let mut exit = reap(pid);
                    // SAFETY: `report` is a shared mapping that nothing unmaps, and the child, which wrote to it, has ended.
                    let told = unsafe { report.read() };
                    exit.forked_ns = forked_ns;
                    exit.running_ns = told.running_ns;
                    if told.failed != 0 {
                        (exit.kind, exit.value) = (told.failed, told.errno as u64);
                    }
                    link.send(&exit.encode())?;
                    // Not before: init would be woken by the end of the pipes, and at once again by the exit.
                    drop(fds);
                }
            }
            // The next child is not to find out what this one was.
            wipe(message);
            launch.wipe();
            link.wipe();
        }
    }

    /// In the child: restricts it, or ends it.
    fn become_program(
        &self,
        launch: &Launch,
        fds: &[OwnedFd],
        restricted: bool,
        report: *mut ChildReport,
        mask: &c::SigSet,
    ) {
        let done = restrict(launch, fds, restricted);
        // SAFETY: `report` is a shared mapping that the parent reads only after we have ended; the mask is the one the
        // interpreter had.
        unsafe {
            if let Err((failed, errno)) = done {
                (*report).failed = failed;
                (*report).errno = errno;
                c::_exit(127)
            }
            c::sigprocmask(c::SIG_SETMASK, mask, std::ptr::null_mut());
            self.around_fork.child(launch);
            self.ordinary.begin();
            (*report).running_ns = c::monotonic_ns();
            // A program must not find it, and could do nothing but spoil its own report with it.
            c::munmap(report.cast(), size_of::<ChildReport>());
        }
    }
}

/// A descriptor that is readable when a child has ended; -1 where there is none to be had.
fn child_events() -> i32 {
    let mut mask = [0; 16];
    // SAFETY: pointers to a live local of the size of sigset_t.
    unsafe {
        c::sigemptyset(&mut mask);
        c::sigaddset(&mut mask, c::SIGCHLD);
        c::signalfd(-1, &mask, c::O_CLOEXEC | c::O_NONBLOCK)
    }
}

/// Waits for init's next message; meanwhile what programs have left behind is seen off, or init would wait for it.
fn reap_orphans_until_asked(socket: i32, ended: i32) {
    loop {
        let wanted = |fd| c::PollFd {
            fd,
            events: c::POLLIN,
            got: 0,
        };
        let mut fds = [wanted(socket), wanted(ended)];
        let mut news = [0u8; 128];
        // SAFETY: pointers to live locals of the lengths stated; null for what is not wanted.
        unsafe {
            let (none, no_usage) = (std::ptr::null_mut(), std::ptr::null_mut());
            while c::wait4(-1, none, c::WNOHANG, no_usage) > 0 {}
            c::poll(fds.as_mut_ptr(), 2, -1);
            c::read(ended, news.as_mut_ptr().cast(), news.len());
        }
        if fds[0].got != 0 {
            return;
        }
    }
}

fn not_forked(errno: i32, now: u64) -> Exit {
    Exit {
        kind: exit::FORK,
        value: errno as u64,
        forked_ns: now,
        running_ns: 0,
        ended_ns: now,
        cpu_us: 0,
        max_rss_bytes: 0,
    }
}

fn reap(pid: i32) -> Exit {
    let mut status = 0;
    let mut usage = c::RUsage::default();
    // SAFETY: pointers to live locals of the layout the call fills.
    while unsafe { c::wait4(pid, &mut status, 0, &mut usage) } == -1 && c::errno() == c::EINTR {}
    let micros = |t: c::TimePair| (t.seconds * 1_000_000 + t.fraction) as u64;
    let signal = status & 0x7f;
    Exit {
        kind: if signal == 0 {
            exit::EXITED
        } else {
            exit::SIGNALED
        },
        value: if signal == 0 {
            status >> 8 & 0xff
        } else {
            signal
        } as u64,
        forked_ns: 0,
        running_ns: 0,
        ended_ns: c::monotonic_ns(),
        cpu_us: micros(usage.user) + micros(usage.system),
        max_rss_bytes: usage.max_rss as u64 * 1024,
    }
}

fn block_child_signals() -> c::SigSet {
    let (mut block, mut before) = ([0; 16], [0; 16]);
    // SAFETY: pointers to live locals of the size of sigset_t.
    unsafe {
        c::sigemptyset(&mut block);
        c::sigaddset(&mut block, c::SIGCHLD);
        c::sigprocmask(c::SIG_BLOCK, &block, &mut before);
    }
    before
}

fn shared_report() -> *mut ChildReport {
    let protection = c::PROT_READ | c::PROT_WRITE;
    let flags = c::MAP_SHARED | c::MAP_ANONYMOUS;
    // SAFETY: an anonymous mapping at an address of the kernel's choice aliases nothing.
    let page = unsafe {
        c::mmap(
            std::ptr::null_mut(),
            size_of::<ChildReport>(),
            protection,
            flags,
            -1,
            0,
        )
    };
    if page as isize == -1 {
        // SAFETY: _exit(2) has no preconditions. Init sees the end of the socket and goes on without us.
        unsafe { c::_exit(1) };
    }
    page.cast()
}
