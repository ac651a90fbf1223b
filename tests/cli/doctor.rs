//! `runner doctor`: what it says of a machine, and of machines made poorer for one process.

use super::common::{NOBODY, Way, binary, command, run, scratch, wait_for};
use super::quick;
use serde_json::Value;
use std::process::{Command, Output, Stdio};

const NAMES: [&str; 13] = [
    "kernel",
    "user",
    "landlock",
    "seccomp",
    "user_namespaces",
    "network_namespaces",
    "proc",
    "memory_cgroup",
    "rlimits",
    "bash",
    "python3",
    "namespaces_tier",
    "landlock_tier",
];

/// What one `doctor --json` said, already held against what must be true of every one.
struct Said {
    json: Value,
    code: i32,
}

impl Said {
    #[track_caller]
    fn check(&self, name: &str) -> &Value {
        let checks = self.json["checks"].as_array().unwrap();
        checks.iter().find(|check| check["name"] == name).unwrap()
    }

    #[track_caller]
    fn has(&self, name: &str, state: &str, value: &str, remedy: &str) {
        let check = self.check(name);
        let text = |field: &str| check[field].as_str().unwrap_or_default();
        let fits = text("state") == state
            && text("value").contains(value)
            && text("remedy").contains(remedy);
        assert!(
            fits,
            "{name} is not {state} {value:?} {remedy:?}: {:#}",
            self.json
        );
    }
}

#[track_caller]
fn said(output: Output) -> Said {
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let json: Value =
        serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{e}: {stdout:?} {stderr}"));
    assert!(!stderr.contains("panicked"), "{stderr}");
    let code = output.status.code().unwrap();
    assert_eq!(json["exit_status"], code, "{json:#}");
    assert_eq!(json["tier"].is_null(), code == 3, "{json:#}");
    let checks = json["checks"].as_array().unwrap();
    let names: Vec<&str> = checks.iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, NAMES);
    for check in checks {
        assert!(["ok", "missing", "limited"].contains(&check["state"].as_str().unwrap()));
        assert!(!check["value"].as_str().unwrap().is_empty(), "{check}");
        // Nothing that can be typed mounts one.
        let wants = check["state"] != "ok" && check["name"] != "memory_cgroup";
        assert_eq!(check["remedy"].is_string(), wants, "{check}");
        let remedy = check["remedy"].as_str().unwrap_or_default();
        assert!(remedy.chars().count() <= 91, "does not fit: {remedy}");
    }
    Said { json, code }
}

/// As root or as the ordinary user.
fn doctor(root: bool, args: &[&str]) -> Said {
    said(
        command(root)
            .arg("doctor")
            .arg("--json")
            .args(args)
            .output()
            .unwrap(),
    )
}

/// The binary as an ordinary user in namespaces of its own, made poorer by a line of shell in which `"$@"` is
/// the binary.
fn poorer(namespaces: &[&str], shell: &str) -> Command {
    let mut words: Vec<String> = Vec::new();
    if nix::unistd::geteuid().is_root() {
        let user = format!("setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups");
        words.extend(user.split(' ').map(String::from));
    }
    words.extend(["unshare", "--user", "--map-root-user"].map(String::from));
    words.extend(namespaces.iter().map(std::string::ToString::to_string));
    words.extend(["sh", "-c", shell, "sh"].map(String::from));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg(binary()).current_dir("/");
    command
}

fn after(namespaces: &[&str], shell: &str, args: &[&str]) -> Said {
    let mut command = poorer(namespaces, shell);
    said(
        command
            .args(["doctor", "--json"])
            .args(args)
            .output()
            .unwrap(),
    )
}

const FORBIDDEN: &str = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
const MASKED: &str = "mount -t tmpfs none /proc/bus && exec \"$@\"";

// What it says is what a run does.

#[test]
fn the_tier_it_names_is_the_tier_that_episodes_get() {
    for way in Way::all() {
        let said = doctor(way.root, &["--isolation", way.tier]);
        assert_eq!(
            (said.code, &said.json["tier"]),
            (0, &way.tier.into()),
            "{way:?}"
        );
        assert_eq!(said.json["isolation"], way.tier);
        let tier = format!("{}_tier", way.tier);
        let abi = run(way, &quick("a"), &[]).get("a")["sandbox"]["landlock_abi"].to_string();
        said.has(&tier, "ok", &format!("Landlock ABI {abi})"), "");
        assert_eq!(doctor(way.root, &[]).json["tier"], "namespaces");
    }
}

