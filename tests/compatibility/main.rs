//! Promise: programs work in the sandbox at the default limits as they do outside, except for what is named here.
//!
//! Each test runs one program of `compatibility/programs`, a shell script of named checks, as root and as an
//! ordinary user, in both tiers. The control is the same script outside the sandbox, as the same user: there, every
//! check has to hold. Inside, exactly those fail that are listed as exceptions with their reason, so that one that
//! begins to work is noticed too.

#[path = "../common/mod.rs"]
mod common;

mod check;
mod exceptions;

use check::works;
use exceptions::{
    METADATA, NO_PRIVATE_TMP, NO_PROC, NO_SHARED_MEMORY, NO_SOCKETS, NO_TERMINALS, NOT_IN_PASSWD,
};

/// A program of the folder, after the definition of `check`.
macro_rules! program {
    ($name:literal) => {
        concat!(
            include_str!("programs/check.sh"),
            include_str!(concat!("programs/", $name, ".sh"))
        )
    };
}

#[test]
fn the_shell_and_the_tools_around_it_work() {
    let exceptions = [
        METADATA.of(&["chmod", "cp-preserving", "gzip", "install", "sed-in-place"]),
        NO_PROC.of(&["df", "ps"]),
        NO_TERMINALS.of(&["terminal"]),
        NOT_IN_PASSWD.of(&["whoami"]),
    ];
    works(
        program!("shell"),
        &["perl", "ionice", "script", "ps"],
        &exceptions,
    );
}

#[test]
fn compilers_work_and_so_does_what_they_build() {
    let exceptions = [
        METADATA.of(&[
            "gcc-program-runs",
            "g++-program-runs",
            "shared-library",
            "static-library",
            "address-sanitizer-finds-bugs",
        ]),
        // Sanitizers read their options, which switch the leak check off, in /proc/self/environ.
        NO_PROC.of(&["address-sanitizer"]),
        // The C library finds it in /proc/self/maps.
        NO_PROC.of(&["stack-of-the-first-thread"]),
    ];
    works(program!("compilers"), &["gcc", "g++", "make"], &exceptions);
}

#[test]
fn git_works() {
    let exceptions = [METADATA.of(&[
        "init",
        "commit",
        "merge",
        "gc-and-fsck",
        "clone-and-push",
        "rebase-and-worktree",
        "archive",
    ])];
    works(program!("git"), &["git"], &exceptions);
}

#[test]
fn pip_installs_a_wheel_into_a_virtual_environment() {
    let exceptions = [METADATA.of(&[
        "venv",
        "pip-installs-into-a-venv",
        "scripts-of-a-wheel",
        "pip-uninstalls",
        "venv-without-pip",
        "pip-installs-into-a-directory",
    ])];
    works(program!("venv"), &["python3:ensurepip"], &exceptions);
}

#[test]
fn pytest_works_with_processes_threads_and_event_loops() {
    let exceptions = [
        NO_SHARED_MEMORY.of(&[
            "pool",
            "queue",
            "lock_value_event",
            "shared_memory",
            "process_pool_executor",
            "thread_pool",
        ]),
        NO_SOCKETS.of(&[
            "manager",
            "process_and_pipe[forkserver]",
            "asyncio_unix_server",
        ]),
    ];
    works(program!("pytest"), &["python3:pytest"], &exceptions);
}

#[test]
fn the_python_standard_library_works() {
    let exceptions = [
        METADATA.of(&["chmod", "shutil_copies", "utime_of_a_path"]),
        NO_PROC.of(&["proc_self"]),
        NO_SOCKETS.of(&["unix_socket"]),
        NO_TERMINALS.of(&["terminals"]),
        NOT_IN_PASSWD.of(&["passwd_entry"]),
    ];
    works(program!("python"), &["python3"], &exceptions);
}

#[test]
fn numpy_works_with_its_threads() {
    works(program!("numpy"), &["python3:numpy"], &[]);
}

#[test]
fn sqlite_works() {
    works(program!("sqlite"), &["sqlite3", "python3"], &[]);
}

#[test]
fn a_tmux_server_and_its_clients_work() {
    works(
        program!("tmux"),
        &["tmux"],
        &[NO_SOCKETS.of(&["server-and-client", "panes", "end"])],
    );
}

#[test]
fn node_works() {
    works(program!("node"), &["node"], &[]);
}

#[test]
fn a_jvm_works_without_flags() {
    works(
        program!("java"),
        &["java", "javac"],
        &[NO_PRIVATE_TMP.of(&["temporary-files"])],
    );
}

#[test]
fn other_languages_work() {
    works(program!("languages"), &["perl"], &[]);
}

#[test]
fn package_tools_answer_or_fail_cleanly_and_never_hang() {
    let exceptions = [METADATA.of(&["dpkg-builds-a-package"])];
    works(program!("apt"), &["dpkg", "apt-get", "curl"], &exceptions);
}
