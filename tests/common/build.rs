//! The programs of this build that tests run: the runner, and examples that cargo does not build for a single test file.

use nix::fcntl::{Flock, FlockArg};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

/// The runner's binary, where every user can execute it.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| for_everybody(Path::new(env!("CARGO_BIN_EXE_runner"))))
}

/// An example of this build, where every user can execute it: `examples/probe`.
pub fn built(name: &str) -> PathBuf {
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let path = built.entry(name.to_owned()).or_insert_with(|| {
        let path = profile_directory().join(name);
        build_once(path.file_name().and_then(OsStr::to_str).expect("a name"));
        for_everybody(&stripped(&path))
    });
    path.clone()
}

/// A copy without what debuggers need, which is most of it: episodes are given copies of it by the thousand. Itself where
/// there is no strip(1).
fn stripped(built: &Path) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples");
    let copy = directory.join(built.file_name().expect("a name"));
    let age = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    if age(&copy) >= age(built) {
        return copy;
    }
    // Renamed into place, because several test processes may do this at once.
    let partial = copy.with_extension(std::process::id().to_string());
    let made = fs::create_dir_all(&directory).and_then(|()| {
        let arguments = [OsStr::new("-o"), partial.as_os_str(), built.as_os_str()];
        Command::new("strip").args(arguments).status()
    });
    if made.is_ok_and(|status| status.success()) && fs::rename(&partial, &copy).is_ok() {
        copy
    } else {
        built.to_owned()
    }
}

/// Where cargo put the runner: `target/debug`.
fn profile_directory() -> &'static Path {
    let runner = Path::new(env!("CARGO_BIN_EXE_runner"));
    runner.parent().expect("a directory")
}

/// Builds an example the way the tests were built: once per test process or, where nextest starts a process for each
/// test, once per run.
fn build_once(example: &str) {
    let Some(run) = std::env::var_os("NEXTEST_RUN_ID") else {
        return build(example);
    };
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{example}-built-for"));
    let is_built = || fs::read(&kept).is_ok_and(|for_run| for_run == run.as_encoded_bytes());
    if is_built() {
        return;
    }
    let lock = fs::File::create(kept.with_extension("lock")).expect("create a lock file");
    let _lock = Flock::lock(lock, FlockArg::LockExclusive).expect("lock");
    if !is_built() {
        build(example);
        fs::write(&kept, run.as_encoded_bytes()).expect("write");
    }
}

fn build(example: &str) {
    let directory = profile_directory();
    let writable = nix::unistd::access(directory, nix::unistd::AccessFlags::W_OK).is_ok();
    if !writable && directory.join("examples").join(example).exists() {
        return; // Somebody else's build, which is up to date or not.
    }
    let profile = match directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--profile", profile])
        .args(["--example", example, "--target-dir"])
        .arg(directory.parent().expect("a target directory"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // Set for the harness by scripts/test; cargo would build everything anew.
        .env_remove("RUSTC_BOOTSTRAP")
        .output()
        .expect("cargo starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{example} is not built: {said}");
}

/// A built program itself or, where the build directory lies below a closed home, a copy, which `scripts/test`
/// removes.
fn for_everybody(built: &Path) -> PathBuf {
    let open = |path: &Path| fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o1 != 0);
    if built.ancestors().all(open) {
        return built.to_owned();
    }
    let modified = fs::metadata(built)
        .and_then(|m| m.modified())
        .expect("the program is built");
    let age = modified
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_nanos();
    let name = built.file_name().expect("a name").to_string_lossy();
    let copy = std::env::temp_dir().join(format!("{name}-under-test-{age}"));
    if !copy.exists() {
        // Renamed into place, because several test processes may do this at once.
        let partial = copy.with_extension(std::process::id().to_string());
        fs::copy(built, &partial).expect("copy the program");
        fs::set_permissions(&partial, Permissions::from_mode(0o755)).expect("chmod");
        fs::rename(&partial, &copy).expect("rename");
    }
    copy
}
