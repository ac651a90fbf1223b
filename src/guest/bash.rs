//! The loadable builtin of bash, and what a bash that was forked must forget of its parent.
//!
//! `slot::warm` lets a login bash run `runner SOCKET SLICE NICE END_DELAY DIRECTORY STATUS LAST` at the end of its start-up files; DIRECTORY
//! is where it started. In a child the builtin returns, the start-up file ends, and bash goes on by itself to its `-c`
//! string, which we have replaced: from there on nothing is ours. Names and layouts are those of bash 4.4 to 5.3
//! (`shell.h`, `builtins.h`, `command.h`).

use crate::guest::c;
use crate::guest::child::Ordinary;
use crate::guest::launch::Launch;
use crate::guest::zygote::serve;
use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Builtin {
    name: *const c_char,
    function: extern "C" fn(*const WordList) -> c_int,
    flags: c_int,
    long_doc: *const *const c_char,
    short_doc: *const c_char,
    handle: *mut c_char,
}

#[repr(C)]
pub(super) struct WordList {
    next: *const WordList,
    word: *const Word,
}

#[repr(C)]
struct Word {
    text: *const c_char,
    flags: c_int,
}

const ENABLED: c_int = 1;
const NAME: &CStr = c"runner";

struct Docs([*const c_char; 2]);
// SAFETY: never written to; the pointers are to literals.
unsafe impl Sync for Docs {}
static LONG_DOC: Docs = Docs([c"Serves launches.".as_ptr(), std::ptr::null()]);

/// What `enable -f` looks for. Mutable because bash writes to it.
#[unsafe(no_mangle)]
pub(super) static mut runner_struct: Builtin = Builtin {
    name: NAME.as_ptr(),
    function: builtin,
    flags: ENABLED,
    long_doc: LONG_DOC.0.as_ptr(),
    short_doc: c"runner SOCKET SLICE NICE END_DELAY DIRECTORY STATUS LAST".as_ptr(),
    handle: std::ptr::null_mut(),
};

unsafe extern "C" {
    static mut dollar_dollar_pid: c_int;
    static mut shell_pgrp: c_int;
    static mut original_pgrp: c_int;
    static mut shell_start_time: c_long;
    static mut command_execution_string: *mut c_char;
    static mut shell_builtins: *mut Builtin;
    static mut num_shell_builtins: c_int;
    fn seedrand();
    fn set_ppid();
    fn set_pwd();
    fn set_working_directory(path: *const c_char);
    fn bind_variable(name: *const c_char, value: *const c_char, flags: c_int) -> *mut c_void;
    fn unbind_variable(name: *const c_char) -> c_int;
    /// bash's own, which makes an exported variable of it.
    fn setenv(name: *const c_char, value: *const c_char, replace: c_int) -> c_int;
    fn strdup(text: *const c_char) -> *mut c_char;
    fn getcwd(buffer: *mut c_char, length: usize) -> *mut c_char;
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
}

extern "C" fn builtin(arguments: *const WordList) -> c_int {
    let numbers = [0, 1, 2, 3, 5].map(|index| argument(arguments, index));
    let [
        Some(socket),
        Some(slice),
        Some(nice),
        Some(end_delay),
        Some(status),
    ] = numbers
    else {
        leave();
    };
    // A fork would be in another directory, and would not have what start-up files left running or open.
    let elsewhere = word(arguments, 4) != current_directory().as_deref();
    if elsewhere || has_children() || has_descriptors(socket as c_int) {
        leave();
    }
    let launch = serve(
        socket as i32,
        Ordinary {
            slice_ns: slice as u64,
            nice: nice as i32,
        },
        end_delay as u32,
    );
    start_afresh(&launch);
    // As whatever came last in the start-up files.
    status as c_int
}

/// Ends a bash that can't be a zygote. Init sees the end of the socket, and goes on without it.
fn leave() -> ! {
    // SAFETY: _exit(2) has no preconditions.
    unsafe { c::_exit(1) }
}

fn argument(list: *const WordList, index: usize) -> Option<i64> {
    word(list, index)?.to_str().ok()?.parse().ok()
}

