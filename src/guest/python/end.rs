//! The end of a program, without taking the interpreter apart.
//!
//! `Py_FinalizeEx` first does what programs can see: threads are waited for, callbacks at exit run, streams are flushed,
//! modules are torn down. Then it frees all that is left, which in a forked process copies nearly every page. Where nothing
//! that the program has made could notice, the process ends before that: the last callback at exit (`let_go` in
//! `start/end.py`) drops a capsule, whose end is that of the process. Otherwise nothing is cut short.
//!
//! Its exit status has to be known by then. The interpreter's hook for frames (PEP 523) sees the program's first frame
//! return, and is gone while the program runs. Where the status depends on anything else, nothing is cut short.

use super::api::{Api, Helper, Object};
use super::silence::Silence;
use crate::guest::c;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// How far into a frame its globals are looked for, in words; no version has them later, or has smaller frames.
const FRAME_WORDS: usize = 8;

/// `PyDictObject *`s, as in a frame, and what else has to be as it was; addresses.
struct Watched {
    api: &'static Api,
    helper: usize,
    /// Globals of `__main__`, and of runpy when that is loaded.
    programs: [usize; 2],
    excepthook: usize,
    stderr: usize,
    silence: Option<Silence>,
}

// SAFETY: used by the one thread that there is, with the interpreter's lock.
unsafe impl Send for Watched {}
// SAFETY: the one thread that there is uses it with the lock of the interpreter.
unsafe impl Sync for Watched {}

static IS_AUDITED: AtomicBool = AtomicBool::new(false);

static WATCHED: OnceLock<Watched> = OnceLock::new();

/// Makes children end early. To be called when `__main__` is as their programs will find it.
pub(super) fn cut_short(helper: &Helper<'static>) {
    let api = helper.api;
    // SAFETY: Python is initialised, its lock is ours, strings are NUL-terminated, null results are not passed on. The
    // dictionaries of the helper and of the modules outlive the program's first frame.
    unsafe {
        let globals = |name: &CStr| {
            let module = (api.PyDict_GetItemString)((api.PyImport_GetModuleDict)(), name.as_ptr());
            if module.is_null() {
                module
            } else {
                (api.PyModule_GetDict)(module)
            }
        };
        let interpreter = (api.PyInterpreterState_Get)();
        let default = api._PyEval_EvalFrameDefault as *const c_void;
        if (api._PyInterpreterState_GetEvalFrameFunc)(interpreter) as *const c_void != default {
            return (api.PyErr_Clear)();
        }
        let watched = Watched {
            api,
            helper: helper.globals() as usize,
            programs: [globals(c"__main__") as usize, globals(c"runpy") as usize],
            excepthook: (api.PySys_GetObject)(c"excepthook".as_ptr()) as usize,
            stderr: (api.PySys_GetObject)(c"stderr".as_ptr()) as usize,
            silence: Silence::prepare(helper),
        };
        // A program that hears of events would hear of ours.
        (api.PySys_AddAuditHook)(audit, std::ptr::null_mut());
        if WATCHED.set(watched).is_ok() {
            (api._PyInterpreterState_SetEvalFrameFunc)(interpreter, evaluate);
        }
        // For `let_go` to drop.
        let capsule = (api.PyCapsule_New)(interpreter, std::ptr::null(), Some(leave));
        if !capsule.is_null() {
            (api.PyDict_SetItemString)(helper.globals(), c"last".as_ptr(), capsule);
            (api.Py_DecRef)(capsule);
        }
        (api.PyErr_Clear)();
        bar_destructors();
    }
}

