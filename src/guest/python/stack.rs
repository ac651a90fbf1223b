//! Stacks of threads: the C library reads how large they are to be when a program starts, which this one did long ago, in
//! the parent. A launch that has a limit of its own gets the stacks that a program would have which started with that.

use super::dlsym;
use crate::guest::c;
use crate::guest::launch::Launch;
use std::ffi::{CStr, c_int, c_void};

/// `pthread_attr_t`, of at most 64 bytes.
type Attributes = [u64; 8];
type OfAttributes = unsafe extern "C" fn(*mut Attributes) -> c_int;
type SetSize = unsafe extern "C" fn(*mut Attributes, usize) -> c_int;

/// Sets the size of the stacks of threads that are to come. To be called when the launch's limits are in force.
pub(super) fn of_threads(launch: &Launch) {
    if launch
        .rlimits
        .iter()
        .any(|(resource, _)| *resource == c::RLIMIT_STACK)
    {
        let mut limit = c::RLimit { soft: 0, hard: 0 };
        // SAFETY: the pointer is to a live local of the layout of struct rlimit.
        unsafe { c::getrlimit(c::RLIMIT_STACK, &mut limit) };
        // Without these functions threads keep the stacks they would have had.
        let _ = set(limit.soft as usize);
    }
}

fn set(bytes: usize) -> Option<()> {
    // Found by name: where threads are a library of their own, a Python may do without.
    let initialise = find(c"pthread_attr_init")?;
    let resize = find(c"pthread_attr_setstacksize")?;
    let make_default = find(c"pthread_setattr_default_np")?;
    let mut attributes = Attributes::default();
    // SAFETY: the functions of these names have these types (pthread_attr_init(3), pthread_attr_setstacksize(3),
    // pthread_setattr_default_np(3)), and the pointers are to a live local that is large enough.
    unsafe {
        let initialise = std::mem::transmute::<*mut c_void, OfAttributes>(initialise);
        let resize = std::mem::transmute::<*mut c_void, SetSize>(resize);
        let make_default = std::mem::transmute::<*mut c_void, OfAttributes>(make_default);
        (initialise(&mut attributes) == 0 && resize(&mut attributes, bytes) == 0)
            .then(|| make_default(&mut attributes))
            .map(drop)
    }
}

fn find(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name is NUL-terminated; null stands for all libraries of the program.
    let found = unsafe { dlsym(std::ptr::null_mut(), name.as_ptr()) };
    (!found.is_null()).then_some(found)
}
