//! The functions of Python's C interface that are used here (docs.python.org/3/c-api), found by name.

use super::dlsym;
use std::ffi::{CStr, c_char, c_int, c_long, c_void};

/// A `PyObject *`.
pub(super) type Object = *mut c_void;

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Status {
    kind: c_int,
    function: *const c_char,
    message: *const c_char,
    exit_code: c_int,
}

/// Evaluates a frame of a thread (PEP 523, as of 3.9).
pub(super) type Evaluate = unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> Object;
/// Is told of an event by name and arguments (PEP 578).
pub(super) type AuditHook = unsafe extern "C" fn(*const c_char, Object, *mut c_void) -> c_int;
pub(super) type Destructor = Option<unsafe extern "C" fn(Object)>;

macro_rules! api {
    (data: [$($data:ident),*], $($name:ident: fn($($argument:ty),*) $(-> $result:ty)?,)*) => {
        /// Functions callable with the interpreter's lock held, which our one thread always has, and addresses.
        #[allow(non_snake_case)]
        pub(super) struct Api {
            $(pub $data: *mut c_void,)*
            $(pub $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        // SAFETY: addresses of what lives as long as the process and is used by whoever holds the interpreter's lock.
        unsafe impl Send for Api {}
        // SAFETY: the addresses are never written to, and hold for every thread.
        unsafe impl Sync for Api {}

        impl Api {
            /// None where one of them is missing, as it may be in a Python that has been built for something else.
            pub(super) fn find() -> Option<Api> {
                // SAFETY: each is a function of this type in every Python that has it; the null handle searches what
                // is loaded (RTLD_DEFAULT).
                unsafe {
                    Some(Api {
                    $($data: {
                        let name = concat!(stringify!($data), "\0");
                        let found = dlsym(std::ptr::null_mut(), name.as_ptr().cast());
                        if found.is_null() { return None }
                        found
                    },)*
                    $($name: {
                        let name = concat!(stringify!($name), "\0");
                        let found = dlsym(std::ptr::null_mut(), name.as_ptr().cast());
                        if found.is_null() { return None }
                        std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($argument),*) $(-> $result)?>(found)
                    },)* })
                }
            }
        }
    };
}

api! {
    data: [_Py_NoneStruct, PyLong_Type, PyUnicode_Type, PyExc_SystemExit, PyExc_KeyboardInterrupt],
    PyConfig_InitPythonConfig: fn(*mut c_void),
    PyConfig_SetBytesArgv: fn(*mut c_void, isize, *const *const c_char) -> Status,
    PyConfig_Read: fn(*mut c_void) -> Status,
    PyStatus_Exception: fn(Status) -> c_int,
    Py_InitializeFromConfig: fn(*const c_void) -> Status,
    _Py_GetConfig: fn() -> *mut c_void,
    Py_RunMain: fn() -> c_int,
    Py_DecodeLocale: fn(*const c_char, *mut usize) -> *mut i32,
    PyMem_RawMalloc: fn(usize) -> *mut c_void,
    PyObject_Malloc: fn(usize) -> *mut c_void,
    PyOS_BeforeFork: fn(),
    PyOS_AfterFork_Parent: fn(),
    PyOS_AfterFork_Child: fn(),
    Py_CompileString: fn(*const c_char, *const c_char, c_int) -> Object,
    PyEval_EvalCode: fn(Object, Object, Object) -> Object,
    PyEval_GetBuiltins: fn() -> Object,
    PyDict_New: fn() -> Object,
    PyDict_Copy: fn(Object) -> Object,
    PyDict_SetItem: fn(Object, Object, Object) -> c_int,
    PyDict_SetItemString: fn(Object, *const c_char, Object) -> c_int,
    PyDict_GetItem: fn(Object, Object) -> Object,
    PyDict_Next: fn(Object, *mut isize, *mut Object, *mut Object) -> c_int,
    PyDict_GetItemString: fn(Object, *const c_char) -> Object,
    PyList_New: fn(isize) -> Object,
    PyList_SetSlice: fn(Object, isize, isize, Object) -> c_int,
    PyList_Size: fn(Object) -> isize,
    PyList_GetItem: fn(Object, isize) -> Object,
    PyList_Append: fn(Object, Object) -> c_int,
    PyTuple_New: fn(isize) -> Object,
    PyTuple_SetItem: fn(Object, isize, Object) -> c_int,
    PyObject_Call: fn(Object, Object, Object) -> Object,
    PyObject_CallNoArgs: fn(Object) -> Object,
    PyObject_IsTrue: fn(Object) -> c_int,
    PyBytes_FromStringAndSize: fn(*const c_char, isize) -> Object,
    PyUnicode_FromString: fn(*const c_char) -> Object,
    PyUnicode_InternFromString: fn(*const c_char) -> Object,
    PyUnicode_DecodeUTF8: fn(*const c_char, isize, *const c_char) -> Object,
    PyUnicode_AsUTF8AndSize: fn(Object, *mut isize) -> *const c_char,
    PyBool_FromLong: fn(isize) -> Object,
    PyObject_Type: fn(Object) -> Object,
    PyObject_SetAttr: fn(Object, Object, Object) -> c_int,
    PyObject_GetAttrString: fn(Object, *const c_char) -> Object,
    PyTuple_GetItem: fn(Object, isize) -> Object,
    PyLong_FromLong: fn(c_long) -> Object,
    PyLong_AsLong: fn(Object) -> c_long,
    PyCapsule_New: fn(*mut c_void, *const c_char, Destructor) -> Object,
    PyImport_GetModuleDict: fn() -> Object,
    PyModule_GetDict: fn(Object) -> Object,
    PySys_GetObject: fn(*const c_char) -> Object,
    PyInterpreterState_Get: fn() -> *mut c_void,
    PyInterpreterState_ThreadHead: fn(*mut c_void) -> *mut c_void,
    PyThreadState_Next: fn(*mut c_void) -> *mut c_void,
    _PyInterpreterState_GetEvalFrameFunc: fn(*mut c_void) -> Evaluate,
    _PyInterpreterState_SetEvalFrameFunc: fn(*mut c_void, Evaluate),
    _PyEval_EvalFrameDefault: fn(*mut c_void, *mut c_void, c_int) -> Object,
    PyErr_GivenExceptionMatches: fn(Object, Object) -> c_int,
    PyErr_Fetch: fn(*mut Object, *mut Object, *mut Object),
    PyErr_Restore: fn(Object, Object, Object),
    PyErr_Clear: fn(),
    PyErr_Occurred: fn() -> Object,
    PySys_AddAuditHook: fn(AuditHook, *mut c_void) -> c_int,
    PyErr_Print: fn(),
    Py_IncRef: fn(Object),
    Py_DecRef: fn(Object),
}

/// What the interpreter says of itself; None where this is no Python. Needs no interpreter that is initialised.
pub(super) fn version() -> Option<String> {
    // SAFETY: a function of this type in every version of Python, which returns a string that lives as long as the process.
    unsafe {
        let found = dlsym(std::ptr::null_mut(), c"Py_GetVersion".as_ptr());
        if found.is_null() {
            return None;
        }
        let ask =
            std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> *const c_char>(found);
        Some(CStr::from_ptr(ask()).to_string_lossy().into_owned())
    }
}

/// The names that the files in `start` define.
pub(super) struct Helper<'a> {
    pub api: &'a Api,
    globals: Object,
}

