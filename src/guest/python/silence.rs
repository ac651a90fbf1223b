//! Whether a program that has run to its end may be left to the kernel at once, decided without running Python.
//!
//! What it would do otherwise comes to the same in the end (`end`): the interpreter waits for threads, calls callbacks,
//! flushes streams, and the last callback (`let_go` in `start/end.py`) ends the process when nobody would notice. Most
//! programs have neither threads nor callbacks, and leave behind what this recognises. For all others that goes on.

use super::api::{Api, Helper, Object};
use super::lookups::getenv;
use crate::guest::c;
use std::ffi::{CStr, c_int};

/// As `MOST` in `start/end.py`.
const MOST: isize = 20_000;

/// Addresses, unless said otherwise.
pub(super) struct Silence {
    helper: Helper<'static>,
    /// Types whose objects do nothing when they are freed but free others; sorted.
    plain: Vec<usize>,
    /// Names and modules that programs find; sorted.
    modules: Vec<(usize, usize)>,
    /// Functions, referred to for good.
    functions: [usize; 5],
    /// Those that were there before the program.
    callbacks: i64,
    threading: Option<Threading>,
    /// `sys.stdout` and `sys.stderr`.
    streams: [usize; 2],
}

/// The module, what ends it, and its own callbacks at exit; with names, as objects.
struct Threading {
    module: usize,
    name: usize,
    shutdown: (usize, usize),
    callbacks_name: usize,
}

const STREAMS: [&CStr; 2] = [c"stdout", c"stderr"];

impl Silence {
    /// In the zygote, when everything is as programs will find it. None where it is not to be known.
    pub(super) fn prepare(helper: &Helper<'static>) -> Option<Silence> {
        let api = helper.api;
        // SAFETY: Python is initialised, its lock is ours, strings are NUL-terminated, and null results are not passed
        // on. Types and functions are never freed: `start/end.py` has a set of the ones, the others are referred to here.
        unsafe {
            let found = helper.call(c"silence", &[])?;
            if found == api._Py_NoneStruct {
                return None;
            }
            let list = (api.PyTuple_GetItem)(found, 0);
            let size = (api.PyList_Size)(list);
            let mut plain: Vec<usize> = (0..size)
                .map(|at| (api.PyList_GetItem)(list, at) as usize)
                .collect();
            plain.sort_unstable();
            let functions = (api.PyTuple_GetItem)(found, 1);
            (api.Py_IncRef)(functions);
            (api.Py_DecRef)(found);
            let functions = [0, 1, 2, 3, 4].map(|at| (api.PyTuple_GetItem)(functions, at) as usize);
            let mut modules = Vec::new();
            each_module(api, |name, module| {
                modules.push((name, module));
                true
            });
            modules.sort_unstable();
            let name = |name: &CStr| (api.PyUnicode_InternFromString)(name.as_ptr());
            let module_name = name(c"threading");
            let module = (api.PyDict_GetItem)((api.PyImport_GetModuleDict)(), module_name);
            let threading = (!module.is_null()).then(|| {
                let shutdown = name(c"_shutdown");
                Threading {
                    module: module as usize,
                    name: module_name as usize,
                    shutdown: (
                        shutdown as usize,
                        (api.PyDict_GetItem)((api.PyModule_GetDict)(module), shutdown) as usize,
                    ),
                    callbacks_name: name(c"_threading_atexits") as usize,
                }
            });
            let mut silence = Silence {
                helper: Helper::of(api, helper.globals()),
                plain,
                modules,
                functions,
                callbacks: 0,
                threading,
                streams: STREAMS.map(|name| (api.PySys_GetObject)(name.as_ptr()) as usize),
            };
            silence.callbacks = silence.count_callbacks()?;
            Some(silence)
        }
    }

    /// Ends this process as the program would end it, if nothing could notice the difference. To be called when the
    /// program's first frame has returned, without an error.
    pub(super) fn end(&self, is_audited: bool) {
        if !is_audited
            && self.is_alone()
            && self.is_unobserved()
            && self.count_callbacks() == Some(self.callbacks)
            && self.leaves_nothing()
            && self.flush()
        {
            // SAFETY: ends the process, after what C code has asked for at exit.
            unsafe { c::exit(0) }
        }
    }

    /// Whether there are no threads to wait for, and nobody wants to be called when there are none any more.
    fn is_alone(&self) -> bool {
        let api = self.helper.api;
        // SAFETY: the interpreter's lock is ours. Addresses are compared; what is passed on is a result, or a name, which
        // is never freed.
        unsafe {
            let first = (api.PyInterpreterState_ThreadHead)((api.PyInterpreterState_Get)());
            if !(api.PyThreadState_Next)(first).is_null() {
                return false;
            }
            let Some(threading) = &self.threading else {
                return true;
            };
            let loaded = (api.PyImport_GetModuleDict)();
            let module = (api.PyDict_GetItem)(loaded, threading.name as Object);
            if module as usize != threading.module {
                return false;
            }
            let variables = (api.PyModule_GetDict)(module);
            let (name, shutdown) = threading.shutdown;
            let callbacks = (api.PyDict_GetItem)(variables, threading.callbacks_name as Object);
            (api.PyDict_GetItem)(variables, name as Object) as usize == shutdown
                && !callbacks.is_null()
                && self.no_error((api.PyList_Size)(callbacks)) == 0
        }
    }