/// Notes for `ends_silently` in `start/end.py` that the program adds a hook of its own.
unsafe extern "C" fn audit(event: *const c_char, _arguments: Object, _data: *mut c_void) -> c_int {
    // SAFETY: called by the interpreter with its lock held and a NUL-terminated name; the helper is never freed.
    unsafe {
        if let Some(watched) = WATCHED.get()
            && CStr::from_ptr(event) == c"sys.addaudithook"
        {
            let api = watched.api;
            IS_AUDITED.store(true, Ordering::Relaxed);
            (api.PyDict_SetItemString)(
                watched.helper as Object,
                c"is_audited".as_ptr(),
                (api.PyBool_FromLong)(1),
            );
        }
    }
    0
}

/// Lets this process end without the callbacks at exit, and the destructors, of what was loaded before it was forked:
/// they free memory, page by page. Callbacks run in the reverse order, so this one comes after the program's own.
fn bar_destructors() {
    // SAFETY: the function lives as long as this library, which is never unloaded.
    unsafe { c::on_exit(end_now, libraries_loaded() as *mut c_void) };
}

extern "C" fn end_now(status: c_int, loaded: *mut c_void) {
    // What the program has loaded itself may have destructors that do more.
    if libraries_loaded() != loaded as u64 {
        return;
    }
    // SAFETY: flushes what C code has printed, and ends; null means all streams.
    unsafe {
        c::fflush(std::ptr::null_mut());
        c::_exit(status)
    }
}

/// How often this process has loaded one.
fn libraries_loaded() -> u64 {
    extern "C" fn count(info: *const c::LoadInfo, _size: usize, count: *mut c_void) -> c_int {
        // SAFETY: glibc passes a whole struct (since 2.4), and what `libraries_loaded` has passed on.
        unsafe { *count.cast::<u64>() = (*info).loaded };
        1
    }
    let mut loaded = 0u64;
    // SAFETY: the callback is called before this returns, with a pointer to the local.
    unsafe { c::dl_iterate_phdr(count, (&raw mut loaded).cast()) };
    loaded
}

/// In place of the interpreter's own function, until the program's first frame.
unsafe extern "C" fn evaluate(thread: *mut c_void, frame: *mut c_void, throw: c_int) -> Object {
    let Some(watched) = WATCHED.get() else {
        return std::ptr::null_mut();
    };
    let api = watched.api;
    // SAFETY: called by the interpreter, with a frame of at least that many words; what is called takes what we got.
    unsafe {
        let words = std::slice::from_raw_parts(frame.cast::<usize>(), FRAME_WORDS);
        let is_program = words
            .iter()
            .any(|w| *w != 0 && watched.programs.contains(w));
        if !is_program {
            return (api._PyEval_EvalFrameDefault)(thread, frame, throw);
        }
        let interpreter = (api.PyInterpreterState_Get)();
        (api._PyInterpreterState_SetEvalFrameFunc)(interpreter, api._PyEval_EvalFrameDefault);
        let result = (api._PyEval_EvalFrameDefault)(thread, frame, throw);
        let status = if result.is_null() {
            watched.status_of_error()
        } else {
            if let Some(silence) = &watched.silence {
                silence.end(IS_AUDITED.load(Ordering::Relaxed));
            }
            Some(0)
        };
        if let Some(status) = status {
            watched.note(status);
        }
        result
    }
}

impl Watched {
    /// The exit status for the error that is set, as `Py_RunMain` will see it; None where it is not certain.
    ///
    /// # Safety
    /// With the interpreter's lock, and an error set, which stays.
    unsafe fn status_of_error(&self) -> Option<c_int> {
        let api = self.api;
        let (mut kind, mut value, mut traceback) = Default::default();
        // SAFETY: the three are live, and given back as they came; the exceptions' addresses are pointers to objects.
        unsafe {
            (api.PyErr_Fetch)(&mut kind, &mut value, &mut traceback);
            let status = if kind == *api.PyExc_SystemExit.cast::<Object>() {
                self.status_of_exit(value)
            } else {
                let interrupt = *api.PyExc_KeyboardInterrupt.cast::<Object>();
                let is_shown = |name: &CStr, as_it_was| {
                    (api.PySys_GetObject)(name.as_ptr()) as usize == as_it_was
                };
                let is_plain = (api.PyErr_GivenExceptionMatches)(kind, interrupt) == 0
                    && (api.PyErr_GivenExceptionMatches)(
                        kind,
                        *api.PyExc_SystemExit.cast::<Object>(),
                    ) == 0
                    && is_shown(c"excepthook", self.excepthook)
                    && is_shown(c"stderr", self.stderr);
                is_plain.then_some(1)
            };
            (api.PyErr_Restore)(kind, value, traceback);
            status
        }
    }

