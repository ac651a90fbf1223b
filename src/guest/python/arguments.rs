//! What Python was asked to run, changed after its start.
//!
//! `Py_RunMain` reads it from the interpreter's `PyConfig`, whose layout differs from version to version. Where the
//! fields are is found out by asking: configurations are read from arguments that no other field could hold.

use super::api::Api;
use crate::guest::c;
use std::ffi::{CStr, CString, c_char, c_void};

/// More than any version's `PyConfig`, in bytes; 3.13's takes some 450.
const CONFIG_BYTES: usize = 2048;
const MARK: &CStr = c"/runner-mark";
/// Less than any version's.
const LEAST_BYTES: usize = 320;
const EXTRA: usize = 41;

/// Byte offsets into `PyConfig`.
pub(super) struct Fields {
    command: usize,
    module: usize,
    filename: usize,
    /// As in messages; not the path of the interpreter.
    program: Option<usize>,
    /// Length, then the strings.
    argv: usize,
}

/// A configuration that was not started from.
#[repr(C, align(16))]
pub(super) struct Config(pub [u64; CONFIG_BYTES / 8]);

impl Config {
    /// That of a Python with these arguments.
    pub(super) fn of(api: &Api, arguments: &[&CStr]) -> Option<Box<Config>> {
        let mut config = Box::new(Config([0; CONFIG_BYTES / 8]));
        let pointers: Vec<*const c_char> = arguments.iter().map(|a| a.as_ptr()).collect();
        let at = config.0.as_mut_ptr().cast::<c_void>();
        // SAFETY: `config` is longer than a `PyConfig` and aligned; the arguments are NUL-terminated and are copied.
        unsafe {
            (api.PyConfig_InitPythonConfig)(at);
            let status =
                (api.PyConfig_SetBytesArgv)(at, pointers.len() as isize, pointers.as_ptr());
            ((api.PyStatus_Exception)(status) == 0).then_some(config)
        }
    }

    fn read(api: &Api, arguments: &[&CStr]) -> Option<Box<Config>> {
        let mut config = Config::of(api, arguments)?;
        // SAFETY: a `PyConfig` that `PyConfig_InitPythonConfig` has filled.
        let status = unsafe { (api.PyConfig_Read)(config.0.as_mut_ptr().cast()) };
        // SAFETY: takes a struct of plain values.
        (unsafe { (api.PyStatus_Exception)(status) } == 0).then_some(config)
    }
}

impl Fields {
    /// To be called before Python is initialised.
    pub(super) fn find(api: &Api) -> Option<Fields> {
        let find = |option: Option<&CStr>, end: &str| {
            let mut arguments = vec![c"python3"];
            arguments.extend(option);
            arguments.push(MARK);
            arguments.extend([c"x"; EXTRA]);
            let config = Config::read(api, &arguments)?;
            let text = format!("{}{end}", MARK.to_str().ok()?);
            let holds = |word: &u64| starts_with(*word, &text);
            let string = config.0.iter().position(holds)? * 8;
            let list = config.0.iter().position(|n| *n == EXTRA as u64 + 1)? * 8;
            Some((string, list))
        };
        let (command, argv) = find(Some(c"-c"), "\n")?;
        let (module, _) = find(Some(c"-m"), "")?;
        let (filename, _) = find(None, "")?;
        Some(Fields {
            command,
            module,
            filename,
            program: None,
            argv,
        })
    }

    /// What can be found only once Python is initialised. `name` is what it was started as; the paths of the
    /// interpreter, which may be the same, come later in every version.
    pub(super) fn find_program(&mut self, api: &Api, name: &CStr) {
        // SAFETY: the interpreter's configuration lives as long as it; no version's is shorter than this.
        let config = unsafe {
            std::slice::from_raw_parts((api._Py_GetConfig)().cast::<u64>(), LEAST_BYTES / 8)
        };
        let name = name.to_string_lossy();
        self.program = config
            .iter()
            .position(|word| starts_with(*word, &name))
            .map(|at| at * 8);
    }

    /// Makes `Py_RunMain` run this. `arguments` are the program's name and at least one more.
    pub(super) fn set(&self, api: &Api, arguments: &[CString]) {
        // SAFETY: the interpreter's configuration is a `PyConfig`, in which the offsets are those of pointers to wide
        // strings and of a list of such, allocated with PyMem_RawMalloc. The old ones are not freed.
        unsafe {
            let config = (api._Py_GetConfig)().cast::<u8>();
            let field = |offset: usize| config.add(offset).cast::<*mut i32>();
            for offset in [self.command, self.module, self.filename] {
                field(offset).write(std::ptr::null_mut());
            }
            let wide = |text: &CStr| (api.Py_DecodeLocale)(text.as_ptr(), std::ptr::null_mut());
            if let Some(program) = self.program {
                field(program).write(wide(&arguments[0]));
            }
            match arguments[1].as_bytes() {
                b"-c" => {
                    let code = [arguments[2].as_bytes(), b"\n\0"].concat();
                    let code = CStr::from_bytes_with_nul_unchecked(&code);
                    field(self.command).write(wide(code));
                }
                b"-m" => field(self.module).write(wide(&arguments[2])),
                name => field(self.filename).write(wide(&absolute(name))),
            }
            let count = shown(arguments).count();
            let items = (api.PyMem_RawMalloc)(count * 8).cast::<*mut i32>();
            for (at, text) in shown(arguments).enumerate() {
                items.add(at).write(wide(text));
            }
            config.add(self.argv).cast::<usize>().write(count);
            config
                .add(self.argv + 8)
                .cast::<*mut *mut i32>()
                .write(items);
        }
    }
}

/// What of the arguments a program sees as `sys.argv`: neither the interpreter's name nor what an option takes.
pub(super) fn shown(arguments: &[CString]) -> impl Iterator<Item = &CString> {
    let taken = matches!(arguments[1].as_bytes(), b"-c" | b"-m").then_some(2);
    let all = arguments.iter().enumerate();
    all.filter(move |(at, _)| *at != 0 && Some(*at) != taken)
        .map(|(_, text)| text)
}

/// As Python names a script (`_Py_abspath`).
fn absolute(name: &[u8]) -> CString {
    let full = match (name, std::env::current_dir()) {
        ([b'/', ..], _) | (_, Err(_)) => name.to_vec(),
        (_, Ok(here)) => {
            let here = here.into_os_string().into_encoded_bytes();
            [&here[..], b"/", name].concat()
        }
    };
    CString::new(full).unwrap_or_default()
}

/// Whether a word is the address of this wide string, as far as the text goes. Any word may be asked about.
fn starts_with(word: u64, text: &str) -> bool {
    let mut found = vec![0i32; text.len() + 1];
    let bytes = found.len() * 4;
    let ours = c::IoVec {
        base: found.as_mut_ptr().cast(),
        length: bytes,
    };
    let theirs = c::IoVec {
        base: word as *mut c_void,
        length: bytes,
    };
    // SAFETY: the kernel writes at most `bytes` into `found`, and checks the other address.
    let read = unsafe { c::process_vm_readv(c::getpid(), &ours, 1, &theirs, 1, 0) };
    let expected = text.chars().map(|c| c as i32).chain([0]);
    read == bytes as isize && found.into_iter().eq(expected)
}