/// What is run in one namespace, in this order, and what it is called in errors.
const SOURCES: [(&CStr, &str); 4] = [
    (c"<load>", concat!(include_str!("start/load.py"), "\0")),
    (c"<hooks>", concat!(include_str!("start/hooks.py"), "\0")),
    (c"<end>", concat!(include_str!("start/end.py"), "\0")),
    (
        c"<program>",
        concat!(include_str!("start/program.py"), "\0"),
    ),
];
const FILE_INPUT: c_int = 257;

impl<'a> Helper<'a> {
    /// Runs the files. None when one failed, which it has said on stderr then.
    pub(super) fn load(api: &'a Api) -> Option<Helper<'a>> {
        // SAFETY: Python is initialised, its lock is ours, the strings are NUL-terminated, and null results are not
        // passed on. What is created here lives as long as the process.
        unsafe {
            let globals = (api.PyDict_New)();
            if globals.is_null() {
                return None;
            }
            // A copy: programs may change the originals.
            let builtins = (api.PyDict_Copy)((api.PyEval_GetBuiltins)());
            (api.PyDict_SetItemString)(globals, c"__builtins__".as_ptr(), builtins);
            for (name, source) in SOURCES {
                let source = source.as_ptr().cast();
                let code = (api.Py_CompileString)(source, name.as_ptr(), FILE_INPUT);
                if code.is_null() || (api.PyEval_EvalCode)(code, globals, globals).is_null() {
                    (api.PyErr_Print)();
                    return None;
                }
            }
            // What the callback at exit uses has to outlive the callback.
            (api.Py_IncRef)(globals);
            Some(Helper { api, globals })
        }
    }

    /// The same, with what `globals` has returned.
    pub(super) fn of(api: &'a Api, globals: Object) -> Helper<'a> {
        Helper { api, globals }
    }

    /// Lives as long as the process.
    pub(super) fn globals(&self) -> Object {
        self.globals
    }

    /// Calls one of its functions, and takes the arguments over. None on an exception, which is dropped.
    pub(super) fn call(&self, name: &CStr, arguments: &[Object]) -> Option<Object> {
        let api = self.api;
        // SAFETY: Python is initialised, and its lock is ours; null results are not passed on. A tuple takes over the references put into it.
        unsafe {
            let function = (api.PyDict_GetItemString)(self.globals, name.as_ptr());
            let tuple = (api.PyTuple_New)(arguments.len() as isize);
            if function.is_null() || tuple.is_null() {
                return None;
            }
            for (at, argument) in arguments.iter().enumerate() {
                (api.PyTuple_SetItem)(tuple, at as isize, *argument);
            }
            let result = (api.PyObject_Call)(function, tuple, std::ptr::null_mut());
            (api.Py_DecRef)(tuple);
            if result.is_null() {
                (api.PyErr_Clear)();
                return None;
            }
            Some(result)
        }
    }

    /// A list of byte strings.
    pub(super) fn bytes<'b>(&self, items: impl Iterator<Item = &'b [u8]>) -> Object {
        // SAFETY: Python is initialised, and its lock is ours. The list takes references of its own.
        unsafe {
            let list = (self.api.PyList_New)(0);
            for item in items {
                let length = item.len() as isize;
                let bytes = (self.api.PyBytes_FromStringAndSize)(item.as_ptr().cast(), length);
                (self.api.PyList_Append)(list, bytes);
                (self.api.Py_DecRef)(bytes);
            }
            list
        }
    }

    pub(super) fn text(&self, text: &CStr) -> Object {
        // SAFETY: Python is initialised, and its lock is ours; the string is NUL-terminated.
        unsafe { (self.api.PyUnicode_FromString)(text.as_ptr()) }
    }

    pub(super) fn boolean(&self, value: bool) -> Object {
        // SAFETY: Python is initialised, and its lock is ours; takes a number.
        unsafe { (self.api.PyBool_FromLong)(value.into()) }
    }

    pub(super) fn none(&self) -> Object {
        // SAFETY: Python is initialised, its lock is ours, and None is never freed; the caller gets a reference of its own.
        unsafe { (self.api.Py_IncRef)(self.api._Py_NoneStruct) };
        self.api._Py_NoneStruct
    }

    /// A list of strings.
    pub(super) fn texts(&self, items: &[std::ffi::CString]) -> Object {
        // SAFETY: Python is initialised, and its lock is ours; each slice is as long as it says.
        unsafe {
            let list = (self.api.PyList_New)(0);
            for item in items {
                let text = self.text(item);
                (self.api.PyList_Append)(list, text);
                (self.api.Py_DecRef)(text);
            }
            list
        }
    }

    pub(super) fn is_true(&self, object: Object) -> bool {
        // SAFETY: Python is initialised, and its lock is ours; `object` is one that a call has returned.
        unsafe { (self.api.PyObject_IsTrue)(object) == 1 }
    }

    /// A string as it is in Rust; None for what is no string.
    pub(super) fn string(&self, object: Object) -> Option<String> {
        let mut length = 0;
        // SAFETY: Python is initialised, and its lock is ours; the result points to `length` bytes that live as long as the object, which is kept.
        unsafe {
            let found = (self.api.PyUnicode_AsUTF8AndSize)(object, &mut length);
            if found.is_null() {
                (self.api.PyErr_Clear)();
                return None;
            }
            let bytes = std::slice::from_raw_parts(found.cast::<u8>(), length as usize);
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
    }
}