    /// `value` is a `SystemExit`, or, before 3.12, possibly only what it is to be made of.
    ///
    /// # Safety
    /// With the interpreter's lock, and no error set.
    unsafe fn status_of_exit(&self, value: Object) -> Option<c_int> {
        let api = self.api;
        // SAFETY: a live object, or null; types are compared, never looked into.
        unsafe {
            let is_a = |object: Object, wanted: *mut c_void| {
                let kind = (api.PyObject_Type)(object);
                (api.Py_DecRef)(kind);
                kind == wanted
            };
            let plain = |code: Object| {
                if code.is_null() || code == api._Py_NoneStruct {
                    Some(0)
                } else if is_a(code, api.PyLong_Type) {
                    let number = (api.PyLong_AsLong)(code);
                    // What is too large for a status is complained about.
                    let fits = (api.PyErr_Occurred)().is_null();
                    (api.PyErr_Clear)();
                    fits.then_some(number as c_int)
                } else {
                    is_a(code, api.PyUnicode_Type).then_some(1)
                }
            };
            if value.is_null() || !is_a(value, *api.PyExc_SystemExit.cast::<Object>()) {
                return plain(value);
            }
            let code = (api.PyObject_GetAttrString)(value, c"code".as_ptr());
            if code.is_null() {
                (api.PyErr_Clear)();
                return None;
            }
            let status = plain(code);
            (api.Py_DecRef)(code);
            status
        }
    }

    /// For `let_go` in `start/end.py`, and for `leave`.
    ///
    /// # Safety
    /// With the interpreter's lock.
    unsafe fn note(&self, status: c_int) {
        let api = self.api;
        let (mut kind, mut value, mut traceback) = Default::default();
        // SAFETY: Python is initialised, and its lock is ours; the three are live locals that the call fills.
        unsafe {
            (api.PyErr_Fetch)(&mut kind, &mut value, &mut traceback);
            let number = (api.PyLong_FromLong)(status.into());
            if !number.is_null() {
                let globals = self.helper as Object;
                (api.PyDict_SetItemString)(globals, c"status".as_ptr(), number);
                (api.Py_DecRef)(number);
            }
            (api.PyErr_Restore)(kind, value, traceback);
        }
    }
}

/// The capsule's end: what is left is memory.
unsafe extern "C" fn leave(_capsule: Object) {
    let Some(watched) = WATCHED.get() else {
        return;
    };
    let (api, globals) = (watched.api, watched.helper as Object);
    // SAFETY: the interpreter's lock is ours; the helper's dictionary is never freed; types still work.
    unsafe {
        let streams = (api.PyDict_GetItemString)(globals, c"last_streams".as_ptr());
        let status = (api.PyDict_GetItemString)(globals, c"status".as_ptr());
        if streams.is_null() || status.is_null() || streams == api._Py_NoneStruct {
            return;
        }
        // What was printed after the flush, in `__del__`: their own end would have written it, and ignored errors.
        for at in 0..2 {
            let flush =
                (api.PyObject_GetAttrString)((api.PyTuple_GetItem)(streams, at), c"flush".as_ptr());
            if !flush.is_null() {
                (api.PyObject_Call)(flush, (api.PyTuple_New)(0), std::ptr::null_mut());
            }
            (api.PyErr_Clear)();
        }
        c::exit((api.PyLong_AsLong)(status) as c_int)
    }
}
