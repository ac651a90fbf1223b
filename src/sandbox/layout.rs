//! What an episode sees of the file tree, as data: which host directories, which files of /etc, which devices,
//! where it may write, and the environment it starts with.

/// Name, uid and gid of the episode's user inside the namespaces tier.
pub const USER: &str = "runner";
pub const INNER_UID: u32 = 1000;
pub const INNER_GID: u32 = 1000;

/// Host directories that are there for programs to run at all: seen read-only at the same place. Those that are
/// symbolic links on the host (merged /usr) are symbolic links inside.
pub const SYSTEM_DIRECTORIES: &[&str] = &[
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
];

/// What may be read of /etc: configuration that programs need to start, and nothing that could hold a secret.
pub const ETC_READABLE: &[&str] = &[
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
    "java-11-openjdk",
    "java-17-openjdk",
    "java-21-openjdk",
    "java-25-openjdk",
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
    "php/8.1/cli/conf.d",
    "php/8.1/mods-available",
    "php/8.2/cli/conf.d",
    "php/8.2/mods-available",
    "php/8.3/cli/conf.d",
    "php/8.3/mods-available",
    "php/8.4/cli/conf.d",
    "php/8.4/mods-available",
    "pki",
    "profile",
    "profile.d",
    "protocols",
    "python3",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
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
];

/// Character devices: no state, no host data. /dev/tty fails without a terminal, as in a container.
pub const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];

/// Symbolic links of /dev that programs and shells take for granted.
pub const DEVICE_LINKS: &[(&str, &str)] = &[
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Where an episode may write in the namespaces tier; all of it is on the slot's own tmpfs, and /dev/shm is a
/// second name of `SHARED_MEMORY`. `(path, mode)`, parents first.
pub const WRITABLE: &[(&str, u32)] = &[
    ("/workspace", 0o755),
    ("/tmp", 0o1777),
    ("/home/runner", 0o755),
    ("/var/tmp", 0o1777),
    ("/run", 0o755),
    (SHARED_MEMORY, 0o1777),
];
pub const SHARED_MEMORY: &str = "/var/shm";

/// Other directories of the private root, `(path, mode)`, parents first.
pub const PLAIN: &[(&str, u32)] = &[
    ("/home", 0o755),
    ("/var", 0o755),
    ("/root", 0o755),
    ("/proc", 0o555),
    ("/dev", 0o755),
];

/// Where the contract's absolute directories are in the landlock tier, which has no root of its own: below the
/// slot's scratch directory.
pub const SCRATCH: &[(&str, &str)] = &[
    ("/workspace", "workspace"),
    ("/tmp", "tmp"),
    ("/home/runner", "home"),
];

/// Single files of /proc that programs read about the machine; all that the landlock tier shows of /proc.
pub const PROC_READABLE: &[&str] = &[
    "cpuinfo",
    "meminfo",
    "filesystems",
    "stat",
    "uptime",
    "loadavg",
    "version",
];

/// Files of /proc that are closed in the namespaces tier too: the keys of the user who started the runner, and what tells
/// one host from another, or what it is doing.
pub const PROC_CLOSED: &[&str] = &[
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
];

/// The environment every program starts with; an episode's own `env` is laid over it. `at` is where a path of the contract is
/// for programs.
pub fn base_environment(at: impl Fn(&str) -> String) -> Vec<(String, String)> {
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

/// Files of /etc that are the sandbox's own in the namespaces tier.
pub fn own_etc() -> [(&'static str, String); 5] {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn of_nix_programs_see_what_is_installed_and_not_the_socket_of_its_daemon() {
        let is_seen = |path: &str| {
            let mut seen = SYSTEM_DIRECTORIES.iter();
            seen.any(|directory| Path::new(path).starts_with(directory))
        };
        assert!(is_seen("/nix/store/0c-bash-5.2/bin/bash"));
        assert!(!is_seen("/nix/var/nix/daemon-socket/socket"));
    }
}
