//! What a zygote does around a fork, and what makes a child the Python that was asked for.
//!
//! All of it is found before the first fork, and little of it is Python: every object that is so much as referred to
//! is in a page that the child, or the zygote after it, has to copy first. That is most of what a warm start costs.

use super::api::{Api, Helper, Object};
use super::arguments::{Fields, shown};
use super::environment;
use super::stack;
use crate::guest::c;
use crate::guest::launch::Launch;
use crate::guest::zygote::AroundFork;
use std::ffi::{CStr, CString};

/// Objects are those of modules, which refer to them while nothing else runs. They are not referred to from here: a
/// program may make them refer to its own, which are then to end with them.
pub(super) struct Turn<'a> {
    helper: &'a Helper<'static>,
    fields: &'a Fields,
    /// What programs of the slot have, if not more.
    env: Vec<CString>,
    /// Whether Python is to be told of forks. Otherwise it need not hear of them: what it does then is to make anew the
    /// locks that other threads may have held, and to forget those threads; here there is one, which holds none but the
    /// interpreter's.
    has_hooks: bool,
    /// The last part of the interpreter's path.
    executable: Vec<u8>,
    /// Functions, and what they take, which is `None` for nothing.
    seeds: Vec<(Object, Object)>,
    /// A dictionary, and the function that tells the time for it.
    clock: Option<(Object, Object)>,
    main_thread: Object,
    /// Names.
    start_time: Object,
    native_id: Object,
    unfrozen: Object,
    /// Lists of `sys`; null where this version has none.
    argv: Object,
    orig_argv: Object,
}

impl<'a> Turn<'a> {
    /// In the zygote, when everything else is as programs will find it.
    pub(super) fn prepare(
        helper: &'a Helper<'static>,
        fields: &'a Fields,
        env: Vec<CString>,
    ) -> Option<Turn<'a>> {
        let api = helper.api;
        // SAFETY: Python is initialised, its lock is ours, strings are NUL-terminated, and null results are not passed
        // on. What is in the results belongs to modules too, and outlives them.
        unsafe {
            let has_hooks = (api.PyDict_GetItemString)(helper.globals(), c"has_hooks".as_ptr());
            let has_hooks = has_hooks.is_null() || helper.is_true(has_hooks);
            let pair = |pair| {
                (
                    (api.PyTuple_GetItem)(pair, 0),
                    (api.PyTuple_GetItem)(pair, 1),
                )
            };
            let list = helper.call(c"seeds", &[])?;
            let items = (0..(api.PyList_Size)(list)).map(|at| (api.PyList_GetItem)(list, at));
            let seeds = items.map(pair).collect();
            (api.Py_DecRef)(list);
            let found = helper.call(c"clock", &[])?;
            let clock = (found != api._Py_NoneStruct).then(|| pair(found));
            (api.Py_DecRef)(found);
            let main_thread = helper.call(c"native_thread", &[])?;
            (api.Py_DecRef)(main_thread);
            let of_sys = |name: &CStr| (api.PySys_GetObject)(name.as_ptr());
            // It is emptied here, so that children have nothing to free.
            let list_of_sys = |name: &CStr| {
                let list = of_sys(name);
                if !list.is_null() {
                    (api.PyList_SetSlice)(list, 0, isize::MAX, std::ptr::null_mut());
                }
                list
            };
            let name = |name: &CStr| (api.PyUnicode_InternFromString)(name.as_ptr());
            let executable = helper.string(of_sys(c"executable"))?;
            Some(Turn {
                helper,
                fields,
                env,
                has_hooks,
                executable: last_part(executable.as_bytes()).to_vec(),
                seeds,
                clock,
                start_time: name(c"_startTime"),
                main_thread,
                native_id: name(c"_native_id"),
                unfrozen: name(c"unfrozen"),
                argv: list_of_sys(c"argv"),
                orig_argv: list_of_sys(c"orig_argv"),
            })
        }
    }

    fn become_program(&self, launch: &Launch) -> Option<()> {
        let (helper, api) = (self.helper, self.helper.api);
        if launch.env != self.env {
            environment::set(&launch.env);
            let env = helper.bytes(launch.env.iter().map(|v| v.as_bytes()));
            helper.call(c"set_environment", &[env])?;
        }
        let called = last_part(launch.argv[0].as_bytes());
        if called != self.executable {
            helper.call(c"rename", &[text(api, called)])?;
        }
        if !c::is_device(0) {
            helper.call(c"open_stdin", &[])?;
        }
        // SAFETY: Python is initialised, its lock is ours, and the objects are alive.
        unsafe {
            fill(api, self.orig_argv, launch.argv.iter());
            fill(api, self.argv, shown(&launch.argv));
            if self.main_thread != api._Py_NoneStruct {
                let number = (api.PyLong_FromLong)(c::getpid().into());
                (api.PyObject_SetAttr)(self.main_thread, self.native_id, number);
                (api.Py_DecRef)(number);
            }
            // For `ends_silently`: made after everything was frozen.
            let unfrozen = (api.PyList_New)(0);
            (api.PyDict_SetItem)(helper.globals(), self.unfrozen, unfrozen);
            (api.Py_DecRef)(unfrozen);
            (api.PyErr_Clear)();
        }
        Some(())
    }
}

