//! The runner's side of warm Pythons: one preloaded parent per interpreter, which forks a zygote for each slot.
//!
//! Nothing waits for a parent. A slot that is built gets one end of a socket; the other goes to the parent once that is
//! ready, or is dropped when it never will be, and then the slot starts Pythons cold.

use super::failure::{BuildError, NotWarm};
use super::process::{self, Processes};
use crate::sys::{procfs, socket};
use crate::wire::kinds::news;
use crate::wire::message::{PreloadedPython, WarmNews};
use crate::wire::packet::{Assembler, PACKET_BYTES, encode, packets};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::{Rc, Weak};
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// How long all modules of an interpreter may take to import.
const IMPORT_TIMEOUT: Duration = Duration::from_secs(60);

/// What to do about one that can't be warm.
const ANOTHER: &str = "(--warm python=PATH names another one)";

/// One interpreter that is to be warm.
#[derive(Clone, Debug)]
pub struct PythonSettings {
    pub python: PreloadedPython,
    /// Whether it was asked for; one that was not is silent about what it can't do.
    pub named: bool,
}

/// The parent of one interpreter, and its successors.
pub(super) struct Parent {
    settings: PythonSettings,
    processes: Rc<Processes>,
    /// Of the pool. Once each has been connected, those that follow are to have another parent: what programs have in
    /// common does not last.
    slots: usize,
    current: RefCell<ParentProcess>,
    /// The successor, while it is not ready.
    next: RefCell<Option<ParentProcess>>,
}

/// A parent as a process of ours.
struct ParentProcess {
    pid: Pid,
    processes: Rc<Processes>,
    /// None when there is nothing to hope for.
    socket: Option<Rc<AsyncFd<OwnedFd>>>,
    ready: bool,
    connected: usize,
    /// What came before it was ready.
    waiting: Vec<ZygoteRequest>,
}

/// What a zygote that is to be forked gets.
struct ZygoteRequest {
    socket: OwnedFd,
    /// The cgroup of its slot, which it is to join.
    cgroup: Option<OwnedFd>,
}

impl Parent {
    /// Starts it. With modules that were asked for it waits until they are all found, some 30 ms; without, it imports
    /// nothing before [`Parent::begin`].
    pub(super) async fn start(
        settings: PythonSettings,
        processes: Rc<Processes>,
        slots: usize,
    ) -> Result<Rc<Parent>, BuildError> {
        let (process, mut reader) = ParentProcess::start(&processes)?;
        let first = if settings.named {
            process.begin(&settings.python);
            Some(reader.next().await)
        } else {
            None
        };
        if let Some(Ok(news)) = &first
            && news.kind == news::MISSING
        {
            return Err(BuildError::NotWarm(NotWarm::Missing {
                python: settings.python.path.clone(),
                module: news.module.clone(),
            }));
        }
        let parent = Rc::new(Parent {
            settings,
            processes,
            slots,
            current: RefCell::new(process),
            next: RefCell::default(),
        });
        tokio::task::spawn_local(watch(Rc::downgrade(&parent), reader, first));
        Ok(parent)
    }

    /// Lets it import what it is to have. The first slot is built before: a run of a few episodes is over by then.
    pub(super) fn begin(&self) {
        if !self.settings.named {
            self.current.borrow().begin(&self.settings.python);
        }
    }

    /// A socket for a slot, whose other end is or will be a zygote in the slot's cgroup; None when there won't be one.
    pub(super) fn connect(self: &Rc<Self>, cgroup: Option<OwnedFd>) -> Option<OwnedFd> {
        let mut current = self.current.borrow_mut();
        let socket = current.socket.clone()?;
        let (ours, theirs) = socket::pair().ok()?;
        let request = ZygoteRequest {
            socket: theirs,
            cgroup,
        };
        current.connected += 1;
        let handed = if current.ready {
            hand_over(&socket, &request).is_ok()
        } else {
            current.waiting.push(request);
            true
        };
        let mut next = self.next.borrow_mut();
        // One that has died is followed by another like one that has served its time.
        if current.ready
            && (!handed || current.connected > self.slots)
            && next.is_none()
            && let Ok((process, reader)) = ParentProcess::start(&self.processes)
        {
            process.begin(&self.settings.python);
            *next = Some(process);
            tokio::task::spawn_local(watch(Rc::downgrade(self), reader, None));
        }
        handed.then_some(ours)
    }

    /// Whether so many slots have their zygotes, or never will have any.
    pub(super) fn has_settled(&self, slots: usize) -> bool {
        let current = self.current.borrow();
        let pid = current.pid.as_raw();
        if current.socket.is_none() || matches!(procfs::state(pid), None | Some('Z' | 'X')) {
            return true;
        }
        // A zygote has said who it is when it waits for its slot.
        let waits = |zygote: &i32| procfs::state(*zygote) == Some('S');
        let zygotes = procfs::children(pid).into_iter().filter(waits);
        current.ready && zygotes.count() >= slots
    }

    pub(super) fn python(&self) -> &PreloadedPython {
        &self.settings.python
    }

    fn become_ready(&self) {
        let mut current = self.current.borrow_mut();
        if let Some(next) = self.next.take() {
            *current = next;
        }
        current.ready = true;
        let waiting = std::mem::take(&mut current.waiting);
        if let Some(socket) = &current.socket {
            for request in waiting {
                // A slot whose socket is lost sees its end.
                let _ = hand_over(socket, &request);
            }
        }
    }