    /// Whether no Python function is told what runs, and no prompt is to follow.
    fn is_unobserved(&self) -> bool {
        let api = self.helper.api;
        let [.., profile, trace, collector] = self.functions;
        let is_none = |function: usize| {
            // SAFETY: the interpreter's lock is ours; the function is referred to for good.
            let found = unsafe { (api.PyObject_CallNoArgs)(function as Object) };
            if !found.is_null() {
                // SAFETY: the interpreter's lock is ours, and so is the reference that is given up.
                unsafe { (api.Py_DecRef)(found) };
            }
            self.no_error(found) == api._Py_NoneStruct
        };
        // SAFETY: a NUL-terminated name; no other thread changes the environment.
        let prompts = !unsafe { getenv(c"PYTHONINSPECT".as_ptr()) }.is_null();
        !prompts && is_none(profile) && is_none(trace) && self.count(collector) == Some(0)
    }

    fn count_callbacks(&self) -> Option<i64> {
        self.count(self.functions[1])
    }

    /// The number that one of the functions answers.
    fn count(&self, function: usize) -> Option<i64> {
        let api = self.helper.api;
        // SAFETY: the interpreter's lock is ours; the function is referred to for good, the result is ours.
        unsafe {
            let number = (api.PyObject_CallNoArgs)(function as Object);
            if number.is_null() {
                (api.PyErr_Clear)();
                return None;
            }
            let count = (api.PyLong_AsLong)(number);
            (api.Py_DecRef)(number);
            Some(self.no_error(count))
        }
    }

    /// As `ends_silently` in `start/end.py`, which is asked about what is not recognised here. Nothing is allocated: the
    /// program may have left no memory for that.
    fn leaves_nothing(&self) -> bool {
        let known = |name, module| self.modules.binary_search(&(name, module)).is_ok();
        each_module(self.helper.api, known)
            && (self.knows_all_objects()
                || self
                    .helper
                    .call(c"ends_silently", &[])
                    .is_some_and(|silently| self.helper.is_true(silently)))
    }

    fn knows_all_objects(&self) -> bool {
        let api = self.helper.api;
        // SAFETY: the interpreter's lock is ours, the function is referred to for good, and its result is a list that is
        // ours. Objects are no shorter than `PyObject`, whose second word is the type (`silence` has seen its size).
        unsafe {
            let made = (api.PyObject_CallNoArgs)(self.functions[0] as Object);
            if made.is_null() {
                (api.PyErr_Clear)();
                return false;
            }
            let count = (api.PyList_Size)(made);
            let own = (api.PyDict_GetItemString)(self.helper.globals(), c"unfrozen".as_ptr());
            let mut finds_own = false;
            let all = count <= MOST
                && (0..count).all(|at| {
                    let thing = (api.PyList_GetItem)(made, at);
                    finds_own |= thing == own;
                    let kind = thing.cast::<usize>().add(1).read();
                    self.plain.binary_search(&kind).is_ok()
                });
            (api.Py_DecRef)(made);
            all && finds_own
        }
    }

    /// As `keep_streams` in `start/end.py`.
    fn flush(&self) -> bool {
        let api = self.helper.api;
        // SAFETY: the interpreter's lock is ours, names are NUL-terminated, null results are not passed on.
        unsafe {
            let streams = STREAMS.map(|name| (api.PySys_GetObject)(name.as_ptr()));
            streams.map(|stream| stream as usize) == self.streams
                && streams.into_iter().all(|stream| {
                    let flush = (api.PyObject_GetAttrString)(stream, c"flush".as_ptr());
                    let done = if flush.is_null() {
                        flush
                    } else {
                        (api.PyObject_CallNoArgs)(flush)
                    };
                    self.no_error(!done.is_null())
                })
        }
    }

    /// Whatever was tried, the program goes on without its error.
    fn no_error<T>(&self, result: T) -> T {
        // SAFETY: the interpreter's lock is ours.
        unsafe { (self.helper.api.PyErr_Clear)() };
        result
    }
}

/// Hands on names and modules that are loaded, as long as that is answered with true; whether it always was.
fn each_module(api: &Api, mut goes_on: impl FnMut(usize, usize) -> bool) -> bool {
    let (mut at, mut name, mut module) = (0, std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: the interpreter's lock is ours, pointers are to live locals, and the dictionary does not change meanwhile.
    unsafe {
        let loaded = (api.PyImport_GetModuleDict)();
        while (api.PyDict_Next)(loaded, &mut at, &mut name, &mut module) != 0 as c_int {
            if !goes_on(name as usize, module as usize) {
                return false;
            }
        }
    }
    true
}