fn word<'a>(mut list: *const WordList, index: usize) -> Option<&'a CStr> {
    for _ in 0..index {
        // SAFETY: bash hands us a null-terminated list of words, which it keeps while the builtin runs.
        list = unsafe { list.as_ref() }?.next;
    }
    // SAFETY: the list is null-terminated, bash keeps it while the builtin runs, and every word has a NUL-terminated text.
    Some(unsafe { CStr::from_ptr((*list.as_ref()?.word).text) })
}

fn current_directory() -> Option<CString> {
    let mut directory = [0; 4096];
    // SAFETY: getcwd fills at most as many bytes as it is told, and terminates them.
    let found = unsafe { getcwd(directory.as_mut_ptr(), directory.len()) };
    // SAFETY: what is not null is the text that getcwd has terminated, in a live local.
    (!found.is_null()).then(|| unsafe { CStr::from_ptr(found) }.to_owned())
}

/// Whether start-up files left a process behind.
fn has_children() -> bool {
    const ANY: c_int = -1;
    // SAFETY: null pointers say that neither status nor use is asked for.
    let result = unsafe { c::wait4(ANY, std::ptr::null_mut(), c::WNOHANG, std::ptr::null_mut()) };
    result != -1
}

/// Whether start-up files left a descriptor open, of those that have a number in scripts.
fn has_descriptors(own: c_int) -> bool {
    const IN_SCRIPTS: std::ops::Range<c_int> = 3..255;
    let is_open = |fd| {
        // SAFETY: asks for flags of a number.
        unsafe { c::fcntl(fd, c::F_GETFD) != -1 }
    };
    IN_SCRIPTS.into_iter().any(|fd| fd != own && is_open(fd))
}

/// Sets what bash settled at its start for the parent and not for this process.
fn start_afresh(launch: &Launch) {
    // SAFETY: bash is single-threaded and stands still in our builtin; every string is NUL-terminated, and bash copies
    // those it keeps or is given a copy of its own.
    unsafe {
        let pid = c::getpid();
        dollar_dollar_pid = pid;
        shell_pgrp = pid;
        original_pgrp = pid;
        set_ppid();
        let mut now = c::TimePair::default();
        c::gettimeofday(&mut now, std::ptr::null_mut());
        shell_start_time = now.seconds;
        // Only from bash 5.1 on.
        if let Some(start) = optional(c"shellstart") {
            start.cast::<c::TimePair>().write(now);
        }
        seedrand();
        if let Some(seed) = optional(c"seedrand32") {
            std::mem::transmute::<*mut c_void, extern "C" fn()>(seed)();
        }
        if let Some(directory) = current_directory() {
            set_working_directory(directory.as_ptr());
            set_pwd();
        }
        for variable in &launch.env {
            let (name, value) = split(variable.as_bytes_with_nul());
            setenv(name.as_ptr().cast(), value.as_ptr().cast(), 1);
        }
        if let Some(command) = launch.argv.get(2) {
            command_execution_string = strdup(command.as_ptr());
            bind_variable(c"BASH_EXECUTION_STRING".as_ptr(), command.as_ptr(), 0);
        }
        unbind_variable(c"runner_last".as_ptr());
        unbind_variable(c"runner_status".as_ptr());
        forget_builtin();
    }
}

/// `NAME=value\0` as two NUL-terminated strings.
fn split(variable: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let at = variable.iter().position(|b| *b == b'=');
    let (name, value) = variable.split_at(at.unwrap_or(variable.len() - 1));
    (
        [name, b"\0"].concat(),
        value[1.min(value.len() - 1)..].to_vec(),
    )
}

fn optional(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the null handle searches what is loaded (RTLD_DEFAULT).
    let found = unsafe { dlsym(std::ptr::null_mut(), name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// Takes our builtin out of bash's table, as `enable -d` would, but without unloading the code that is running.
///
/// # Safety
/// Bash is not searching its table.
unsafe fn forget_builtin() {
    // SAFETY: the table holds `num_shell_builtins` entries and a terminator, sorted by name, in memory that bash made
    // for it when ours was added.
    unsafe {
        let count = num_shell_builtins as usize;
        let table = std::slice::from_raw_parts_mut(shell_builtins, count + 1);
        let own = |b: &Builtin| !b.name.is_null() && CStr::from_ptr(b.name) == NAME;
        if let Some(at) = table.iter().position(own) {
            table.copy_within(at + 1.., at);
            num_shell_builtins -= 1;
        }
    }
}
