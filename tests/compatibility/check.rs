//! Runs a program's checks inside and outside the sandbox and compares.

use super::exceptions::Exception;
use crate::common::{NOBODY, Way, run, scratch};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// Runs the program every way. `needs` are the commands (or, as `python3:module`, Python modules) without which
/// there is nothing to test: then the test says so and passes.
#[track_caller]
pub fn works(program: &str, needs: &[&str], exceptions: &[Exception]) {
    if let Some(missing) = needs.iter().find(|need| !is_installed(need)) {
        println!("skipped: {missing} is not installed here");
        return;
    }
    let jobs = format!("{}\n", json!({"id": "program", "command": program}));
    // Outside there is no tier.
    let mut controls = BTreeMap::new();
    for way in Way::all() {
        let control = controls
            .entry(way.root)
            .or_insert_with(|| checks(&outside(way, program)));
        let broken: Vec<_> = control.values().flatten().collect();
        assert!(
            broken.is_empty() && !control.is_empty(),
            "{way:?}: the control fails: {broken:#?}"
        );

        // The limits are the default ones, but for the time, which a busy machine may take more of.
        let run = run(way, &jobs, &["--timeout-s", "1200"]);
        assert_eq!(
            run.status("program"),
            "ok",
            "{way:?}: {}",
            run.get("program")
        );
        let inside = checks(run.output("program"));
        let names = |checks: &Checks| checks.keys().cloned().collect::<Vec<_>>();
        assert_eq!(
            names(&inside),
            names(control),
            "{way:?}: {}",
            run.output("program")
        );
        for (name, failure) in &inside {
            let excepted = exceptions.iter().find(|e| e.covers(way, name));
            match (failure, excepted) {
                (Some(failure), None) => panic!("{way:?}: {failure}"),
                (None, Some(e)) => {
                    panic!("{way:?}: {name} works, but is an exception: {}", e.reason)
                }
                _ => {}
            }
        }
    }
}

/// By name; a check that failed comes with the line that says how.
type Checks = BTreeMap<String, Option<String>>;

fn checks(output: &str) -> Checks {
    let check = |line: &str| match (line.strip_prefix("ok "), line.strip_prefix("not ok ")) {
        (Some(name), _) => Some((name.to_owned(), None)),
        (_, Some(rest)) => {
            let name = rest.split_once(": ").map_or(rest, |(name, _)| name);
            Some((name.trim_end_matches(':').to_owned(), Some(line.to_owned())))
        }
        _ => None,
    };
    output.lines().filter_map(check).collect()
}

/// What the program prints without a sandbox, run by the same user in a directory of its own.
fn outside(way: Way, program: &str) -> String {
    let directory = scratch();
    // Sticky, as /tmp is: some programs refuse anything else.
    fs::set_permissions(directory.path(), Permissions::from_mode(0o1777)).expect("chmod");
    let mut shell = if way.root || !nix::unistd::geteuid().is_root() {
        Command::new("bash")
    } else {
        let (id, mut command) = (NOBODY.to_string(), Command::new("setpriv"));
        command.args([
            "--reuid",
            &id,
            "--regid",
            &id,
            "--clear-groups",
            "--",
            "bash",
        ]);
        command
    };
    let output = shell
        .args(["-lc", program])
        .current_dir(directory.path())
        .env_clear()
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("LANG", "C.UTF-8")
        .env("USER", "tester")
        // The shell in /etc/passwd of an ordinary user like nobody runs nothing.
        .env("SHELL", "/bin/bash")
        .env("HOME", directory.path())
        .env("TMPDIR", directory.path())
        .stdin(Stdio::null())
        .output()
        .expect("bash starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether the episodes' own PATH, or the system's Python, has it.
fn is_installed(need: &str) -> bool {
    let look = match need.split_once(':') {
        Some((_, module)) => format!("/usr/bin/python3 -c 'import {module}'"),
        None => format!("PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin command -v {need}"),
    };
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &look])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    shell.status().is_ok_and(|status| status.success())
}
