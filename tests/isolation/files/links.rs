//! `collect`, `files` and `workdir`, led elsewhere by links that an earlier step or episode planted.

use super::host::{SECRET, host_directory, put_secret};
use crate::common::Way;
use crate::episodes::{run_all, shell, with};
use serde_json::json;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

/// Under /var/tmp, which the landlock tier does not rename.
fn outside_tmp() -> tempfile::TempDir {
    let host = tempfile::Builder::new()
        .prefix("runner-test-")
        .tempdir_in("/var/tmp")
        .expect("a directory");
    fs::set_permissions(host.path(), Permissions::from_mode(0o755)).expect("chmod");
    put_secret(host.path());
    host
}

#[test]
fn collect_returns_nothing_of_the_host() {
    for way in Way::all() {
        let host = outside_tmp();
        let patterns = [
            format!("{}/*", host.path().display()),
            "/etc/*".into(),
            "own".into(),
        ];
        let run = run_all(
            way,
            &[with(
                shell("e", "echo mine > own"),
                json!({"collect": patterns}),
            )],
            &[],
        );
        if run.status("e") == "invalid" {
            continue;
        }
        let files = run.get("e")["files"].as_object().expect("files");
        let names: Vec<_> = files.keys().collect();
        assert_eq!(names, ["own"], "{way:?}");
    }
}

#[test]
fn collect_does_not_follow_a_working_directory_that_became_a_link() {
    for way in Way::all() {
        let host = outside_tmp();
        let command = format!(
            "touch kept; cd ..; mv sub old; ln -s {} sub",
            host.path().display()
        );
        let episode = with(
            shell("e", &command),
            json!({"workdir": "/workspace/sub", "collect": ["*"]}),
        );
        let run = run_all(way, &[episode], &[]);
        let result = run.get("e").to_string();
        assert!(!result.contains(SECRET), "{way:?}: {result}");
        let control = with(
            shell("e", "touch kept"),
            json!({"workdir": "/workspace/sub", "collect": ["*"]}),
        );
        assert!(
            run_all(way, &[control], &[]).get("e")["files"]["kept"].is_string(),
            "{way:?}"
        );
    }
}

#[test]
fn files_of_a_later_step_do_not_leave_the_sandbox_through_links() {
    for way in Way::all() {
        let host = host_directory();
        for target in [
            host.path().display().to_string(),
            "/proc/self/root".into(),
            "/proc/1/cwd".into(),
        ] {
            let link = format!(
                "ln -s {target} link; ln -s {}/secret file",
                host.path().display()
            );
            let steps = json!([
                {"command": link, "on_failure": "continue"},
                {"command": "true", "files": {"link/planted": "x"}, "on_failure": "continue"},
                {"command": "true", "files": {"file": "x"}, "on_failure": "continue"},
            ]);
            let run = run_all(way, &[json!({"id": "e", "steps": steps})], &[]);
            assert_ne!(run.status("e"), "infra_error", "{way:?}: {}", run.get("e"));
            assert!(!host.path().join("planted").exists(), "{way:?}");
            assert_eq!(
                fs::read_to_string(host.path().join("secret")).unwrap(),
                SECRET,
                "{way:?}"
            );
        }
    }
}

/// An episode that may write to a granted directory puts a link where a later episode's path leads through.
#[test]
fn a_path_that_was_checked_can_not_be_led_elsewhere_by_a_link() {
    let swap = |fields: serde_json::Value| {
        for way in Way::all() {
            let (host, elsewhere) = (host_directory(), host_directory());
            let inner = host.path().join("inner");
            fs::create_dir(&inner).expect("mkdir");
            fs::set_permissions(&inner, Permissions::from_mode(0o777)).expect("chmod");
            fs::write(inner.join("secret"), "harmless").expect("write");
            let (root, link) = (host.path().display(), elsewhere.path().display());
            let text = fields
                .to_string()
                .replace("{inner}", &inner.display().to_string());
            let fields: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let read = format!(
                "cat secret {}/secret; echo x >> {}/secret; true",
                inner.display(),
                inner.display()
            );
            let episodes = [
                with(
                    shell(
                        "swaps",
                        &format!("cd {root} && mv inner old && ln -s {link} inner"),
                    ),
                    json!({"fs_writable": [host.path()]}),
                ),
                with(shell("reads", &read), fields),
            ];
            let allow = host.path().display().to_string();
            let run = run_all(
                way,
                &episodes,
                &["--concurrency", "1", "--ordered", "--allow-path", &allow],
            );
            assert_eq!(run.status("swaps"), "ok", "{way:?}: {}", run.get("swaps"));
            assert!(
                !run.output("reads").contains(SECRET),
                "{way:?}: {}",
                run.get("reads")
            );
            let kept = fs::read_to_string(elsewhere.path().join("secret")).expect("read");
            assert_eq!(kept, SECRET, "{way:?}");
        }
    };
    swap(json!({"fs_writable": ["{inner}"]}));
    swap(json!({"files": {"secret": {"host_path": "{inner}/secret"}}}));
    swap(json!({"files": {".": {"host_path": "{inner}"}}}));
}
