//! The memory cgroups of a run's slots, where this machine gives the runner some, and cgroups around a runner.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Where the cgroups of a runner's slots are: below the cgroup of this process, in which the runner was started.
pub fn cgroups(runner: u32) -> Vec<PathBuf> {
    let prefix = format!("runner-{runner}-");
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    entries(&own())
        .filter(|path| name(path).starts_with(&prefix))
        .collect()
}

/// Those of its slots.
pub fn slot_cgroups(runner: u32) -> Vec<PathBuf> {
    let is_slot = |path: &PathBuf| path.to_string_lossy().contains("/slot-");
    entries(&cgroups(runner)).filter(is_slot).collect()
}

/// Sets the limit of one from outside.
pub fn limit_cgroup(cgroup: &Path, bytes: &str) {
    let limit = |name| fs::write(cgroup.join(name), bytes);
    limit("memory.max")
        .or_else(|_| limit("memory.limit_in_bytes"))
        .expect("a limit");
}

/// How many processes the kernel has killed in one.
pub fn killed_in(cgroup: &Path) -> u64 {
    let read = |name| fs::read_to_string(cgroup.join(name));
    let text = read("memory.events").or_else(|_| read("memory.oom_control"));
    let text = text.unwrap_or_default();
    let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.map_or(0, |count| count.parse().expect("a number"))
}

fn entries(places: &[PathBuf]) -> impl Iterator<Item = PathBuf> {
    let entries = places.iter().flat_map(fs::read_dir).flatten().flatten();
    entries.map(|entry| entry.path())
}

/// That of version 1 for memory, and that of version 2.
fn own() -> Vec<PathBuf> {
    let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let place = |line: &str| {
        let below = |root: &str, path: &str| PathBuf::from(root).join(path.trim_start_matches('/'));
        let first = line.split_once(":memory:");
        let second = line.strip_prefix("0::");
        let first = first.map(|(_, path)| below("/sys/fs/cgroup/memory", path));
        first.or(second.map(|path| below("/sys/fs/cgroup", path)))
    };
    membership.lines().filter_map(place).collect()
}

/// A cgroup of version 1 that a test makes below its own; removed when it is dropped.
pub struct TestCgroup {
    pub path: PathBuf,
}

impl TestCgroup {
    /// `None` where none can be made.
    pub fn make(controller: &str, limit: (&str, &str)) -> Option<TestCgroup> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let membership = fs::read_to_string("/proc/self/cgroup").ok()?;
        let marker = format!(":{controller}:/");
        let own = membership.lines().find_map(|l| l.split_once(&marker))?.1;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test-{}-{number}", std::process::id());
        let root = Path::new("/sys/fs/cgroup").join(controller);
        let path = root.join(own).join(name);
        fs::create_dir(&path).ok()?;
        let made = TestCgroup { path };
        fs::write(made.path.join(limit.0), limit.1).ok()?;
        Some(made)
    }

    /// A command that runs what follows in it.
    pub fn enter(&self) -> String {
        let procs = self.path.join("cgroup.procs");
        format!("echo $$ > {} && exec \"$@\"", procs.display())
    }
}

impl Drop for TestCgroup {
    fn drop(&mut self) {
        // The last of its processes may be about to end.
        for _ in 0..500 {
            if fs::remove_dir(&self.path).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
