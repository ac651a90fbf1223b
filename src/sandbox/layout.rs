//! What programs see of the file tree, as data: which directories come from where, which files of /etc and which devices are
//! there, where they may write, and the environment that they start with.

use crate::wire::message::Setup;
use std::fs;
use std::path::{Path, PathBuf};

/// Name, uid and gid of the episode's user inside the namespaces tier.
pub const USER: &str = "runner";
pub const INNER_UID: u32 = 1000;
pub const INNER_GID: u32 = 1000;

/// What the slot's tmpfs has for /dev/shm.
pub const SHARED_MEMORY: &str = "/var/shm";

/// A root that programs see.
pub struct Layout {
    /// Directories that are there for programs to run at all: seen read-only at the same place. Those that are symbolic links
    /// (merged /usr) are symbolic links inside.
    pub system_directories: &'static [&'static str],
    /// What may be read of /etc: configuration that programs need to start, and nothing that could hold a secret. A `*` stands
    /// for a part of a name.
    etc_readable: &'static [&'static str],
    /// Character devices: no state, no host data. /dev/tty fails without a terminal, as in a container.
    pub devices: &'static [&'static str],
    /// Symbolic links of /dev that programs and shells take for granted.
    pub device_links: &'static [(&'static str, &'static str)],
    /// Where an episode may write in a private root; all of it is on the slot's own tmpfs, and /dev/shm is a second name of
    /// [`SHARED_MEMORY`]. `(path, mode)`, parents first.
    pub writable: &'static [(&'static str, u32)],
    /// Other directories of a private root, `(path, mode)`, parents first.
    pub plain: &'static [(&'static str, u32)],
    /// Where the contract's absolute directories are without a private root: below the slot's scratch directory.
    pub scratch: &'static [(&'static str, &'static str)],
    /// Single files of /proc that programs read about the machine; all that is shown of /proc without a private root.
    pub proc_readable: &'static [&'static str],
    /// Files of /proc that are closed in a private root too: the keys of the user who started the runner, and what tells one
    /// host from another, or what it is doing.
    pub proc_closed: &'static [&'static str],
}

/// The programs and libraries of the host.
pub static HOST_LAYOUT: Layout = Layout {
    system_directories: &[
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/opt",
        "/nix/store",
        "/etc",
    ],
    etc_readable: &[
        "alternatives",
        "bash.bashrc",
        "bash_completion.d",
        "ca-certificates",
        "ca-certificates.conf",
        "crypto-policies",
        "debian_version",
        "default/locale",
        "dpkg",
        "fonts",
        "gai.conf",
        "group",
        "gitconfig",
        "host.conf",
        "hostname",
        "hosts",
        "inputrc",
        "java",
        "java-*-openjdk",
        "ld.so.cache",
        "ld.so.conf",
        "ld.so.conf.d",
        "locale.alias",
        "locale.conf",
        "localtime",
        "login.defs",
        "lsb-release",
        "machine-id",
        "magic",
        "manpath.config",
        "mailcap",
        "matplotlibrc",
        // Not settings.xml, which may hold passwords: `mvn -gs FILE` names another.
        "maven/logging",
        "maven/m2.conf",
        "maven/toolchains.xml",
        "mime.types",
        "nsswitch.conf",
        "OpenCL",
        "openssl",
        "os-release",
        "passwd",
        "perl",
        "php/*/cli/conf.d",
        "php/*/mods-available",
        "pki",
        "profile",
        "profile.d",
        "protocols",
        "python3",
        "python3.*",
        "R/Makeconf",
        "R/Renviron",
        "R/ldpaths",
        "R/repositories",
        "redhat-release",
        "rpc",
        "sensors3.conf",
        "services",
        "shells",
        "skel",
        "ssl/certs",
        "ssl/openssl.cnf",
        "terminfo",
        "timezone",
        "vim",
        "xattr.conf",
    ],
    devices: &["null", "zero", "full", "random", "urandom", "tty"],
    device_links: &[
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ],
    writable: &[
        ("/workspace", 0o755),
        ("/tmp", 0o1777),
        ("/home/runner", 0o755),
        ("/var/tmp", 0o1777),
        ("/run", 0o755),
        (SHARED_MEMORY, 0o1777),
    ],
    plain: &[
        ("/home", 0o755),
        ("/var", 0o755),
        ("/root", 0o755),
        ("/proc", 0o555),
        ("/dev", 0o755),
    ],
    scratch: &[
        ("/workspace", "workspace"),
        ("/tmp", "tmp"),
        ("/home/runner", "home"),
    ],
    proc_readable: &[
        "cpuinfo",
        "meminfo",
        "filesystems",
        "stat",
        "uptime",
        "loadavg",
        "version",
    ],
    proc_closed: &[
        "keys",
        "key-users",
        "cmdline",
        "diskstats",
        "interrupts",
        "softirqs",
        "partitions",
        "modules",
        "locks",
        "sys/kernel/random/boot_id",
    ],
};

