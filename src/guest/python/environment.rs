//! The environment as C code sees it, and as programs inherit it; what Python makes of it is in `start/program.py`.

use crate::guest::c;
use std::ffi::CString;

/// Replaces all variables by these.
pub(super) fn set(env: &[CString]) {
    // SAFETY: the process is single-threaded, and the strings are never freed.
    unsafe {
        c::clearenv();
        for variable in env {
            c::putenv(CString::into_raw(variable.clone()));
        }
    }
}