impl AroundFork for Turn<'_> {
    fn before(&self) {
        let api = self.helper.api;
        // SAFETY: Python is initialised, its lock is ours, the objects are alive, and null results are not
        // passed on.
        unsafe {
            for (seed, taken) in &self.seeds {
                let result = if *taken == api._Py_NoneStruct {
                    (api.PyObject_CallNoArgs)(*seed)
                } else {
                    call(api, *seed, *taken)
                };
                if !result.is_null() {
                    (api.Py_DecRef)(result);
                }
            }
            if let Some((variables, tell)) = self.clock {
                let now = (api.PyObject_CallNoArgs)(tell);
                if !now.is_null() {
                    (api.PyDict_SetItem)(variables, self.start_time, now);
                    (api.Py_DecRef)(now);
                }
            }
            (api.PyErr_Clear)();
            if self.has_hooks {
                (api.PyOS_BeforeFork)();
            }
        }
    }

    fn parent(&self) {
        if self.has_hooks {
            // SAFETY: Python is initialised and its lock is ours; it was told before the fork.
            unsafe { (self.helper.api.PyOS_AfterFork_Parent)() }
        }
    }

    /// Makes it the Python that the launch asks for.
    fn child(&self, launch: &Launch) {
        stack::of_threads(launch);
        // As the kernel names a process: by the file that was executed.
        let path = &launch.argv[0];
        let name = path.to_bytes_with_nul().len() - 1 - last_part(path.as_bytes()).len();
        // SAFETY: Python was told before the fork; the last part of a string ends with its NUL.
        unsafe {
            if self.has_hooks {
                (self.helper.api.PyOS_AfterFork_Child)();
                self.helper.call(c"make_loud", &[]);
            }
            c::prctl(c::PR_SET_NAME, path.as_ptr().add(name));
        }
        if self.become_program(launch).is_none() {
            // SAFETY: _exit(2) has no preconditions. As a Python whose start fails.
            unsafe { c::_exit(1) }
        }
        self.fields.set(self.helper.api, &launch.argv);
    }
}

/// Calls a function with one argument; null on an error.
fn call(api: &Api, function: Object, taken: Object) -> Object {
    // SAFETY: Python is initialised, its lock is ours, both are alive, and the tuple takes a reference of its own.
    unsafe {
        let arguments = (api.PyTuple_New)(1);
        if arguments.is_null() {
            return arguments;
        }
        (api.Py_IncRef)(taken);
        (api.PyTuple_SetItem)(arguments, 0, taken);
        let result = (api.PyObject_Call)(function, arguments, std::ptr::null_mut());
        (api.Py_DecRef)(arguments);
        result
    }
}

/// As Python decodes its arguments; null on an error, of memory alone.
fn text(api: &Api, bytes: &[u8]) -> Object {
    let (start, length) = (bytes.as_ptr().cast(), bytes.len() as isize);
    // SAFETY: Python is initialised, its lock is ours, and `length` bytes are there.
    unsafe { (api.PyUnicode_DecodeUTF8)(start, length, c"surrogateescape".as_ptr()) }
}

/// Adds these to a list.
fn fill<'b>(api: &Api, list: Object, arguments: impl Iterator<Item = &'b CString>) {
    if list.is_null() {
        return;
    }
    for argument in arguments {
        let item = text(api, argument.as_bytes());
        // SAFETY: Python is initialised, its lock is ours, and the list takes a reference of its own.
        unsafe {
            (api.PyList_Append)(list, item);
            (api.Py_DecRef)(item);
        }
    }
}

fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}
