//! What start-up files could make of a variable: one that they, or bash itself, might read has to be there when they run.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// Files that a login bash reads, or that those read in turn on the common distributions.
const FILES: [&str; 4] = [
    "/etc/profile",
    "/etc/bash.bashrc",
    "/etc/bashrc",
    "/etc/environment",
];
const DIRECTORIES: [&str; 1] = ["/etc/profile.d"];
/// Words that read all variables at once.
const CATCH_ALL: [&str; 3] = ["printenv", "env", "compgen"];
/// Variables that bash, the C library or the loader read at their start, and beginnings of such (bash(1), environ(7)).
const SPECIAL: [&str; 38] = [
    "PATH",
    "HOME",
    "LANG",
    "LANGUAGE",
    "IFS",
    "ENV",
    "SHELLOPTS",
    "POSIXLY_CORRECT",
    "TMPDIR",
    "USER",
    "SHLVL",
    "PWD",
    "OLDPWD",
    "CDPATH",
    "GLOBIGNORE",
    "INPUTRC",
    "OPTIND",
    "OPTERR",
    "OPTARG",
    "UID",
    "EUID",
    "PPID",
    "RANDOM",
    "SRANDOM",
    "SECONDS",
    "LINENO",
    "SHELL",
    "TIMEFORMAT",
    "TMOUT",
    "FUNCNAME",
    "GROUPS",
    "DIRSTACK",
    "HOSTNAME",
    "TZ",
    "TERM",
    "_",
    "REPLY",
    "POSIX_PEDANTIC",
];
const SPECIAL_BEGINNINGS: [&str; 14] = [
    "BASH",
    "LC_",
    "LD_",
    "PS",
    "HIST",
    "COMP",
    "EPOCH",
    "MAIL",
    "PROMPT",
    "TEXTDOMAIN",
    "MALLOC_",
    "GLIBC_",
    "NLS",
    "runner_",
];

/// The words of all start-up files.
pub struct StartUp {
    words: BTreeSet<String>,
}

impl StartUp {
    /// Reads them. None where they do something that every program would have to see done again.
    pub fn read() -> Option<StartUp> {
        let listed = DIRECTORIES
            .iter()
            .flat_map(fs::read_dir)
            .flatten()
            .flatten();
        let files = FILES
            .iter()
            .map(PathBuf::from)
            .chain(listed.map(|entry| entry.path()));
        let texts = files.filter_map(|file| fs::read(file).ok());
        let mut words = BTreeSet::new();
        for text in texts {
            let text = String::from_utf8_lossy(&text);
            let parts = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            words.extend(parts.map(str::to_owned));
        }
        (!words.contains("ulimit")).then_some(StartUp { words })
    }

    /// Whether a variable can as well be set after they have run.
    pub fn ignores(&self, name: &str, value: &str) -> bool {
        let identifier = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !name.starts_with(|c: char| c.is_ascii_digit());
        identifier
            && !value.starts_with("()")
            && !SPECIAL.contains(&name)
            && !SPECIAL_BEGINNINGS.iter().any(|b| name.starts_with(b))
            && !self.words.contains(name)
            && !CATCH_ALL.iter().any(|word| self.words.contains(*word))
    }
}
