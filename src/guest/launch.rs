//! The messages, in postcard's encoding: `Launch`, `WarmExit` and those of warm Pythons of `wire::message`, whose tests
//! hold both sides together.

use crate::guest::link::wipe;
use std::ffi::CString;

/// What to run.
pub(super) struct Launch {
    pub argv: Vec<CString>,
    /// `NAME=value`, beyond what the interpreter started with.
    pub env: Vec<CString>,
    pub workdir: CString,
    /// `RLIMIT_…` and its value.
    pub rlimits: Vec<(u32, u64)>,
}

impl Launch {
    /// None for anything that init would not send.
    pub(super) fn decode(bytes: &[u8]) -> Option<Launch> {
        let mut rest = bytes;
        let launch = Launch {
            argv: list(&mut rest, text)?,
            env: list(&mut rest, text)?,
            workdir: text(&mut rest)?,
            rlimits: list(&mut rest, |r| Some((number(r)? as u32, number(r)?)))?,
        };
        Some(launch)
    }

    /// Leaves nothing of it in memory.
    pub(super) fn wipe(self) {
        let strings = self.argv.into_iter().chain(self.env).chain([self.workdir]);
        strings.for_each(|text| wipe(text.into_bytes()));
    }
}

/// How a launch ended; `kind` and `value` as `wire::message::WarmExit` says.
pub(super) struct Exit {
    pub kind: u64,
    pub value: u64,
    pub forked_ns: u64,
    pub running_ns: u64,
    pub ended_ns: u64,
    pub cpu_us: u64,
    pub max_rss_bytes: u64,
}

impl Exit {
    pub(super) fn encode(&self) -> Vec<u8> {
        let fields = [
            self.kind,
            self.value,
            self.forked_ns,
            self.running_ns,
            self.ended_ns,
            self.cpu_us,
            self.max_rss_bytes,
        ];
        let mut bytes = Vec::new();
        fields.into_iter().for_each(|field| put(&mut bytes, field));
        bytes
    }
}

/// What a copy of a parent is to become.
pub(super) struct Enter {
    pub slot: u32,
    /// Whether to take on the uid and gid.
    pub change: bool,
    pub uid: u32,
    pub gid: u32,
    /// Whether it becomes the parent of what programs leave behind.
    pub reaps: bool,
    /// Whether it becomes a real-time process, where it may.
    pub real_time: bool,
    /// How long it goes on when init is gone without a word.
    pub end_delay_ms: u32,
    /// A program for seccomp.
    pub filter: Vec<u8>,
    /// `NAME=value`: what programs of the slot have, if not more.
    pub env: Vec<CString>,
}

impl Enter {
    pub(super) fn decode(bytes: &[u8]) -> Option<Enter> {
        let mut rest = bytes;
        Some(Enter {
            slot: number(&mut rest)? as u32,
            change: number(&mut rest)? != 0,
            uid: number(&mut rest)? as u32,
            gid: number(&mut rest)? as u32,
            reaps: number(&mut rest)? != 0,
            real_time: number(&mut rest)? != 0,
            end_delay_ms: number(&mut rest)? as u32,
            filter: raw(&mut rest)?.to_vec(),
            env: list(&mut rest, text)?,
        })
    }
}

/// What a Python zygote says first.
pub(super) struct Greeting {
    pub pid: u64,
    pub device: u64,
    pub inode: u64,
    /// Packages and modules that a new Python would not have loaded.
    pub loaded: Vec<String>,
    /// Variables that were looked up while they were loaded; `*` stands for all.
    pub looked_up: Vec<String>,
}

impl Greeting {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for field in [self.pid, self.device, self.inode] {
            put(&mut bytes, field);
        }
        for names in [&self.loaded, &self.looked_up] {
            put(&mut bytes, names.len() as u64);
            for name in names {
                put(&mut bytes, name.len() as u64);
                bytes.extend(name.as_bytes());
            }
        }
        bytes
    }
}

/// How a parent gets on with its modules.
pub(super) struct News<'a> {
    kind: u64,
    module: &'a str,
    detail: &'a str,
}

impl<'a> News<'a> {
    pub(super) fn new(kind: u64, module: &'a str, detail: &'a str) -> News<'a> {
        News {
            kind,
            module,
            detail,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, self.kind);
        for text in [self.module, self.detail] {
            put(&mut bytes, text.len() as u64);
            bytes.extend(text.as_bytes());
        }
        bytes
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// An unsigned integer: seven bits a byte, the lowest first, the high bit set on all but the last.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn raw<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(rest)?).ok()?;
    let (bytes, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(bytes)
}

fn text(rest: &mut &[u8]) -> Option<CString> {
    CString::new(raw(rest)?).ok()
}

fn list<T>(rest: &mut &[u8], item: impl Fn(&mut &[u8]) -> Option<T>) -> Option<Vec<T>> {
    let count = number(rest)?;
    (0..count).map(|_| item(rest)).collect()
}
