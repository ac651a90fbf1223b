//! Which variables C code looks up while modules are imported: an episode that sets one of them needs a Python of its own.
//!
//! getenv(3) is ours in this process, as `__libc_start_main` is. The C library's own lookups (locale, time zone, loader) do
//! not come this way; `slot::warm` knows their names.

use super::{RTLD_NEXT, dlsym};
use std::ffi::{CStr, c_char, c_void};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

type Getenv = unsafe extern "C" fn(*const c_char) -> *mut c_char;

static NOTING: AtomicBool = AtomicBool::new(true);
/// The C library's: found once, not in every child again.
static GETENV: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
static SECURE_GETENV: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
static NOTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Stops noting; the names.
pub(super) fn end() -> Vec<String> {
    NOTING.store(false, Ordering::Relaxed);
    NOTED
        .lock()
        .map_or_else(|_| Vec::new(), |mut names| std::mem::take(&mut *names))
}

/// # Safety
/// As getenv(3): a NUL-terminated name, and nobody changes the environment meanwhile.
unsafe fn look_up(own: &CStr, next: &AtomicPtr<c_void>, name: *const c_char) -> *mut c_char {
    // SAFETY: the next definition of the name is the C library's, which has this type; the caller's promise is passed on.
    unsafe {
        if NOTING.load(Ordering::Relaxed)
            && !name.is_null()
            // Not while we are noting, should the allocator ask.
            && let Ok(mut noted) = NOTED.try_lock()
        {
            let name = CStr::from_ptr(name).to_string_lossy();
            if !noted.iter().any(|known| *known == name) {
                noted.push(name.into_owned());
            }
        }
        let found = match next.load(Ordering::Relaxed) {
            found if !found.is_null() => found,
            _ => {
                let found = dlsym(RTLD_NEXT, own.as_ptr());
                next.store(found, Ordering::Relaxed);
                found
            }
        };
        std::mem::transmute::<*mut c_void, Getenv>(found)(name)
    }
}

/// # Safety
/// As getenv(3).
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getenv(name: *const c_char) -> *mut c_char {
    // SAFETY: passed on.
    unsafe { look_up(c"getenv", &GETENV, name) }
}

/// # Safety
/// As secure_getenv(3).
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn secure_getenv(name: *const c_char) -> *mut c_char {
    // SAFETY: passed on.
    unsafe { look_up(c"secure_getenv", &SECURE_GETENV, name) }
}
