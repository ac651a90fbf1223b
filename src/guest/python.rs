//! The preloaded parent of all warm Pythons of one interpreter, and what becomes of its children.
//!
//! ```text
//! parent      starts Python, imports the modules, freezes the heap; for each slot of the runner it forks a
//!   └ zygote  enters the slot, gives up everything, and for each launch it forks a
//!       └ child   restricts itself, and goes on as `python3 …` would
//! ```
//!
//! Loaded by LD_PRELOAD, this replaces the program's `main` when the runner's variable is set. Python is driven through
//! its C interface, found by name at run time. A program that is no Python goes on as it would without us, and one that is
//! another than those that are known (`guest::version`) ends.
//! The program itself is run by `Py_RunMain`, which does everything as in a Python that was started for it.

mod api;
mod arguments;
mod end;
mod enter;
mod environment;
mod lookups;
mod parent;
mod room;
mod silence;
mod stack;
mod turn;

use lookups::getenv;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

/// `SOCKET SLICE NICE MODULE,MODULE…`
const VARIABLE: &CStr = c"RUNNER_WARM_PYTHON";
const RTLD_NEXT: *mut c_void = -1isize as *mut c_void;

type Main = extern "C" fn(c_int, *const *const c_char, *const *const c_char) -> c_int;
type Start = unsafe extern "C" fn(
    Main,
    c_int,
    *const *const c_char,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    *mut c_void,
) -> c_int;

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn unsetenv(name: *const c_char) -> c_int;
}

static ORDERS: OnceLock<(String, Main)> = OnceLock::new();

/// The C library's, which every program calls first (Linux Standard Base).
///
/// # Safety
/// Called by the program's start-up code only.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __libc_start_main(
    main: Main,
    argc: c_int,
    argv: *const *const c_char,
    init: *mut c_void,
    fini: *mut c_void,
    loader_fini: *mut c_void,
    stack_end: *mut c_void,
) -> c_int {
    // SAFETY: the next definition of this name is the C library's, which has this type; the arguments are passed on.
    unsafe {
        let found = dlsym(RTLD_NEXT, c"__libc_start_main".as_ptr());
        let start = std::mem::transmute::<*mut c_void, Start>(found);
        let main = match take_orders() {
            Some(orders) => {
                let _ = ORDERS.set((orders, main));
                warm_main
            }
            None => main,
        };
        start(main, argc, argv, init, fini, loader_fini, stack_end)
    }
}

/// Takes the runner's variable, and how we came here, out of the environment and out of what /proc shows of it.
fn take_orders() -> Option<String> {
    // SAFETY: the program has not begun, so nothing else uses the environment.
    if unsafe { getenv(VARIABLE.as_ptr()) }.is_null() {
        return None;
    }
    let mut orders = None;
    for name in [VARIABLE, c"LD_PRELOAD"] {
        // SAFETY: the program has not begun, so nothing else uses the environment. The strings lie in the writable area that the kernel gave us, as `NAME=text`; unsetenv only
        // takes the pointer out of the list.
        unsafe {
            let place = getenv(name.as_ptr());
            unsetenv(name.as_ptr());
            if place.is_null() {
                continue;
            }
            let text = CStr::from_ptr(place).to_string_lossy().into_owned();
            let before = name.count_bytes() + 1;
            place.sub(before).write_bytes(0, before + text.len());
            if name == VARIABLE {
                orders = Some(text);
            }
        }
    }
    orders
}

extern "C" fn warm_main(
    argc: c_int,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> c_int {
    let Some((orders, original)) = ORDERS.get() else {
        return 2;
    };
    match api::version() {
        Some(version) => parent::run(&version, orders),
        None => original(argc, argv, envp),
    }
}
