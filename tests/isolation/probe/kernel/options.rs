//! Options of calls that are many in one: setsockopt, getsockopt, ioctl, fcntl.

use crate::raw::{address, done, number};
use crate::{Attempt, Probe};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

pub const PROBES: &[Probe] = &[
    ("socket-filter", |_| {
        set_option(libc::SO_ATTACH_FILTER, Value::Filter)
    }),
    ("socket-filter-of-group", |_| {
        set_option(libc::SO_ATTACH_REUSEPORT_CBPF, Value::Filter)
    }),
    ("socket-filter-lock", |_| {
        set_option(libc::SO_LOCK_FILTER, Value::One)
    }),
    ("set-socket-option", |arguments| {
        set_option(number(&arguments[0]) as i32, Value::One)
    }),
    ("get-socket-option", |arguments| get_option(&arguments[0])),
    ("socket-ioctl", |arguments| {
        let mut request = [0u8; 40];
        // The name of an interface, as those calls expect it that ask for one.
        request[..2].copy_from_slice(b"lo");
        on_socket(
            libc::SYS_ioctl,
            number(&arguments[0]),
            address(&mut request),
        )
    }),
    ("file-control", |arguments| {
        on_pipe(number(&arguments[0]), number(&arguments[1]))
    }),
];

enum Value {
    One,
    /// A program of one instruction: keep all of a packet.
    Filter,
}

/// Sets an option of SOL_SOCKET.
fn set_option(name: i32, value: Value) -> Attempt {
    let (socket, _other) = UnixStream::pair().map_err(crate::errno)?;
    let mut one = 1u32;
    let mut instructions: [u64; 1] = [0x06 | 0xffff << 32];
    let mut program = [1, address(&mut instructions)];
    let (value, size) = match value {
        Value::One => (address(&mut one), 4),
        Value::Filter => (address(&mut program), 16),
    };
    let arguments = [
        socket.as_raw_fd() as u64,
        libc::SOL_SOCKET as u64,
        name as u64,
        value,
        size,
    ];
    done(libc::SYS_setsockopt, &arguments)
}

fn get_option(name: &str) -> Attempt {
    let (socket, _other) = UnixStream::pair().map_err(crate::errno)?;
    let (mut value, mut size) = ([0u8; 64], 64u32);
    let arguments = [
        socket.as_raw_fd() as u64,
        libc::SOL_SOCKET as u64,
        number(name),
        address(&mut value),
        address(&mut size),
    ];
    done(libc::SYS_getsockopt, &arguments)
}

fn on_socket(call: i64, request: u64, argument: u64) -> Attempt {
    let (socket, _other) = UnixStream::pair().map_err(crate::errno)?;
    done(call, &[socket.as_raw_fd() as u64, request, argument])
}

fn on_pipe(command: u64, argument: u64) -> Attempt {
    let (end, _other): (OwnedFd, OwnedFd) = nix::unistd::pipe()?;
    done(
        libc::SYS_fcntl,
        &[end.as_raw_fd() as u64, command, argument],
    )
}