    fn fail(&self, cause: String) {
        if self.settings.named {
            let error = NotWarm::Parent {
                python: self.settings.python.path.clone(),
                cause,
            };
            eprintln!("runner: {error}");
        }
        // A successor that can't be had leaves its predecessor in place.
        if self.next.take().is_none() {
            let mut current = self.current.borrow_mut();
            current.socket = None;
            current.waiting.clear();
            current.kill();
        }
    }
}

impl ParentProcess {
    fn start(processes: &Rc<Processes>) -> io::Result<(ParentProcess, Reader)> {
        let (ours, theirs) = socket::pair().map_err(io::Error::from)?;
        fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(io::Error::from)?;
        let pid = process::start_parent(theirs)?;
        processes.parent_started(pid);
        let socket = Rc::new(socket::register(ours)?);
        let reader = Reader::new(socket.clone());
        let process = ParentProcess {
            pid,
            processes: processes.clone(),
            socket: Some(socket),
            ready: false,
            connected: 0,
            waiting: Vec::new(),
        };
        Ok((process, reader))
    }

    /// Tells it what to import.
    fn begin(&self, python: &PreloadedPython) {
        let Some(socket) = &self.socket else { return };
        for (header, body) in packets(&encode(python)) {
            // A new socket has room for it. One that is gone is noticed by who reads from it.
            let _ = socket::send(socket.get_ref().as_fd(), &header, body, &[]);
        }
    }

    fn kill(&self) {
        // It may not lead its group yet.
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = killpg(self.pid, Signal::SIGKILL);
    }
}

impl Drop for ParentProcess {
    /// Ends it: at once while it has no children, else when the last slot with a zygote of it has ended.
    fn drop(&mut self) {
        if !self.ready {
            self.kill();
        }
        self.processes.let_go(self.pid);
    }
}

/// Asks the parent for a zygote. It forks some in a millisecond.
fn hand_over(parent: &AsyncFd<OwnedFd>, request: &ZygoteRequest) -> Result<(), Errno> {
    let fds: Vec<_> = std::iter::once(&request.socket)
        .chain(&request.cgroup)
        .map(AsRawFd::as_raw_fd)
        .collect();
    socket::send(parent.get_ref().as_fd(), &[0], &[], &fds)
}

fn no_python() -> String {
    format!(
        "this can't be done with it, but with releases of {} {ANOTHER}",
        news::SUPPORTED
    )
}

/// Follows a parent until it is ready, or never will be.
async fn watch(parent: Weak<Parent>, mut reader: Reader, first: Option<Result<WarmNews, Lost>>) {
    let followed = tokio::time::timeout(IMPORT_TIMEOUT, reader.follow(first)).await;
    let Some(parent) = parent.upgrade() else {
        return;
    };
    match followed {
        Ok(Ok(())) => parent.become_ready(),
        Ok(Err(cause)) => parent.fail(cause),
        Err(_) => parent.fail(format!(
            "{} takes longer than {} s",
            reader.at(),
            IMPORT_TIMEOUT.as_secs()
        )),
    }
}

/// The parent is gone, or says what no parent says.
struct Lost;

struct Reader {
    socket: Rc<AsyncFd<OwnedFd>>,
    assembler: Assembler,
    /// What is being imported.
    module: String,
}

impl Reader {
    fn new(socket: Rc<AsyncFd<OwnedFd>>) -> Reader {
        let mut assembler = Assembler::default();
        assembler.limit(PACKET_BYTES);
        Reader {
            socket,
            assembler,
            module: String::new(),
        }
    }

    async fn next(&mut self) -> Result<WarmNews, Lost> {
        let mut buffer = vec![0; PACKET_BYTES];
        loop {
            let mut ready = self.socket.readable().await.map_err(|_| Lost)?;
            match socket::recv(ready.get_inner().as_fd(), &mut buffer, &mut Vec::new()) {
                Ok(0) => return Err(Lost),
                Ok(length) => {
                    if let Some(news) = self.assembler.push(&buffer[..length]).map_err(|_| Lost)? {
                        return Ok(news);
                    }
                }
                Err(Errno::EAGAIN) => ready.clear_ready(),
                Err(_) => return Err(Lost),
            }
        }
    }

    /// Until it is ready, or the reason why it never will be.
    async fn follow(&mut self, mut first: Option<Result<WarmNews, Lost>>) -> Result<(), String> {
        loop {
            let news = match first.take() {
                Some(news) => news,
                None => self.next().await,
            };
            let Ok(WarmNews {
                kind,
                module,
                detail,
            }) = news
            else {
                return Err(if self.module.is_empty() {
                    no_python()
                } else {
                    format!("{} crashes it", self.at())
                });
            };
            match kind {
                news::FOUND => {}
                news::IMPORTING => self.module = module,
                news::READY => return Ok(()),
                news::MISSING => return Err(format!("there is no module {module:?}")),
                news::FAILED => return Err(format!("importing {module:?} fails with {detail}")),
                news::THREADS => return Err(format!("importing {module:?} starts threads")),
                news::PRINTS => return Err(format!("importing {module:?} prints {detail:?}")),
                news::UNUSABLE => return Err(no_python()),
                news::VERSION => {
                    return Err(format!(
                        "it is {detail}, and only releases of {} can be {ANOTHER}",
                        news::SUPPORTED
                    ));
                }
                news::FREE_THREADED => {
                    return Err(format!(
                        "it is a free-threaded build of {detail}, and only those with one lock for all threads can \
                         be, of {} {ANOTHER}",
                        news::SUPPORTED
                    ));
                }
                _ => return Err("it sends news of an unknown kind".into()),
            }
        }
    }

    fn at(&self) -> String {
        match self.module.as_str() {
            "" => "its start".into(),
            module => format!("importing {module:?}"),
        }
    }
}
