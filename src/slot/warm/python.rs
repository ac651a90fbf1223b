//! Init's side of a warm Python: what its zygote enters, and what it may be given.

use super::interpreter::{ForkRequest, Interpreter, hand_over};
use crate::sandbox::layout::HOST_LAYOUT;
use crate::sandbox::ruleset::{Ruleset, Scene};
use crate::sandbox::tier;
use crate::slot::give_up::filter;
use crate::slot::link::{Link, LinkBroken};
use crate::slot::search_path::candidates;
use crate::slot::space::Space;
use crate::spec::policy::Tier;
use crate::spec::step::{Program, Step};
use crate::spec::warm::Start;
use crate::wire::message::{PreloadedPython, Setup, WarmEnter, WarmGreeting};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Variables that Python, the C library or the loader read at their start (python(1), environ(7), ld.so(8)).
const SPECIAL: [&str; 8] = [
    "PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TZDIR", "LOCPATH", "NLSPATH",
];
/// Beginnings of such, and of what numerical libraries read when they are loaded.
const SPECIAL_BEGINNINGS: [&str; 19] = [
    "PYTHON",
    "__PYVENV",
    "LC_",
    "LD_",
    "MALLOC_",
    "GLIBC_",
    "OMP_",
    "GOMP_",
    "KMP_",
    "MKL_",
    "OPENBLAS_",
    "GOTO_",
    "BLIS_",
    "VECLIB_",
    "NUMEXPR_",
    "NPY_",
    "CUDA_",
    "TF_",
    "ASAN_",
];

/// A program with more files than this is not looked through, but starts a Python of its own.
const MAX_ENTRIES: usize = 500;

/// A Python that has imported its modules, or is about to.
pub(crate) struct Python {
    link: Link,
    /// None where its zygote has enforced it on itself.
    ruleset: Option<OwnedFd>,
    path: PathBuf,
    /// What variables of its modules begin with: `NUMPY_`.
    beginnings: Vec<String>,
    /// Where a user has modules of their own.
    user_modules: PathBuf,
    /// Packages and modules that programs find loaded.
    loaded: BTreeSet<String>,
    /// Variables that those have seen as they were in the parent; `*` stands for all.
    looked_up: BTreeSet<String>,
    state: State,
    tier: Tier,
}

enum State {
    /// The parent is not ready, or the zygote on its way.
    Expected(Invitation),
    /// The file of the interpreter, by device and inode.
    Here(u64, u64),
    Gone,
}

/// What a zygote is to enter: the order, and the slot's namespaces.
struct Invitation(WarmEnter, Vec<File>);

impl Interpreter for Python {
    fn start(&self) -> Start {
        Start::WarmPython
    }

    fn fits(&self, request: ForkRequest<'_>) -> bool {
        let argv = request.argv;
        let State::Here(device, inode) = self.state else {
            return false;
        };
        let is_it = |path: &Path| {
            path.parent() == self.path.parent()
                && fs::metadata(path).is_ok_and(|m| (m.dev(), m.ino()) == (device, inode))
        };
        runs_a_program(argv)
            && request.extra.is_empty()
            && request.step.env.iter().all(|(name, _)| self.ignores(name))
            && found(argv).is_some_and(|path| is_it(&path))
            && fs::symlink_metadata(&self.user_modules).is_err()
            && !self.is_shadowed(argv, request.workdir)
    }

    fn zygote(&mut self) -> (&mut Link, Option<RawFd>) {
        let ruleset = self.ruleset.as_ref().map(AsRawFd::as_raw_fd);
        (&mut self.link, ruleset)
    }

    fn has_base_environment(&self) -> bool {
        false
    }

    // Entering takes it some 2 ms, for which nobody waits who has no need of it.
    fn arrive(&mut self, steps: &[Step]) -> Option<i32> {
        let State::Expected(invitation) = &self.state else {
            return None;
        };
        if !steps.iter().any(|step| self.may_be(&step.program)) {
            return None;
        }
        let mut answer = [PollFd::new(self.link.as_fd(), PollFlags::POLLIN)];
        if poll(&mut answer, PollTimeout::ZERO) != Ok(1) {
            return None;
        }
        let entered = admit(&mut self.link, invitation);
        self.state = State::Gone;
        let greeting = entered.ok()?;
        self.ruleset = hand_over(self.ruleset.take()?, &self.link, self.tier).ok()?;
        self.loaded = greeting.loaded.into_iter().collect();
        self.looked_up = greeting.looked_up.into_iter().collect();
        self.state = State::Here(greeting.device, greeting.inode);
        Some(greeting.pid as i32)
    }
}

impl Python {
    /// Prepares for those that the runner has sockets to.
    pub(crate) fn invite(sockets: Vec<OwnedFd>, setup: &Setup, space: &Space) -> Vec<Python> {
        let mut invited = Vec::new();
        for (socket, python) in sockets.into_iter().zip(&setup.warm_pythons) {
            // One that can't be had is no loss but of time.
            invited.extend(Python::invite_one(socket, python, setup, space));
        }
        invited
    }

