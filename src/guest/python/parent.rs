//! The parent: starts Python, imports, tells the runner how that went, and forks a zygote for every slot.

use super::api::{Api, Helper};
use super::arguments::{Config, Fields};
use super::end::cut_short;
use super::enter::enter;
use super::environment;
use super::turn::Turn;
use super::{lookups, room};
use crate::guest::c;
use crate::guest::child::Ordinary;
use crate::guest::launch::{Enter, Greeting, Launch, News};
use crate::guest::link::{Link, LinkBroken};
use crate::guest::version;
use crate::guest::zygote::Zygote;
use crate::wire::kinds::news;
use std::ffi::{CStr, CString, c_int};
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;

/// How long a module may take to import, all together, in seconds. The runner gives up before that.
const IMPORT_TIMEOUT_S: u32 = 75;

/// What init has to know of an interpreter that has imported its modules.
struct Known {
    loaded: Vec<String>,
    looked_up: Vec<String>,
}

/// Replaces `main` in a Python that says this of its version. Returns in the children alone, with a program's exit status.
pub(super) fn run(said: &str, orders: &str) -> c_int {
    // SAFETY: a plain system call; keeps others of the same user out of this process (ptrace, /proc/<pid>/mem).
    unsafe { c::prctl(c::PR_SET_DUMPABLE, 0 as std::ffi::c_long) };
    let mut words = orders.split(' ');
    let mut number = || words.next()?.parse::<i64>().ok();
    let (Some(socket), Some(slice), Some(nice)) = (number(), number(), number()) else {
        return 2;
    };
    let ordinary = Ordinary {
        slice_ns: slice as u64,
        nice: nice as i32,
    };
    let modules: Vec<CString> = words
        .next()
        .unwrap_or_default()
        .split(',')
        .filter(|name| !name.is_empty())
        .filter_map(|name| CString::new(name).ok())
        .collect();
    let socket = socket as c_int;
    // SAFETY: takes numbers only. Import that never ends, in a process whose runner is gone, ends here.
    unsafe { c::alarm(IMPORT_TIMEOUT_S) };
    let mut link = Link::new(socket);
    let refuse = |kind, found: &str| {
        let _ = link.send(&News::new(kind, "", found).encode());
        2
    };
    if let Err(unfit) = version::check(said) {
        return refuse(unfit.kind, &unfit.found);
    }
    let Some(api) = Api::find() else {
        return refuse(news::UNUSABLE, "");
    };
    let api: &'static Api = Box::leak(Box::new(api));
    let Some((helper, fields, printed)) = start(api) else {
        return refuse(news::UNUSABLE, "");
    };
    let Ok(known) = import(&helper, &link, &modules, printed) else {
        return 2;
    };
    // SAFETY: takes a number only, and takes back the end that importing was threatened with.
    unsafe { c::alarm(0) };
    room::make(api);
    match serve(&helper, &fields, &mut link, socket, ordinary, &known) {
        Some(_) => {
            // SAFETY: Python is initialised, and nothing of ours is used after it has ended.
            unsafe { (api.Py_RunMain)() }
        }
        None => 0,
    }
}

/// Python as it is before a program, with pipes for stdin, stdout and stderr; the last are read from the result.
fn start(api: &'static Api) -> Option<(Helper<'static>, Fields, c_int)> {
    let (mut input, mut output) = ([0; 2], [0; 2]);
    // SAFETY: system calls on integers and on live arrays of two; the descriptors are ours alone.
    unsafe {
        if c::pipe2(input.as_mut_ptr(), c::O_CLOEXEC) == -1
            || c::pipe2(output.as_mut_ptr(), c::O_CLOEXEC | c::O_NONBLOCK) == -1
        {
            return None;
        }
        for (from, to) in [(input[0], 0), (output[1], 1), (output[1], 2)] {
            c::dup2(from, to);
        }
        for end in [input[0], input[1], output[1]] {
            c::close(end);
        }
    }
    let mut fields = Fields::find(api)?;
    let name = CString::new(std::env::args_os().next()?.into_encoded_bytes()).ok()?;
    let config = Config::of(api, &[&name, c"-c", c"pass"])?;
    // SAFETY: a configuration that was made by the functions for it.
    let status = unsafe { (api.Py_InitializeFromConfig)(config.0.as_ptr().cast()) };
    // SAFETY: takes a struct of plain values.
    if unsafe { (api.PyStatus_Exception)(status) } != 0 {
        return None;
    }
    fields.find_program(api, &name);
    Some((Helper::load(api)?, fields, output[0]))
}