#[test]
fn text_and_json_agree_and_fit_one_screen() {
    for flags in [&[][..], &["--isolation", "landlock"]] {
        let text = command(false).arg("doctor").args(flags).output().unwrap();
        let screen = String::from_utf8(text.stdout).unwrap();
        let said = doctor(false, flags);
        assert_eq!(text.status.code(), Some(said.code));
        assert!(screen.lines().count() <= 24, "{screen}");
        assert!(
            screen.lines().all(|line| line.chars().count() <= 100),
            "{screen}"
        );
        for check in said.json["checks"].as_array().unwrap() {
            let name = check["name"].as_str().unwrap().replace('_', " ");
            let state = check["state"].as_str().unwrap();
            let line = screen.lines().find(|line| {
                let mut words = line.splitn(2, ' ');
                let first = words.next().unwrap_or_default().to_lowercase();
                first == state
                    && words
                        .next()
                        .unwrap_or_default()
                        .trim_start()
                        .starts_with(&name)
            });
            let line = line.unwrap_or_else(|| panic!("{state} {name} is not in {screen}"));
            // After a semicolon there may be a number that has changed meanwhile.
            let value = check["value"].as_str().unwrap().split(';').next().unwrap();
            let value: String = value.chars().take(60).collect();
            assert!(line.contains(&value), "{value:?} is not in {line:?}");
            if let Some(remedy) = check["remedy"].as_str() {
                assert!(screen.contains(remedy), "{remedy:?} is not in {screen}");
            }
        }
        let tier = said.json["tier"].as_str().unwrap();
        assert!(screen.lines().last().unwrap().contains(tier), "{screen}");
    }
}

// A machine that lacks something: the cause, the remedy, the exit status.

#[test]
fn a_user_namespace_limit_of_0_is_found_and_auto_goes_on_to_landlock() {
    let auto = after(&[], FORBIDDEN, &[]);
    assert_eq!((auto.code, &auto.json["tier"]), (0, &"landlock".into()));
    let remedy = "sysctl -w user.max_user_namespaces=";
    auto.has(
        "user_namespaces",
        "missing",
        "user.max_user_namespaces = 0",
        remedy,
    );
    auto.has(
        "namespaces_tier",
        "missing",
        "refused to create namespaces",
        remedy,
    );
    auto.has("user", "limited", "shared by all slots", "sudo runner");
    auto.has("landlock_tier", "ok", "ran episodes", "");
    let named = after(&[], FORBIDDEN, &["--isolation", "namespaces"]);
    assert_eq!(named.code, 3);
    assert_eq!(after(&[], FORBIDDEN, &["--isolation", "landlock"]).code, 0);
}

