//! Room for what a program makes, in few pages.
//!
//! Memory that was freed while modules were imported lies all over the heap. A child that is given some of it, a block
//! here, one there, copies a page for each; given fresh memory, it fills one page after another.

use super::api::Api;
use crate::guest::c;

/// Those that Python's own allocator has blocks for, in bytes.
const SIZES: usize = 512;
const STEP: usize = 16;
/// What lies before the first block of a pool, and of what pools are multiples (3.10; before, it was a quarter of it).
const FIRST: usize = 48;
const POOL: usize = 16 << 10;
/// The largest hole in the C library's heap that is filled, in bytes; what is larger is nearly as good as fresh.
const HOLE: usize = 64 << 10;
/// What all of this may take. Other allocators have other habits.
const MOST: usize = 2 << 20;

/// Takes what is free in pages that are in use. To be called in the parent, when all has been imported.
pub(super) fn make(api: &Api) {
    let mut left = MOST;
    for size in (STEP..=SIZES).step_by(STEP) {
        while left > size {
            left -= size;
            // SAFETY: the interpreter's lock is ours. The block is left alone for good.
            let block = unsafe { (api.PyObject_Malloc)(size) } as usize;
            if block % POOL == FIRST {
                break;
            }
        }
    }
    // SAFETY: plain allocations; what is freed is not used again.
    let end = unsafe {
        let block = c::malloc(HOLE + HOLE / 2);
        c::free(block);
        block as usize
    };
    let mut size = HOLE;
    while size > STEP && left > size {
        // SAFETY: plain allocations; what is freed is not used again.
        unsafe {
            let block = c::malloc(size);
            left -= size;
            if block as usize >= end {
                c::free(block);
                size = size.min(size * 15 / 16 / STEP * STEP).min(size - STEP);
            }
        }
    }
}