fn import(
    helper: &Helper<'_>,
    link: &Link,
    modules: &[CString],
    printed: c_int,
) -> Result<Known, LinkBroken> {
    let say = |kind, module: &CStr, detail: &str| {
        link.send(&News::new(kind, &module.to_string_lossy(), detail).encode())
    };
    for module in modules {
        let found = helper.call(c"find", &[helper.text(module)]);
        if !found.is_some_and(|found| helper.is_true(found)) {
            say(news::MISSING, module, "")?;
            return Err(LinkBroken);
        }
    }
    say(news::FOUND, c"", "")?;
    for module in modules {
        say(news::IMPORTING, module, "")?;
        let before = threads();
        let error = helper.call(c"load", &[helper.text(module)]);
        if let Some(text) = error.and_then(|error| helper.string(error)) {
            say(news::FAILED, module, &text)?;
            return Err(LinkBroken);
        }
        if threads() > before && threads_after_fork(helper.api) > before {
            say(news::THREADS, module, "")?;
            return Err(LinkBroken);
        }
        let text = read_all(printed);
        if !text.is_empty() {
            say(news::PRINTS, module, &text)?;
            return Err(LinkBroken);
        }
    }
    let named = helper.texts(modules);
    let settled = helper.call(c"settle", &[named]);
    let Some(loaded) = settled.and_then(|names| helper.string(names)) else {
        say(news::UNUSABLE, c"", "")?;
        return Err(LinkBroken);
    };
    let names = |list: &str| list.split(',').map(str::to_owned).collect::<Vec<_>>();
    let variables = helper.call(c"variables", &[]);
    let variables = variables.and_then(|names| helper.string(names));
    let mut looked_up = names(&variables.unwrap_or_default());
    looked_up.extend(lookups::end());
    say(news::READY, c"", "")?;
    Ok(Known {
        loaded: names(&loaded),
        looked_up,
    })
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

/// Some libraries end their threads when the process forks, and start them again when needed.
fn threads_after_fork(api: &Api) -> usize {
    // SAFETY: the child only ends; wait4 takes null for what is not wanted.
    unsafe {
        (api.PyOS_BeforeFork)();
        match c::fork() {
            0 => c::_exit(0),
            pid => {
                (api.PyOS_AfterFork_Parent)();
                c::wait4(pid, std::ptr::null_mut(), 0, std::ptr::null_mut());
            }
        }
    }
    threads()
}

fn read_all(fd: c_int) -> String {
    let mut bytes = vec![0u8; 4096];
    // SAFETY: the buffer is as long as stated; the descriptor does not block.
    let length = unsafe { c::read(fd, bytes.as_mut_ptr().cast(), bytes.len()) };
    bytes.truncate(length.max(0) as usize);
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

/// Forks a zygote for each socket that comes. Returns in the children of zygotes alone; None when the runner is gone
/// and all zygotes have ended.
fn serve(
    helper: &Helper<'static>,
    fields: &Fields,
    link: &mut Link,
    socket: c_int,
    ordinary: Ordinary,
    known: &Known,
) -> Option<Launch> {
    let api = helper.api;
    // SAFETY: takes numbers only. Zygotes that have ended leave nothing to be waited for.
    unsafe { c::signal(c::SIGCHLD, c::SIG_IGN) };
    while let Ok((_, fds)) = link.recv() {
        let Some(theirs) = fds.first().map(AsRawFd::as_raw_fd) else {
            break;
        };
        let cgroup = fds.get(1).map(AsRawFd::as_raw_fd);
        // SAFETY: this process is single-threaded, so the child may go on as a normal program; Python is told.
        unsafe {
            (api.PyOS_BeforeFork)();
            match c::fork() {
                0 => {
                    (api.PyOS_AfterFork_Child)();
                    c::signal(c::SIGCHLD, c::SIG_DFL);
                    // Moves this process, and with it all that it will fork. The kernel takes some 10 ms.
                    if cgroup.is_some_and(|fd| c::write(fd, c"0".as_ptr().cast(), 1) != 1) {
                        // Init sees the end of the socket, and goes on without us.
                        c::_exit(1);
                    }
                    c::dup2(theirs, socket);
                    c::close_range(3, socket as u32 - 1, 0);
                    c::close_range(socket as u32 + 1, u32::MAX, 0);
                    fds.into_iter().for_each(std::mem::forget);
                    return Some(become_zygote(helper, fields, socket, ordinary, known));
                }
                _ => (api.PyOS_AfterFork_Parent)(),
            }
        }
    }
    // Zygotes end with their slots, and are to have a parent until then. With SIGCHLD ignored this waits for all.
    // SAFETY: null for what is not wanted.
    unsafe { c::wait4(-1, std::ptr::null_mut(), 0, std::ptr::null_mut()) };
    None
}

fn become_zygote(
    helper: &Helper<'static>,
    fields: &Fields,
    socket: c_int,
    ordinary: Ordinary,
    known: &Known,
) -> Launch {
    let mut link = Link::new(socket);
    let asked = link.send(&greeting(known)).and_then(|()| link.recv());
    let entered = asked.ok().and_then(|(message, namespaces)| {
        let order = Enter::decode(&message)?;
        if let Ok(name) = CString::new(format!("slot{} python", order.slot)) {
            // SAFETY: a NUL-terminated string that lives through the call.
            unsafe { c::prctl(c::PR_SET_NAME, name.as_ptr()) };
        }
        enter(&order, &namespaces).ok()?;
        environment::set(&order.env);
        // What stdin is to most programs.
        let null = std::fs::File::open("/dev/null").ok()?;
        // SAFETY: a system call on descriptors that are ours.
        unsafe { c::dup2(null.as_raw_fd(), 0) };
        let env = helper.bytes(order.env.iter().map(|v| v.as_bytes()));
        helper.call(c"adopt", &[env])?;
        Some((order.reaps, order.end_delay_ms, order.env))
    });
    let Some((reaps, end_delay_ms, env)) = entered else {
        // SAFETY: _exit(2) has no preconditions. Init sees the end of the socket and goes on without us.
        unsafe { c::_exit(1) }
    };
    // Children would free it, and copy the pages it is in for that.
    drop(link);
    cut_short(helper);
    let Some(turn) = Turn::prepare(helper, fields, env) else {
        // SAFETY: _exit(2) has no preconditions.
        unsafe { c::_exit(1) }
    };
    // As above: never freed.
    let turn = ManuallyDrop::new(turn);
    Zygote {
        socket,
        ordinary,
        around_fork: &*turn,
        reaps,
        end_delay_ms,
    }
    .serve()
}

/// Which interpreter this is; asked while /proc is the host's, where we are.
fn greeting(known: &Known) -> Vec<u8> {
    use std::os::unix::fs::MetadataExt;
    let program = std::fs::metadata("/proc/self/exe");
    let (device, inode) = program.map_or((0, 0), |meta| (meta.dev(), meta.ino()));
    Greeting {
        pid: u64::from(std::process::id()),
        device,
        inode,
        loaded: known.loaded.clone(),
        looked_up: known.looked_up.clone(),
    }
    .encode()
}
