//! The runner's end of one slot: whole messages over a non-blocking socket.

use super::cgroup::Cgroup;
use super::failure::{BuildError, SlotLost};
use super::leftover::Scratch;
use super::process::{self, Processes};
use crate::spec::execution::{Execution, NotPrepared};
use crate::spec::policy::{Enforced, Grants};
use crate::spec::sandbox::Sandbox;
use crate::spec::step::InputFile;
use crate::sys::socket;
use crate::wire::answer::Expected;
use crate::wire::failure::Failure;
use crate::wire::message::{EpisodeRequest, Reply, Request, Setup, StepRequest};
use crate::wire::packet::{Assembler, PACKET_BYTES, encode, packets};
use crate::wire::transfer::{DATA_BYTES, Get, NotDone, Piece, Put};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::Pid;
use serde::{Serialize, de::DeserializeOwned};
use std::borrow::Cow;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::unix::AsyncFd;
use tracing::{debug, warn};

pub struct Slot {
    pub number: u32,
    /// How long the log of all slots was when this one was started.
    log_before: u64,
    socket: AsyncFd<OwnedFd>,
    process: Pid,
    assembler: Assembler,
    processes: Rc<Processes>,
    pub grants: Arc<Grants>,
    /// Whether it can run episodes that name unusual places.
    pub unusual_places: bool,
    pub enforced: Enforced,
    /// The uid of its processes, where no other slot has it.
    pub own_uid: Option<u32>,
    /// Whether it has a memory cgroup of its own.
    pub has_cgroup: bool,
    /// How many it has run.
    pub episodes: u32,
}

impl Slot {
    /// Starts a slot process and waits until its sandbox is ready. `fds` travel with the set-up; `cgroup` lives as long as
    /// the process.
    pub async fn build(
        setup: &Setup,
        grants: Arc<Grants>,
        processes: Rc<Processes>,
        fds: &[OwnedFd],
        cgroup: Option<Cgroup>,
    ) -> Result<Slot, BuildError> {
        let (ours, theirs) = socket::pair().map_err(io::Error::from)?;
        fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(io::Error::from)?;
        let begin = Instant::now();
        let log_before = processes.log.length();
        let process = process::start(setup.slot, theirs, processes.log.stdio())?;
        let scratch = setup.scratch.clone().map(|path| Scratch {
            path,
            ids: setup.ids,
        });
        processes.started(process, setup.slot, scratch, cgroup);
        let enforced = Enforced {
            tier: setup.tier,
            landlock_abi: 0,
        };
        let socket = socket::register(ours)?;
        let mut assembler = Assembler::default();
        assembler.limit(PACKET_BYTES);
        let mut slot = Slot {
            number: setup.slot,
            log_before,
            socket,
            process,
            assembler,
            processes,
            grants,
            unusual_places: setup.unusual_places,
            enforced,
            own_uid: setup.ids.change.then_some(setup.ids.uid),
            has_cgroup: setup.cgroup,
            episodes: 0,
        };
        let fds: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        slot.send_with(setup, &fds).await?;
        match slot.recv::<Reply>().await? {
            Reply::Ready(enforced) if enforced.tier == setup.tier => slot.enforced = enforced,
            Reply::Refused(failure) => {
                debug!(slot = setup.slot, %failure, "could not be built");
                return Err(SlotLost::Refused(failure).into());
            }
            _ => return Err(SlotLost::Garbled.into()),
        }
        // Not before: what builds a slot takes its time, and the machine has other work.
        if setup.real_time {
            process::make_real_time(process);
        }
        let took_ms = begin.elapsed().as_millis() as u64;
        debug!(slot = setup.slot, pid = process.as_raw(), took_ms, "built");
        Ok(slot)
    }

    /// Runs one episode. `fds` travel with the request, as it says. After an error the slot must not be
    /// used again.
    pub async fn run(
        &mut self,
        request: EpisodeRequest<'_>,
        fds: &[RawFd],
    ) -> Result<Execution, SlotLost> {
        let expected = Expected::of_episode(&request);
        let sent = self.send_with(&Request::Episode(request), fds).await;
        sent.map_err(|_| SlotLost::WasDead)?;
        self.assembler.limit(expected.most_bytes());
        let reply = self.recv().await?;
        self.execution(&expected, reply)
    }

    /// Begins one execution of the session that the slot belongs to.
    pub async fn send_step(
        &mut self,
        request: StepRequest<'_>,
        expected: &Expected,
    ) -> Result<(), SlotLost> {
        self.tell(&Request::Step(request), expected.most_bytes())
            .await
    }

    /// The facts of the execution that was begun; when `cancel` is ready it is ended.
    pub async fn finish_step(
        &mut self,
        expected: &Expected,
        cancel: impl Future<Output = ()>,
    ) -> Result<Execution, SlotLost> {
        tokio::pin!(cancel);
        let reply = tokio::select! {
            reply = self.recv() => reply?,
            () = &mut cancel => {
                self.send(&Request::Cancel).await?;
                self.recv().await?
            }
        };
        self.execution(expected, reply)
    }

    fn execution(&self, expected: &Expected, reply: Reply) -> Result<Execution, SlotLost> {
        match reply {
            Reply::Ended(facts) if facts.enforced == self.enforced && expected.fits(&facts) => {
                Ok(*facts)
            }
            Reply::Refused(failure) => Err(self.refused(failure)),
            _ => Err(SlotLost::Garbled),
        }
    }