    fn invite_one(
        socket: OwnedFd,
        python: &PreloadedPython,
        setup: &Setup,
        space: &Space,
    ) -> Option<Python> {
        let isolation = tier::of(setup.tier);
        let namespaces = isolation.namespaces(setup.grants.network).ok()?;
        let (uid, gid) = isolation.user(setup);
        let enter = WarmEnter {
            slot: setup.slot,
            change: setup.ids.change,
            uid,
            gid,
            reaps: !setup.tier.has_own_processes(),
            real_time: setup.real_time,
            end_delay_ms: setup.end_delay_ms(),
            filter: serde_bytes::ByteBuf::from(filter(setup).ok()?.to_bytes()),
            env: variables(space),
        };
        let beginning = |module: &String| {
            let top = module.split('.').next().unwrap_or_default();
            format!("{}_", top.to_uppercase())
        };
        let home = match &setup.scratch {
            Some(scratch) => scratch.join("home"),
            None => PathBuf::from("/home/runner"),
        };
        Some(Python {
            link: Link::short(socket),
            ruleset: Some(
                Ruleset::prepare(&Scene::of(setup, &[]))
                    .ok()?
                    .into_fd()
                    .ok()?,
            ),
            path: PathBuf::from(&python.path),
            beginnings: python.modules.iter().map(beginning).collect(),
            user_modules: home.join(".local"),
            loaded: BTreeSet::new(),
            looked_up: BTreeSet::new(),
            state: State::Expected(Invitation(enter, namespaces)),
            tier: setup.tier,
        })
    }

    /// Whether this runs a program in what may be this interpreter.
    fn may_be(&self, program: &Program) -> bool {
        let Program::Argv(argv) = program else {
            return false;
        };
        let found = || found(argv).is_some_and(|path| path.parent() == self.path.parent());
        runs_a_program(argv) && found()
    }

    /// Whether the program has a module of its own by a name that is loaded already, or may have: where it begins, or
    /// further down, where it may add a directory to its path.
    fn is_shadowed(&self, argv: &[String], workdir: &Path) -> bool {
        let mut places = vec![workdir.to_owned()];
        if !matches!(argv[1].as_str(), "-c" | "-m") {
            match fs::canonicalize(workdir.join(&argv[1])) {
                // One that holds a whole program, as an archive does.
                Ok(path) if path.is_dir() || is_archive(&path) => return true,
                Ok(path) => places.extend(path.parent().map(Path::to_owned)),
                // Nothing to run.
                Err(_) => {}
            }
        }
        let mut left = MAX_ENTRIES;
        while let Some(place) = places.pop() {
            for entry in fs::read_dir(&place).into_iter().flatten().flatten() {
                left -= 1;
                let name = entry.file_name();
                let stem = name.to_str().and_then(|name| name.split('.').next());
                if left == 0 || stem.is_some_and(|stem| self.loaded.contains(stem)) {
                    return true;
                }
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    places.push(entry.path());
                }
            }
        }
        false
    }

    /// Whether a variable can as well be set after the start.
    fn ignores(&self, name: &str) -> bool {
        let begins = |beginning: &str| name.starts_with(beginning);
        !name.is_empty()
            && !SPECIAL.contains(&name)
            && !SPECIAL_BEGINNINGS.into_iter().any(begins)
            && !self.beginnings.iter().any(|b| begins(b))
            && ![name, "*"].iter().any(|n| self.looked_up.contains(*n))
    }
}

/// Whether Python would find modules in it (zipimport), which it looks for near the end of a file. What can't be read
/// without waiting may be one too.
fn is_archive(file: &Path) -> bool {
    const RECORD: &[u8] = b"PK\x05\x06";
    /// The record and the longest comment that may follow it.
    const MAX_BYTES: u64 = 22 + 0xffff;
    let last = || {
        let mut file = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(file)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        file.seek(SeekFrom::Start(meta.len().saturating_sub(MAX_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(bytes)
    };
    last().map_or(true, |bytes| {
        bytes.windows(RECORD.len()).any(|window| window == RECORD)
    })
}

/// Waits until it has entered, about a millisecond.
fn admit(
    link: &mut Link,
    Invitation(enter, namespaces): &Invitation,
) -> Result<WarmGreeting, LinkBroken> {
    let greeting = link.recv()?;
    let fds: Vec<i32> = namespaces.iter().map(AsRawFd::as_raw_fd).collect();
    link.send_with(enter, &fds)?;
    link.recv::<()>()?;
    Ok(greeting)
}

/// `-c CODE`, `-m MODULE` or a file, and no other option.
fn runs_a_program(argv: &[String]) -> bool {
    match argv {
        [_, option, _, ..] if option == "-c" || option == "-m" => true,
        [_, file, ..] => !file.is_empty() && !file.starts_with('-'),
        _ => false,
    }
}

/// Where execvp(3) finds the program; `PATH` is that of the base environment.
fn found(argv: &[String]) -> Option<PathBuf> {
    let base = HOST_LAYOUT.environment(str::to_owned);
    let env: Vec<String> = base
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut places = candidates(argv, &env).into_iter().map(PathBuf::from);
    let found = places.find(|path| fs::metadata(path).is_ok());
    found.filter(|path| path.is_absolute())
}

/// The base environment.
fn variables(space: &Space) -> Vec<String> {
    let real = |path: &str| space.real(path).to_string_lossy().into_owned();
    let base: BTreeMap<String, String> = space.layout.environment(real).into_iter().collect();
    base.into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}
