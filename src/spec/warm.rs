//! What `--warm` means, and how results say that a program was started.

use serde::{Deserialize, Serialize};
use std::path::Path;

/// Modules that programs commonly import, and whose import does nothing that could be seen.
const COMMON: [&str; 40] = [
    "abc",
    "argparse",
    "array",
    "ast",
    "bisect",
    "cmath",
    "collections",
    "collections.abc",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "heapq",
    "inspect",
    "io",
    "itertools",
    "json",
    "math",
    "numbers",
    "operator",
    "pathlib",
    "random",
    "re",
    "shutil",
    "statistics",
    "string",
    "struct",
    "subprocess",
    "tempfile",
    "textwrap",
    "threading",
    "traceback",
    "typing",
    "unittest",
];
/// Where a program named without a directory is found, in slots as here.
const PATH: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// Interpreters that are to be warm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Warm {
    /// Those that each slot starts by itself, each once.
    pub per_slot: Vec<PerSlot>,
    /// Those that the runner starts, and that are forked into each slot.
    pub pythons: Vec<WarmPython>,
}

/// An interpreter that each slot starts by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PerSlot {
    Bash,
}

impl PerSlot {
    /// All, by the names that `--warm` has for them.
    const NAMED: [(&str, PerSlot); 1] = [("bash", PerSlot::Bash)];

    fn named(name: &str) -> Option<PerSlot> {
        let mut all = Self::NAMED.into_iter();
        all.find_map(|(own, interpreter)| (own == name).then_some(interpreter))
    }
}

/// How the program was brought to life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    Exec,
    WarmBash,
    WarmPython,
}

impl Start {
    /// All, in the order in which they are reported.
    pub const ALL: [Start; 3] = [Start::Exec, Start::WarmBash, Start::WarmPython];

    /// As results have it.
    pub fn name(self) -> &'static str {
        match self {
            Start::Exec => "exec",
            Start::WarmBash => "warm-bash",
            Start::WarmPython => "warm-python",
        }
    }

    /// Whether a warm interpreter has forked it.
    pub fn is_warm(self) -> bool {
        self != Start::Exec
    }
}

/// One Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WarmPython {
    /// Absolute.
    pub path: String,
    pub modules: Vec<String>,
    /// Whether somebody asked for it.
    pub named: bool,
}

impl WarmPython {
    /// Whether it belongs to the ordinary user that we are. A warm one sees its own file on the host, through
    /// /proc/self/exe, where a program of the same user could change its mode; a cold one sees the slot's read-only view.
    pub(crate) fn is_own(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let own = nix::unistd::geteuid();
        let owner = Path::new(&self.path)
            .metadata()
            .map_or(own.as_raw(), |meta| meta.uid());
        !own.is_root() && owner == own.as_raw()
    }
}

/// A list that can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WarmError {
    #[error(
        "{0:?} comes before any python; write python={path}:{0}",
        path = "/usr/bin/python3"
    )]
    Stray(String),
    #[error("{0:?} is no name of a module; write as in python=/usr/bin/python3:numpy,pandas")]
    Module(String),
    #[error("{0:?} is not there or can't be executed; name an interpreter by its full path")]
    Missing(String),
    #[error("there is no python3 in {}; name one by its full path", PATH.join(":"))]
    NoPython,
    #[error("{0:?} stands alone; write only --warm {0}")]
    Alone(String),
    #[error("{0} stands there twice")]
    Twice(String),
}

impl Warm {
    /// Reads the flag, which may be given several times, each with one interpreter or a list of them. Looks at the file system to
    /// find them.
    pub(crate) fn parse<'a>(lists: impl IntoIterator<Item = &'a str>) -> Result<Warm, WarmError> {
        let mut warm = Warm::default();
        let lists: Vec<&str> = lists.into_iter().collect();
        match lists.as_slice() {
            ["none"] => return Ok(warm),
            ["auto"] => {
                warm.per_slot.push(PerSlot::Bash);
                warm.pythons.extend(default_python(false));
                return Ok(warm);
            }
            _ => {}
        }
        for list in lists {
            warm.add_list(list)?;
        }
        Ok(warm)
    }

    fn add_list(&mut self, list: &str) -> Result<(), WarmError> {
        // Modules are those of a python in their own list: no list goes on where another has ended.
        let mut has_python = false;
        for element in list.split(',').map(str::trim) {
            if let Some(interpreter) = PerSlot::named(element) {
                self.per_slot.retain(|other| *other != interpreter);
                self.per_slot.push(interpreter);
                continue;
            }
            match element.split_once('=') {
                _ if element == "none" || element == "auto" => {
                    return Err(WarmError::Alone(element.into()));
                }
                _ if element == "python" => {
                    self.add(default_python(true).ok_or(WarmError::NoPython)?)?;
                    has_python = true;
                }
                Some(("python", rest)) => {
                    let (path, module) = match rest.split_once(':') {
                        Some((path, module)) => (path, Some(module)),
                        None => (rest, None),
                    };
                    self.add(python(path)?)?;
                    has_python = true;
                    if let Some(module) = module {
                        self.add_module(module)?;
                    }
                }
                _ if !has_python => return Err(WarmError::Stray(element.into())),
                _ => self.add_module(element)?,
            }
        }
        Ok(())
    }

    fn add(&mut self, python: WarmPython) -> Result<(), WarmError> {
        if self.pythons.iter().any(|p| p.path == python.path) {
            return Err(WarmError::Twice(python.path));
        }
        self.pythons.push(python);
        Ok(())
    }

    fn add_module(&mut self, name: &str) -> Result<(), WarmError> {
        let part = |p: &str| {
            let mut chars = p.chars();
            let first = |c: char| c.is_alphabetic() || c == '_';
            chars.next().is_some_and(first) && chars.all(|c| c.is_alphanumeric() || c == '_')
        };
        if !name.split('.').all(part) {
            return Err(WarmError::Module(name.into()));
        }
        let stray = || WarmError::Stray(name.into());
        let modules = &mut self.pythons.last_mut().ok_or_else(stray)?.modules;
        if !modules.iter().any(|m| m == name) {
            modules.push(name.into());
        }
        Ok(())
    }
}

fn python(path: &str) -> Result<WarmPython, WarmError> {
    if !path.starts_with('/') || !is_program(path) {
        return Err(WarmError::Missing(path.into()));
    }
    Ok(WarmPython {
        path: path.into(),
        modules: COMMON.map(String::from).to_vec(),
        named: true,
    })
}

fn default_python(named: bool) -> Option<WarmPython> {
    let mut places = PATH.iter().map(|directory| format!("{directory}/python3"));
    let path = places.find(|path| is_program(path))?;
    Some(WarmPython {
        named,
        ..python(&path).ok()?
    })
}

fn is_program(path: &str) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let meta = Path::new(path).metadata();
    meta.is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
