//! Promise: a user of ARES changes one line, `container_factory=RolloutContainer`, and everything works as it did.
//!
//! The tests are the files of `tests/ares`. They run with the real ARES of PyPI, in a Python that `scripts/ares-env`
//! makes, against this build's `runner serve`. Where there is no Python that ARES runs on, they say so and are skipped.
//! Importing ARES takes some seconds of CPU, so files that need no process of their own share one.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What `scripts/ares-env` ends with where there is no Python >= 3.12.
const NO_PYTHON: i32 = 3;

fn root_of_project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Python with ARES, made once, or why there is none.
fn python() -> Result<&'static Path, &'static str> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let made = PYTHON.get_or_init(|| {
        let made = Command::new(root_of_project().join("scripts/ares-env"))
            .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("ares-python"))
            .output()
            .expect("scripts/ares-env starts");
        let stderr = String::from_utf8_lossy(&made.stderr).trim().to_owned();
        if made.status.code() == Some(NO_PYTHON) {
            return Err(stderr);
        }
        assert!(made.status.success(), "scripts/ares-env: {stderr}");
        Ok(PathBuf::from(String::from_utf8_lossy(&made.stdout).trim()))
    });
    made.as_deref().map_err(String::as_str)
}

/// Runs these files of `tests/ares` in one process.
#[track_caller]
fn pass(files: &[&str]) {
    let python = match python() {
        Ok(python) => python,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let scratch = common::scratch();
    let output = Command::new(python)
        .args(["-m", "pytest"])
        .arg("--basetemp")
        .arg(scratch.path().join("pytest"))
        .args(files)
        .current_dir(root_of_project().join("tests/ares"))
        .env("RUNNER_BIN", common::binary())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("TMPDIR", scratch.path())
        .env_remove("RUNNER_SOCKET")
        .output()
        .expect("Python starts");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    // What pytest skipped, with its reason.
    print!("{text}");
}

#[test]
fn commands_files_images_and_agents_work_as_ares_documents_it() {
    pass(&[
        "test_exec.py",
        "test_files.py",
        "test_image.py",
        "test_docker.py",
        "test_agents.py",
    ]);
}

#[test]
fn the_landlock_tier_explains_what_it_refuses() {
    pass(&["test_landlock.py"]);
}

#[test]
fn sixty_four_environments_of_a_hundred_commands_leave_nothing() {
    pass(&["test_many.py"]);
}

#[test]
fn no_request_of_a_client_waits_for_ever() {
    pass(&["test_client.py"]);
}

#[test]
fn one_server_is_shared_by_a_process_and_ends_with_it() {
    pass(&["test_server.py"]);
}

#[test]
fn the_package_passes_pyright_and_mypy() {
    pass(&["test_types.py"]);
}

#[test]
fn every_file_of_tests_is_run() {
    let here = include_str!("ares.rs");
    let directory = root_of_project().join("tests/ares");
    for entry in std::fs::read_dir(directory).expect("tests/ares") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_str().expect("a name");
        if name.starts_with("test_") {
            assert!(here.contains(&format!("\"{name}\"")), "{name} is not run");
        }
    }
}