#[test]
fn a_run_that_is_refused_names_the_same_remedy() {
    let directory = scratch();
    std::fs::write(directory.path().join("jobs.jsonl"), quick("a")).unwrap();
    let output = poorer(&[], FORBIDDEN)
        .args(["--jobs", "jobs.jsonl", "--isolation", "namespaces"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains("Remedy: sudo sysctl -w user.max_user_namespaces="),
        "{stderr}"
    );
}

#[test]
fn another_kind_of_namespace_with_a_limit_of_0_is_named() {
    let shell = FORBIDDEN.replace("max_user", "max_net");
    let said = after(&[], &shell, &[]);
    let remedy = "sysctl -w user.max_net_namespaces=";
    said.has(
        "user_namespaces",
        "missing",
        "user.max_net_namespaces = 0",
        remedy,
    );
    assert_eq!(said.json["tier"], "landlock");
}

#[test]
fn a_covered_part_of_proc_is_what_keeps_a_fresh_one_from_being_mounted() {
    let said = after(&["--mount"], MASKED, &[]);
    said.has(
        "proc",
        "missing",
        "/proc/bus is covered",
        "umount /proc/bus",
    );
    said.has("user_namespaces", "ok", "granted", "");
    said.has(
        "namespaces_tier",
        "missing",
        "/proc could not be mounted",
        "umount /proc/bus",
    );
    assert_eq!((said.code, &said.json["tier"]), (0, &"landlock".into()));
}

#[test]
fn low_limits_are_named_with_the_command_that_raises_them() {
    let mut command = Command::new("prlimit");
    command.args(["--nproc=70", "--nofile=256", "--stack=1048576", "--"]);
    let said = said(
        command
            .arg(binary())
            .args(["doctor", "--json"])
            .output()
            .unwrap(),
    );
    let cores = std::thread::available_parallelism().unwrap().get();
    let wanted = 2 * cores * (2 * cores + 32).max(64);
    said.has(
        "rlimits",
        "limited",
        &format!("processes 70 of {wanted}"),
        "prlimit --pid $$ --nproc=unlimited",
    );
    said.has(
        "rlimits",
        "limited",
        "open files 256 of 1024",
        "--nofile=1024",
    );
    said.has(
        "rlimits",
        "limited",
        "stack 1 MB of 8 MB",
        "--stack=8388608",
    );
}

/// Each is a program in the kernel's memory, of which all of the machine has so much.
#[test]
fn it_says_how_many_filters_there_are() {
    let directory = scratch();
    let job = serde_json::json!({"argv": ["sleep", "600"]}).to_string();
    std::fs::write(directory.path().join("jobs.jsonl"), job).unwrap();
    let mut run = command(true)
        .args(["--jobs", "jobs.jsonl", "--concurrency", "1"])
        .current_dir(directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Of a zygote, and of the program that it has started.
    let carry = || {
        let said = doctor(true, &[]);
        let value = said.check("seccomp")["value"].as_str().unwrap().to_owned();
        let (_, counts) = value.split_once("; ").unwrap();
        let words: Vec<&str> = counts.split(' ').collect();
        (
            words[0].parse::<u32>().unwrap(),
            words.last().unwrap().parse::<u32>().unwrap(),
        )
    };
    wait_for(|| matches!(carry(), (processes, filters) if processes >= 2 && filters >= 2));
    run.kill().unwrap();
    run.wait().unwrap();
}

#[test]
fn a_temporary_directory_that_cannot_be_written_to_ends_the_landlock_tier_only() {
    let doctor = |tier| {
        let mut command = command(false);
        command.args(["doctor", "--json", "--isolation", tier]);
        said(command.env("TMPDIR", "/proc/sys").output().unwrap())
    };
    let landlock = doctor("landlock");
    assert_eq!(landlock.code, 3);
    landlock.has("landlock_tier", "missing", "scratch directory", "TMPDIR=");
    assert_eq!(doctor("namespaces").code, 0);
}

#[test]
fn root_without_capabilities_is_told_which_it_lacks_and_nothing_is_left_of_the_attempt() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let directory = scratch();
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-all", "--inh-caps", "-all", "--"]);
    let said = said(
        command
            .env("TMPDIR", directory.path())
            .arg(binary())
            .args(["doctor", "--json"])
            .output()
            .unwrap(),
    );
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    assert_eq!(said.code, 3);
    for (tier, lacks) in [
        ("namespaces_tier", "CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN"),
        (
            "landlock_tier",
            "CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_SETGID, CAP_SETUID",
        ),
    ] {
        let remedy = format!("as an ordinary user, or with {lacks}");
        said.has(tier, "missing", "", &remedy);
    }
}

// Strange machines.

#[test]
fn without_proc_or_sys_it_still_reports() {
    let flags = ["--mount"];
    let hidden = |tree: &str| format!("mount -t tmpfs none {tree} && exec \"$@\"");
    let no_proc = after(&flags, &hidden("/proc"), &[]);
    assert_eq!(no_proc.code, 3);
    no_proc.has(
        "proc",
        "missing",
        "/proc is not mounted",
        "mount -t proc proc /proc",
    );
    no_proc.has(
        "landlock_tier",
        "missing",
        "/proc is not mounted",
        "mount -t proc",
    );
    let no_sys = after(&flags, &hidden("/sys"), &[]);
    assert_eq!(
        (no_sys.code, &no_sys.json["tier"]),
        (0, &"namespaces".into())
    );
}
