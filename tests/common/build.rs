//! The programs of this build that tests run: the runner, and the probe, which cargo does not build for a single test file.

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{AccessFlags, access};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The runner's binary, where every user can execute it.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| for_everybody(Path::new(env!("CARGO_BIN_EXE_runner"))))
}

/// The attacks of `tests/isolation/probe`, where every user can execute them.
pub fn probe_program() -> &'static Path {
    static PROBE: OnceLock<PathBuf> = OnceLock::new();
    PROBE.get_or_init(|| {
        // In a directory of its own, which episodes may be granted.
        let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs/probe");
        build_once(&copy);
        for_everybody(&copy)
    })
}

/// Builds it the way the tests were built: once per test process or, where nextest starts a process for each test, once
/// per run.
fn build_once(copy: &Path) {
    let writable = access(env!("CARGO_TARGET_TMPDIR"), AccessFlags::W_OK).is_ok();
    if !writable && copy.exists() {
        return; // Somebody else's build, which is up to date or not.
    }
    fs::create_dir_all(copy.parent().expect("a directory")).expect("mkdir");
    let Some(run) = std::env::var_os("NEXTEST_RUN_ID") else {
        return strip(&build(), copy);
    };
    let kept = copy.with_extension("built-for");
    let lock = File::create(copy.with_extension("lock")).expect("create a lock file");
    let _lock = Flock::lock(lock, FlockArg::LockExclusive).expect("lock");
    if !fs::read(&kept).is_ok_and(|for_run| for_run == run.as_encoded_bytes()) {
        strip(&build(), copy);
        fs::write(&kept, run.as_encoded_bytes()).expect("write");
    }
}

/// Has cargo build it, and say where it is.
fn build() -> PathBuf {
    let directory = Path::new(env!("CARGO_BIN_EXE_runner")).parent();
    let directory = directory.expect("a directory");
    let profile = directory.file_name().and_then(OsStr::to_str);
    let profile = profile.filter(|name| *name != "debug").unwrap_or("test");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let output = Command::new(cargo)
        .args(["test", "--quiet", "--no-run", "--test", "probe"])
        .args(["--profile", profile, "--message-format", "json"])
        .arg("--target-dir")
        .arg(directory.parent().expect("a target directory"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // Set for the harness by scripts/test; cargo would build everything anew.
        .env_remove("RUSTC_BOOTSTRAP")
        .output()
        .expect("cargo starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the probe is not built: {said}");
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut messages = (messages.lines()).filter_map(|line| serde_json::from_str(line).ok());
    let built = messages.find(|message: &Value| message["target"]["name"] == "probe");
    let built = built.and_then(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    built.expect("cargo says where the probe is")
}

/// A copy without what debuggers need, which is most of it: episodes are given copies of it by the thousand. With all of
/// it where there is no strip(1).
fn strip(built: &Path, copy: &Path) {
    let age = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    if age(copy) >= age(built) {
        return;
    }
    // Renamed into place, because several test processes may do this at once.
    let partial = copy.with_extension(std::process::id().to_string());
    let mut command = Command::new("strip");
    let stripped = command.arg("-o").args([&partial, built]).status();
    if !stripped.is_ok_and(|status| status.success()) {
        fs::copy(built, &partial).expect("copy the probe");
    }
    fs::rename(&partial, copy).expect("rename");
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
    let copy = std::env::temp_dir().join(format!("under-test-{age}-{name}"));
    if !copy.exists() {
        // Renamed into place, because several test processes may do this at once.
        let partial = copy.with_extension(std::process::id().to_string());
        fs::copy(built, &partial).expect("copy the program");
        fs::set_permissions(&partial, Permissions::from_mode(0o755)).expect("chmod");
        fs::rename(&partial, &copy).expect("rename");
    }
    copy
}