    /// Where one of its processes has died, that is why.
    fn refused(&self, failure: Failure) -> SlotLost {
        let printed = self.printed();
        if printed.is_empty() {
            SlotLost::Refused(failure)
        } else {
            SlotLost::Died(printed)
        }
    }

    /// What its processes have printed.
    fn printed(&self) -> String {
        self.processes.log.of_slot(self.number, self.log_before)
    }

    /// Makes the slot that of one session, with these files. After an error, the inner one too, it must not be used again.
    pub async fn open(
        &mut self,
        sandbox: &Sandbox,
        files: &[InputFile],
    ) -> Result<Result<(), NotPrepared>, SlotLost> {
        let order = Request::Open {
            sandbox: Cow::Borrowed(sandbox),
            files: Cow::Borrowed(files),
        };
        match self.ask(&order, PACKET_BYTES).await? {
            Reply::Opened(opened) => Ok(opened),
            Reply::Refused(failure) => Err(SlotLost::Refused(failure)),
            _ => Err(SlotLost::Garbled),
        }
    }

    /// Puts a piece of a file into the session's sandbox.
    pub async fn put(&mut self, piece: Put) -> Result<Result<(), NotDone>, SlotLost> {
        let order = Request::Put(piece);
        match self.ask(&order, PACKET_BYTES).await? {
            Reply::Put(put) => Ok(put),
            _ => Err(SlotLost::Garbled),
        }
    }

    /// Takes a piece of a file out of the session's sandbox.
    pub async fn get(&mut self, what: Get) -> Result<Result<Piece, NotDone>, SlotLost> {
        let order = Request::Get(what);
        match self.ask(&order, DATA_BYTES + PACKET_BYTES).await? {
            Reply::Got(got) => Ok(got),
            _ => Err(SlotLost::Garbled),
        }
    }

    /// One order and its answer, of at most so many bytes.
    async fn ask(&mut self, order: &Request<'_>, most: usize) -> Result<Reply, SlotLost> {
        self.tell(order, most).await?;
        self.recv().await
    }

    async fn tell<T: Serialize>(&mut self, order: &T, most: usize) -> Result<(), SlotLost> {
        self.send(order).await.map_err(|_| SlotLost::WasDead)?;
        self.assembler.limit(most);
        Ok(())
    }

    async fn send<T: Serialize>(&self, message: &T) -> Result<(), SlotLost> {
        self.send_with(message, &[]).await
    }

    /// Descriptors travel with the first packet.
    async fn send_with<T: Serialize>(
        &self,
        message: &T,
        mut fds: &[RawFd],
    ) -> Result<(), SlotLost> {
        for (header, body) in packets(&encode(message)) {
            loop {
                match socket::send(self.socket.get_ref().as_fd(), &header, body, fds) {
                    Ok(()) => break,
                    Err(Errno::EAGAIN) => socket::room(self.socket.get_ref())
                        .await
                        .map_err(|_| self.died())?,
                    Err(_) => return Err(self.died()),
                }
            }
            fds = &[];
        }
        Ok(())
    }

    /// With what its processes have printed last.
    fn died(&self) -> SlotLost {
        let printed = self.printed();
        warn!(
            slot = self.number,
            pid = self.process.as_raw(),
            printed,
            "died"
        );
        SlotLost::Died(printed)
    }

    async fn recv<T: DeserializeOwned>(&mut self) -> Result<T, SlotLost> {
        loop {
            let mut ready = self.socket.readable().await.map_err(|_| self.died())?;
            match receive_packet(ready.get_inner(), &mut self.assembler) {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(Received::NotYet) => ready.clear_ready(),
                Err(Received::Garbled) => return Err(SlotLost::Garbled),
                Err(Received::Died) => return Err(self.died()),
            }
        }
    }
}

enum Received {
    NotYet,
    Garbled,
    Died,
}

thread_local! {
    /// One receive buffer for all slots: packets are taken out of it before the next is received.
    static BUFFER: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; PACKET_BYTES]);
}

fn receive_packet<T: DeserializeOwned>(
    fd: &OwnedFd,
    assembler: &mut Assembler,
) -> Result<Option<T>, Received> {
    BUFFER.with_borrow_mut(
        |buffer| match socket::recv(fd.as_fd(), buffer, &mut Vec::new()) {
            Ok(0) => Err(Received::Died),
            Ok(length) => assembler
                .push(&buffer[..length])
                .map_err(|_| Received::Garbled),
            Err(Errno::EAGAIN) => Err(Received::NotYet),
            Err(_) => Err(Received::Died),
        },
    )
}

impl Slot {
    /// What has to be over when the slot has ended.
    pub fn process(&self) -> Pid {
        self.process
    }
}

impl Drop for Slot {
    /// Says that it is not needed any more. If that does not get through, the end of the socket ends it too.
    fn drop(&mut self) {
        debug!(slot = self.number, episodes = self.episodes, "let go");
        let order = Request::End;
        for (header, body) in packets(&encode(&order)) {
            let _ = socket::send(self.socket.get_ref().as_fd(), &header, body, &[]);
        }
        self.processes.let_go(self.process);
    }
}