/// That of a slot.
pub fn of(_: &Setup) -> &'static Layout {
    &HOST_LAYOUT
}

impl Layout {
    /// Whether this is in one of the system directories.
    pub fn is_system(&self, path: &Path) -> bool {
        let mut directories = self.system_directories.iter();
        directories.any(|directory| path.starts_with(directory))
    }

    /// What may be read of an /etc that is seen there: paths below it, as far as there is something for a pattern.
    pub fn etc_readable(&self, etc: &Path) -> Vec<PathBuf> {
        let patterns = self.etc_readable.iter();
        patterns.flat_map(|pattern| expand(etc, pattern)).collect()
    }

    /// The environment every program starts with; an episode's own `env` is laid over it. `at` is where a path of the contract
    /// is for programs.
    pub fn environment(&self, at: impl Fn(&str) -> String) -> Vec<(String, String)> {
        vec![
            (
                "PATH".into(),
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into(),
            ),
            ("HOME".into(), at("/home/runner")),
            ("LANG".into(), "C.UTF-8".into()),
            ("TMPDIR".into(), at("/tmp")),
            ("USER".into(), USER.into()),
            // The leak check traces the program with ptrace and, where it may not, fails it: every correct program
            // built with -fsanitize=address would exit with 1 (compiler-rt, sanitizer_stoptheworld).
            ("LSAN_OPTIONS".into(), "detect_leaks=0".into()),
        ]
    }

    /// Files of /etc that are the sandbox's own, where there is a private root.
    pub fn own_etc(&self) -> [(&'static str, String); 5] {
        [
            (
                "passwd",
                format!(
                    "root:x:0:0:root:/root:/bin/bash\n{USER}:x:{INNER_UID}:{INNER_GID}::/home/runner:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
                ),
            ),
            (
                "group",
                format!("root:x:0:\n{USER}:x:{INNER_GID}:\nnogroup:x:65534:\n"),
            ),
            (
                "hosts",
                "127.0.0.1 localhost sandbox\n::1 localhost\n".into(),
            ),
            ("hostname", "sandbox\n".into()),
            // The same in every sandbox of every host (machine-id(5)).
            ("machine-id", "5a4d0b0c000040008000000000000001\n".into()),
        ]
    }
}

/// Names below a directory, for a pattern with at most one `*` that stands for a part of a name.
fn expand(directory: &Path, pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![directory.join(pattern)];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let (suffix, rest) = after.split_once('/').unwrap_or((after, ""));
    let fits = |name: &str| {
        let middle = name
            .strip_prefix(prefix)
            .and_then(|name| name.strip_suffix(suffix));
        middle.is_some_and(|middle| !middle.is_empty())
    };
    let parent = directory.join(parent);
    let entries = fs::read_dir(&parent).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let paths = names
        .filter(|name| fits(name))
        .map(|name| parent.join(name));
    let mut found: Vec<PathBuf> = match rest {
        "" => paths.collect(),
        rest => paths.map(|path| path.join(rest)).collect(),
    };
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nix_programs_see_what_is_installed_and_not_the_socket_of_its_daemon() {
        assert!(HOST_LAYOUT.is_system(Path::new("/nix/store/0c-bash-5.2/bin/bash")));
        assert!(!HOST_LAYOUT.is_system(Path::new("/nix/var/nix/daemon-socket/socket")));
    }

    #[test]
    fn a_star_stands_for_a_part_of_a_name_of_what_is_there() {
        let etc = tempfile::tempdir().unwrap();
        for name in [
            "python3",
            "python3.9",
            "python3.13",
            "php/8.4/cli/conf.d",
            "php/8.4/fpm",
        ] {
            fs::create_dir_all(etc.path().join(name)).unwrap();
        }
        let found = |pattern| -> Vec<String> {
            let paths = expand(etc.path(), pattern).into_iter();
            let names = paths.map(|path| path.strip_prefix(etc.path()).unwrap().to_owned());
            names.map(|name| name.display().to_string()).collect()
        };
        assert_eq!(found("python3"), ["python3"]);
        assert_eq!(found("python3.*"), ["python3.13", "python3.9"]);
        assert_eq!(found("php/*/cli/conf.d"), ["php/8.4/cli/conf.d"]);
        assert_eq!(found("java-*-openjdk"), [""; 0]);
    }
}
