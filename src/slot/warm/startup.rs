//! What start-up files could make of a variable: one that they, or bash itself, might read has to be there when they run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

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
const SPECIAL: [&str; 47] = [
    "PATH",
    "FUNCNEST",
    "CHILD_MAX",
    "COLUMNS",
    "LINES",
    "EXECIGNORE",
    "GLOBSORT",
    "IGNOREEOF",
    "TERMCAP",
    "TERMINFO",
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

/// Words by which they may depend on where a command starts, and on what is in its home.
const OF_DIRECTORY: [&str; 3] = ["PWD", "OLDPWD", "pwd"];
const OF_HOME: &str = "HOME";
/// Where they have run.
pub(super) const PARKED_IN: &str = "/workspace";
/// How deep files that read files are followed.
const DEPTH: usize = 8;

/// The words of all start-up files.
#[derive(Default)]
pub(super) struct StartUp {
    words: BTreeSet<String>,
    /// Whether they read files whose names are found out as they run.
    reads_unknown: bool,
    names_home: bool,
}

impl StartUp {
    /// Reads them. None where they do something that every program would have to see done again.
    pub(super) fn read() -> Option<StartUp> {
        let listed = DIRECTORIES
            .iter()
            .flat_map(fs::read_dir)
            .flatten()
            .flatten();
        let files = FILES
            .iter()
            .map(PathBuf::from)
            .chain(listed.map(|entry| entry.path()));
        let mut startup = StartUp::default();
        files.for_each(|file| startup.take(&file, DEPTH));
        (!startup.words.contains("ulimit")).then_some(startup)
    }

    /// Takes in a file, and those that it reads in turn.
    fn take(&mut self, file: &Path, depth: usize) {
        let Ok(bytes) = fs::read(file) else { return };
        let text = String::from_utf8_lossy(&bytes);
        let is_comment = |line: &&str| line.trim_start().starts_with('#');
        let lines: Vec<&str> = text.lines().filter(|line| !is_comment(line)).collect();
        let text = lines.join("\n");
        let parts = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        self.words.extend(parts.map(str::to_owned));
        self.names_home |= text.contains('~') || self.words.contains(OF_HOME);
        for line in lines {
            let mut words = line.split([' ', '\t', ';', '&', '|', '(', ')', '{', '}']);
            while let Some(word) = words.next() {
                if word != "." && word != "source" {
                    continue;
                }
                let Some(name) = words.next() else { continue };
                let name = name.trim_matches(['"', '\'']);
                match Path::new(name) {
                    path if path.is_absolute() && !name.contains(['$', '*', '?', '`']) => {
                        match depth {
                            0 => self.reads_unknown = true,
                            _ => self.take(path, depth - 1),
                        }
                    }
                    // A loop over /etc/profile.d, which is taken in anyway.
                    _ if name.starts_with('$') && text.contains("/etc/profile.d/") => {}
                    _ => self.reads_unknown = true,
                }
            }
        }
    }

    /// Whether they would have done the same for a command that starts here.
    pub(super) fn ignores_place(&self, workdir: &str, home: &Path) -> bool {
        let names = |words: &[&str]| words.iter().any(|word| self.words.contains(*word));
        let is_empty = || fs::read_dir(home).is_ok_and(|mut entries| entries.next().is_none());
        (workdir == PARKED_IN || !names(&OF_DIRECTORY)) && (!self.names_home || is_empty())
    }

    /// Whether a variable can as well be set after they have run.
    pub(super) fn ignores(&self, name: &str, value: &str) -> bool {
        let identifier = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !name.starts_with(|c: char| c.is_ascii_digit());
        identifier
            && !value.starts_with("()")
            && !SPECIAL.contains(&name)
            && !SPECIAL_BEGINNINGS.iter().any(|b| name.starts_with(b))
            && !self.reads_unknown
            && !self.words.contains(name)
            && !CATCH_ALL.iter().any(|word| self.words.contains(*word))
    }
}
